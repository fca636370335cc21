"""A run beside an apply that waits: it changes nothing, and ends nobody's wait, before it surely may begin."""

from temporalio import workflow

from workflows import policies
from workflows.run_state import Refused, Run
from workflows.telling import tell_pull_request

with workflow.unsafe.imports_passed_through():
    from docustack.pull_request_state import RunMayBegin


async def take_turn(run: Run) -> None:
    """Called once nothing forbids the run any more: the pull request ends the waiting apply and gives the turn.

    Raises:
        Refused: nobody gave it.
    """
    if not run.start.challenges or run.state.has_turn:
        return
    await tell_pull_request(run.start, "run_may_begin", RunMayBegin(run_id=run.start.run_id))
    try:
        await workflow.wait_condition(lambda: run.state.has_turn, timeout=policies.TURN)
    except TimeoutError:
        raise Refused(
            "The apply that waits could not be ended, so nothing was started. Please comment again."
        ) from None
    run.stop_if_cancelled()
