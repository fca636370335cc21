"""Says, while people are asked to approve an apply, who else holds its units: it will have to wait for them."""

from temporalio import workflow
from temporalio.exceptions import ActivityError

from workflows import policies
from workflows.calls import call
from workflows.run_state import Run

with workflow.unsafe.imports_passed_through():
    from activities.locks import AskOtherHolders, Locks
    from docustack.lock_comments import held_meanwhile
    from docustack.lock_messages import HeldByOthers


async def held_by_others(run: Run) -> str:
    """As it is at this moment; empty where nobody does, or the table of locks doesn't answer soon."""
    question = HeldByOthers(holder=run.holder, units=tuple(run.state.selected))
    try:
        answer = await call(
            Locks.find_other_holders,
            AskOtherHolders(repository=run.start.repository, question=question),
            summary=f"{len(question.units)} units",
            policy=policies.WHILE_SOMEBODY_WAITS,
        )
    except ActivityError as error:
        run.stop_if_cancelled()
        workflow.logger.warning("it could not be found who holds the units: %s", error.cause)
        return ""
    return held_meanwhile(answer.grants) if answer.grants else ""
