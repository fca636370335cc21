"""From an activity's failure to the outcome that a person reads."""

from temporalio import workflow
from temporalio.exceptions import ActivityError, ApplicationError, TimeoutType, is_cancelled_exception
from temporalio.exceptions import TimeoutError as ActivityTimeout

from workflows.run_state import Run

with workflow.unsafe.imports_passed_through():
    from pydantic import ValidationError

    from activities.terragrunt_messages import FailureDetails
    from docustack.errors import DocuStackError, ErrorType
    from docustack.runs import UnitOutcome, UnitPhase


def error_type_of(error: BaseException) -> ErrorType:
    """The type that the activity gave it; what Temporal itself says is translated."""
    if is_cancelled_exception(error):
        return ErrorType.CANCELLED
    cause = error.cause if isinstance(error, ActivityError) else error
    if isinstance(cause, ActivityTimeout):
        gone = cause.type in (TimeoutType.SCHEDULE_TO_START, TimeoutType.HEARTBEAT)
        return ErrorType.INTERRUPTED if gone else ErrorType.TIMEOUT
    if isinstance(cause, ApplicationError) and cause.type in set(ErrorType):
        return ErrorType(cause.type)
    return ErrorType.FAILED


def message_of(error: BaseException) -> str:
    """What failed, where, what to do: the activity's own sentence."""
    if is_cancelled_exception(error):
        return "The run was cancelled."
    cause = error.cause if isinstance(error, ActivityError) else error
    if isinstance(cause, ActivityTimeout):
        return f"It did not answer in time ({cause.type.name.lower().replace('_', '-') if cause.type else 'timeout'})."
    if isinstance(cause, ApplicationError):
        return cause.message
    if isinstance(cause or error, DocuStackError):
        return str(cause or error)
    workflow.logger.error("not foreseen", exc_info=error)
    what = ": ".join(text for text in (type(cause or error).__name__, str(cause or error)) if text)
    return f"This was not foreseen ({what}). It is a fault of DocuStack's own; its log has the details."


def was_told(error: ActivityError) -> bool:
    """Did the activity itself say how it ended? A time-out of Temporal's says nothing of the process."""
    return isinstance(error.cause, ApplicationError) or is_cancelled_exception(error)


def details_of(error: BaseException) -> FailureDetails:
    """Log and last lines, where the activity sent them along."""
    cause = error.cause if isinstance(error, ActivityError) else error
    if isinstance(cause, ApplicationError):
        for detail in cause.details:
            try:
                return FailureDetails.model_validate(detail)
            except ValidationError:
                continue
    return FailureDetails()


def failed_outcome(run: Run, unit: str, error: BaseException) -> UnitOutcome:
    """A unit whose plan or apply failed."""
    details, error_type = details_of(error), error_type_of(error)
    return UnitOutcome(
        unit=unit,
        environment=run.environment_of(unit),
        phase=UnitPhase.UNKNOWN if error_type is ErrorType.UNWRITTEN_STATE else UnitPhase.FAILED,
        message=message_of(error),
        error_type=error_type.value,
        text=details.text,
        log=details.log,
    )
