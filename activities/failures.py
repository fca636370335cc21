"""How an activity says what went wrong: with a type of ours, and whether asking again can help."""

from datetime import timedelta

from temporalio.exceptions import ApplicationError, ApplicationErrorCategory

from docustack.errors import NEVER_RETRIED, ErrorType


def failure(error_type: ErrorType, message: str, *, retry_in: timedelta | None = None) -> ApplicationError:
    """The error that an activity raises; `message` is what a person reads: what failed, where, what to do.

    `retry_in` is when the other side said to come back; without it the retry policy decides.
    """
    busy = error_type is ErrorType.THROTTLED
    return ApplicationError(
        message,
        type=error_type,
        non_retryable=error_type in NEVER_RETRIED,
        next_retry_delay=retry_in,
        category=ApplicationErrorCategory.BENIGN if busy else ApplicationErrorCategory.UNSPECIFIED,
    )
