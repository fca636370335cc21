"""A run that waits, for people or in line for its units: its pull request and Temporal's UI know for what."""

from temporalio import workflow

from workflows.reporting import Report
from workflows.run_state import Run
from workflows.telling import tell_pull_request

with workflow.unsafe.imports_passed_through():
    from docustack.pull_request_state import RunWaits
    from docustack.runs import RunStatus

_WAITING = (RunStatus.WAITING, RunStatus.IN_LINE)


async def begin_to_wait(run: Run, report: Report, status: RunStatus, message: str) -> bool:
    """Nothing is being changed from here on, so a command may end the run. False if it has waited for that already."""
    if run.state.status is status:
        return False
    run.state.status, run.state.message = status, message
    report.status()
    await tell_pull_request(run.start, "run_waits", RunWaits(run_id=run.start.run_id, waiting=True))
    return True


async def go_on(run: Run, report: Report) -> None:
    """What was waited for is there."""
    if run.state.status not in _WAITING:
        return
    run.state.status, run.state.message = RunStatus.RUNNING, ""
    report.status()
    await tell_pull_request(run.start, "run_waits", RunWaits(run_id=run.start.run_id, waiting=False))
