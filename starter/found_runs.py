"""Finds runs in Temporal, and reads what is known of one: from its worker, else from what Temporal itself keeps."""

import asyncio
import difflib
from dataclasses import dataclass

from temporalio.client import (
    WorkflowExecution,
    WorkflowExecutionDescription,
    WorkflowExecutionStatus,
    WorkflowFailureError,
    WorkflowHandle,
)
from temporalio.service import RPCError, RPCStatusCode

from docustack.runs import RunResult, RunStatus
from docustack.visibility import quoted
from starter.answers import RunDetail, RunLine
from starter.client import ANSWER_WITHIN, Connection, is_away
from starter.exit_codes import CommandFailed, ExitCode
from starter.run_lines import PREFIX, run_detail, run_line, unit_lines
from starter.run_starts import read_start
from starter.times import ago
from workflows import search_attributes
from workflows.run_models import RunView

_AT_ONCE = 10
REMEMBERED = 200  # runs among which a wrong id is looked for
_Handle = WorkflowHandle[object, object]


@dataclass(frozen=True)
class RunFilter:
    """Which runs are wanted; None is any."""

    environment: str | None = None
    unit: str | None = None
    pull_request: int | None = None
    status: str | None = None
    actor: str | None = None
    repository: str | None = None

    @property
    def names(self) -> dict[str, str]:
        """What can be misspelt."""
        given = {"environment": self.environment, "unit": self.unit, "actor": self.actor}
        return {what: name for what, name in given.items() if name is not None}

    def query(self) -> str:
        """In the words of Temporal's visibility."""
        pairs = (
            (search_attributes.ENVIRONMENT.name, self.environment),
            (search_attributes.UNITS.name, self.unit),
            (search_attributes.ACTOR.name, self.actor),
            (search_attributes.REPOSITORY.name, self.repository),
        )
        terms = ["WorkflowType = 'RunWorkflow'", "ExecutionStatus != 'ContinuedAsNew'"]
        terms += [f"{name} = {quoted(value)}" for name, value in pairs if value is not None]
        if self.pull_request is not None:
            terms.append(f"{search_attributes.PULL_REQUEST.name} = {self.pull_request}")
        if self.status is not None:
            terms.append(_status_term(self.status))
        return " AND ".join(terms)


def nearest_names(wanted: RunFilter, known: list[RunLine]) -> list[str]:
    """What was probably meant by a name that no run has; nothing where the name is one that runs have."""
    there = {
        "environment": {name for run in known for name in run.environments},
        "unit": {name for run in known for name in run.units},
        "actor": {run.actor for run in known},
    }
    hints = []
    for what, name in wanted.names.items():
        those = there[what]
        if name in those:
            continue
        close = difflib.get_close_matches(name, sorted(those), n=1)
        meant = f"Did you mean {close[0]}?" if close else f"Runs have: {', '.join(sorted(those)[:20]) or 'none'}."
        hints.append(f"No run has the {what} {name}. {meant}")
    return hints


async def list_runs(connection: Connection, wanted: RunFilter, limit: int) -> list[RunLine]:
    """The newest first."""
    found = [run async for run in connection.client.list_workflows(wanted.query(), limit=limit)]
    gate = asyncio.Semaphore(_AT_ONCE)

    async def line(run: WorkflowExecution) -> RunLine:
        async with gate:
            return run_line(connection, run, await read_start(connection.client, run.id, run.run_id))

    return list(await asyncio.gather(*(line(run) for run in found)))


async def find_run(connection: Connection, name: str) -> WorkflowExecutionDescription:
    """The run of an id, or of its first characters where only one begins so.

    Raises:
        CommandFailed: NOT_FOUND, with the nearest ids, or the last ones.
    """
    wanted = name.removeprefix(PREFIX)
    if (described := await _describe(connection, wanted)) is not None:
        return described
    recent = {
        run.id.removeprefix(PREFIX): run
        async for run in connection.client.list_workflows(RunFilter().query(), limit=REMEMBERED)
    }
    beginning = [run_id for run_id in recent if wanted and run_id.startswith(wanted)]
    if len(beginning) == 1 and (described := await _describe(connection, beginning[0])) is not None:
        return described
    raise _no_such_run(name, wanted, recent, beginning)


async def read_run(connection: Connection, described: WorkflowExecutionDescription) -> RunDetail:
    """Everything that can be known of a run now."""
    handle = connection.client.get_workflow_handle(described.id, run_id=described.run_id)
    try:
        view: RunView = await handle.query("show", result_type=RunView, rpc_timeout=ANSWER_WITHIN)
    except RPCError as error:
        if not (is_away(error) or error.status is RPCStatusCode.FAILED_PRECONDITION):
            raise
        return await _without_worker(connection, described, handle)
    line = run_line(connection, described, view.input, told=view.status.value, units=view.units)
    return run_detail(
        line,
        view.input,
        message=view.message,
        waves=view.waves,
        units=unit_lines(view.units, view.outcomes, view.shown),
        decisions=view.decisions,
        plans=view.plans,
        commit=view.commit,
        base_ref=view.base_ref,
        notes=view.notes,
    )


async def _without_worker(
    connection: Connection, described: WorkflowExecutionDescription, handle: _Handle
) -> RunDetail:
    """No worker answers: the start and, of a run that has ended, the end are in its history."""
    start = await read_start(connection.client, described.id, described.run_id)
    if start is None:
        raise CommandFailed(f"What run {described.id} was started with can't be read, and no worker answers for it.")
    if described.status is not WorkflowExecutionStatus.COMPLETED:
        line = run_line(connection, described, start)
        return run_detail(line, start, message="", units=(), complete=False)
    ended = connection.client.get_workflow_handle(described.id, run_id=described.run_id, result_type=RunResult)
    try:
        result: RunResult = await ended.result(follow_runs=False)
    except WorkflowFailureError as error:
        raise CommandFailed(f"Run {described.id} ended in a way of which nothing is known: {error.cause}") from error
    line = run_line(connection, described, start, told=result.status.value)
    units = unit_lines({}, result.outcomes)
    return run_detail(line, start, message=result.message, units=units, commit=result.head_commit)


async def _describe(connection: Connection, run_id: str) -> WorkflowExecutionDescription | None:
    try:
        return await connection.client.get_workflow_handle(f"{PREFIX}{run_id}").describe()
    except RPCError as error:
        if (
            error.status in (RPCStatusCode.NOT_FOUND, RPCStatusCode.INVALID_ARGUMENT)
            and "amespace" not in error.message
        ):
            return None
        raise


def _status_term(status: str) -> str:
    name = search_attributes.STATUS.name
    by_temporal = {"terminated": "Terminated", "timed-out": "TimedOut"}
    if status in by_temporal:
        return f"ExecutionStatus = '{by_temporal[status]}'"
    if status == RunStatus.RUNNING.value:
        return f"ExecutionStatus = 'Running' AND ({name} = 'running' OR {name} IS NULL)"
    if status in (RunStatus.WAITING.value, RunStatus.IN_LINE.value):
        return f"ExecutionStatus = 'Running' AND {name} = {quoted(status)}"
    by_both = {RunStatus.FAILED.value: "Failed", RunStatus.CANCELLED.value: "Canceled"}
    if status in by_both:
        return f"({name} = {quoted(status)} OR ExecutionStatus = '{by_both[status]}')"
    return f"{name} = {quoted(status)}"


def _no_such_run(name: str, wanted: str, recent: dict[str, WorkflowExecution], beginning: list[str]) -> CommandFailed:
    if len(beginning) > 1:
        return CommandFailed(
            f"{len(beginning)} runs begin with {name!r}: {', '.join(beginning[:5])}.", code=ExitCode.NOT_FOUND
        )
    near = difflib.get_close_matches(wanted, recent, n=3, cutoff=0.7)
    advice = [f"Did you mean {' or '.join(near)}?"] if near else []
    if not near and recent:
        last = [f"{run_id} ({ago(run.start_time)})" for run_id, run in list(recent.items())[:5]]
        advice.append(f"The last runs: {', '.join(last)}.")
    if not recent:
        advice.append("There are no runs yet.")
    return CommandFailed(
        f"There is no run {name!r}.", *advice, "docustack runs list shows them.", code=ExitCode.NOT_FOUND
    )
