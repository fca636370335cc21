"""Watches a bootstrap step by step, whichever command asks."""

import asyncio
import time
from typing import Any

from rich.text import Text
from temporalio.client import WorkflowExecutionStatus, WorkflowHandle
from temporalio.service import RPCError, RPCStatusCode

from docustack.bootstrap import BootstrapEnd, BootstrapOutcome, BootstrapState, StepState, StepStatus
from starter.client import ANSWER_WITHIN, Connection, is_away, with_temporal
from starter.console import errors, output, print_json
from starter.exit_codes import CommandFailed, ExitCode
from starter.standalone.surrounding import standalone

_EVERY = 0.5
_LISTED = 20
PREFIX = "bootstrap:"
ENDED_WELL = (BootstrapEnd.DONE, BootstrapEnd.NOTHING_TO_DO, BootstrapEnd.DRY_RUN)
_MARKS = {
    StepStatus.RUNNING: ("…", "dim"),
    StepStatus.DONE: ("✓", "green"),
    StepStatus.FAILED: ("✗", "red"),
    StepStatus.UNDONE: ("↶", "yellow"),
}


def follow_bootstrap(workflow_id: str, run_id: str = "", *, as_json: bool = False) -> BootstrapOutcome:
    """Show it step by step, then its end; Ctrl-C stops watching, and says how to go on."""
    try:
        outcome = with_temporal(lambda connection: watch_bootstrap(connection, workflow_id, run_id, quiet=as_json))
    except KeyboardInterrupt:
        errors().print("\n" + standalone.detached(f"runs watch {workflow_id}"))
        errors().print(f"To cancel it: {standalone.typed} runs cancel {workflow_id}")
        raise
    tell_bootstrap(outcome, as_json=as_json)
    return outcome


async def watch_bootstrap(
    connection: Connection, workflow_id: str, run_id: str = "", *, quiet: bool = False
) -> BootstrapOutcome:
    """Until it has ended; without a worker nothing is seen meanwhile, and it goes on all the same.

    Raises:
        CommandFailed: NOT_FOUND where there is none of that id, with those that there are.
    """
    handle: WorkflowHandle[Any, Any] = connection.client.get_workflow_handle(workflow_id, run_id=run_id or None)
    try:
        await handle.describe()
    except RPCError as error:
        if error.status is not RPCStatusCode.NOT_FOUND or "amespace" in error.message:
            raise
        found = connection.client.list_workflows("WorkflowType = 'BootstrapWorkflow'", limit=_LISTED)
        known = [each.id async for each in found]
        there = f"There are {', '.join(dict.fromkeys(known))}." if known else "There is none yet."
        raise CommandFailed(f"There is no bootstrap {workflow_id!r}.", there, code=ExitCode.NOT_FOUND) from None
    url = connection.url(workflow_id)
    if url and not quiet:
        errors().print(url)
    shown = StepLines(quiet=quiet)
    while True:
        status = (await handle.describe()).status
        try:
            shown.show(await handle.query("show", result_type=BootstrapState, rpc_timeout=ANSWER_WITHIN))
        except RPCError as error:
            if not is_away(error):
                raise
        if status is not WorkflowExecutionStatus.RUNNING:
            break
        await asyncio.sleep(_EVERY)
    if status is not WorkflowExecutionStatus.COMPLETED:
        ended = status.name.lower() if status is not None else "over"
        raise CommandFailed(
            f"The bootstrap was {ended} by somebody, and undid nothing.",
            *shown.reasons,
            "The same command goes on from there.",
        )
    return BootstrapOutcome.model_validate(await handle.result())


def step_line(step: StepState) -> Text:
    """Why a step has failed is told once, by the end of the whole."""
    mark, style = _MARKS[step.status]
    detail = f": {step.detail}" if step.detail and step.status is not StepStatus.FAILED else ""
    return Text.assemble((mark, style), f" {step.name}{detail}")


class StepLines:
    """One line a change."""

    def __init__(self, *, quiet: bool) -> None:
        self._quiet = quiet
        self._lines: list[StepState] = []
        self._since = time.monotonic()

    def show(self, state: BootstrapState) -> None:
        for number, step in enumerate(state.steps):
            known = self._lines[number] if number < len(self._lines) else None
            if step != known and not self._quiet:
                output().print(self._line(step))
        self._lines = list(state.steps)

    @property
    def reasons(self) -> list[str]:
        """Of the steps that failed, where no end tells them."""
        return [
            standalone.told(f"{step.name}: {step.detail}") for step in self._lines if step.status is StepStatus.FAILED
        ]

    def _line(self, step: StepState) -> Text:
        return Text.assemble((f"[{time.monotonic() - self._since:4.0f}s] ", "dim"), step_line(step))


def tell_bootstrap(outcome: BootstrapOutcome, *, as_json: bool) -> None:
    if as_json:
        print_json(outcome.model_dump(mode="json"))
        return
    if outcome.plan:
        output().print(Text(outcome.plan))
    # Not broken into lines here: there are commands in it, which are copied.
    output().print(
        Text(standalone.told(outcome.message), "green" if outcome.end in ENDED_WELL else "red"), soft_wrap=True
    )
