"""Reads what the workflows of pull requests know, and what commands show of it."""

import asyncio
from collections.abc import Iterator

from temporalio.client import WorkflowExecution, WorkflowExecutionStatus
from temporalio.service import RPCError, RPCStatusCode

from docustack.events import pull_request_workflow_id
from docustack.plans import OutputsKind, PlanRecord
from docustack.pull_request_state import PullRequestState
from docustack.pull_request_status import status_of
from docustack.repository import Repository
from docustack.visibility import quoted
from starter.answers import PlannedUnit, PullRequestLine
from starter.client import ANSWER_WITHIN, Connection, is_away
from starter.exit_codes import CommandFailed, ExitCode
from workflows import search_attributes

_AT_ONCE = 5
_LOOKED_AT = 500  # pull requests whose workflow lives, the newest first
_TYPE = "WorkflowType = 'PullRequestWorkflow' AND ExecutionStatus != 'ContinuedAsNew'"


async def list_pull_requests(
    connection: Connection, repository: Repository | None, *, everything: bool, limit: int
) -> list[PullRequestLine]:
    """The open ones, or all that Temporal remembers; the newest first."""
    query = _TYPE if everything else f"{_TYPE} AND ExecutionStatus = 'Running'"
    if repository is not None:
        query += f" AND {_of(repository)}"
    found: dict[str, WorkflowExecution] = {}
    async for execution in connection.client.list_workflows(query):
        found.setdefault(execution.id, execution)  # one that was reopened has several: the newest counts
        if len(found) == limit:
            break
    gate = asyncio.Semaphore(_AT_ONCE)

    async def line(execution: WorkflowExecution) -> PullRequestLine:
        async with gate:
            return await _line(connection, execution)

    return list(await asyncio.gather(*(line(execution) for execution in found.values())))


async def read_pull_request(connection: Connection, repository: Repository, number: int) -> PullRequestState:
    """All that a pull request's workflow knows.

    Raises:
        CommandFailed: NOT_FOUND, with the numbers that are known; UNREACHABLE where no worker answers.
    """
    handle = connection.client.get_workflow_handle(pull_request_workflow_id(repository, number))
    try:
        state: PullRequestState = await handle.query("show", result_type=PullRequestState, rpc_timeout=ANSWER_WITHIN)
    except RPCError as error:
        if error.status is RPCStatusCode.NOT_FOUND and "amespace" not in error.message:
            raise await _no_such_pull_request(connection, repository, number) from None
        if is_away(error) or error.status is RPCStatusCode.FAILED_PRECONDITION:
            raise no_worker(f"pull request #{number}") from None
        raise
    return state


async def read_left_behind(connection: Connection, repository: Repository) -> dict[int, PullRequestState]:
    """By number, the merged pull requests that owe an apply, or have left units owned by nobody."""
    lines = await list_pull_requests(connection, repository, everything=False, limit=_LOOKED_AT)
    numbers = sorted(line.number for line in lines if line.status in ("owed", "orphans"))
    states = await asyncio.gather(*(read_pull_request(connection, repository, number) for number in numbers))
    return dict(zip(numbers, states, strict=True))


def no_worker(asked: str) -> CommandFailed:
    """Temporal is there, but nobody who could answer for a workflow."""
    return CommandFailed(
        f"Temporal is there, but no worker answers for {asked}.",
        "Is one running? For a world on this machine: docustack local status, docustack local restart worker",
        "For a deployment: docustack worker, with the control queue.",
        code=ExitCode.UNREACHABLE,
    )


def planned_units(state: PullRequestState) -> tuple[PlannedUnit, ...]:
    """Every unit of which something is known at the present head."""
    return tuple(sorted(_units(state), key=lambda unit: unit.unit))


def _units(state: PullRequestState) -> Iterator[PlannedUnit]:
    for unit, plan in state.plans.items():
        summary = plan.summary
        yield PlannedUnit(
            unit=unit,
            state=_plan_state(plan),
            add=summary.add,
            change=summary.change,
            destroy=summary.destroy,
            waits_for=tuple(each.unit for each in plan.dependencies if each.kind is not OutputsKind.REAL),
            commit=plan.commit,
            run_id=plan.run_id,
            digest=plan.digest,
        )
    for unit in state.deferred:
        if unit not in state.plans:
            yield PlannedUnit(unit=unit, state="deferred")
    for unit, commit in state.applied.items():
        if unit not in state.plans:
            yield _applied_unit(state, unit, commit)


def _applied_unit(state: PullRequestState, unit: str, commit: str) -> PlannedUnit:
    known = PlannedUnit(unit=unit, state="applied", commit=commit)
    by = state.applied_by.get(unit)
    if by is None:
        return known
    made = by.summary
    counts = {"add": made.add, "change": made.change, "destroy": made.destroy} if made else {}
    return known.model_copy(update={"run_id": by.run_id, **counts})


def _plan_state(plan: PlanRecord) -> str:
    if plan.is_preview:
        return "preview"
    return "no-changes" if plan.summary.is_empty else "planned"


async def _line(connection: Connection, execution: WorkflowExecution) -> PullRequestLine:
    attributes = execution.typed_search_attributes
    repository, _, number = execution.id.removeprefix("pr:").rpartition("#")
    known = PullRequestLine(
        number=int(number),
        repository=repository,
        author=attributes.get(search_attributes.ACTOR) or "",
        status=attributes.get(search_attributes.STATUS) or _status_without(execution),
    )
    handle = connection.client.get_workflow_handle(execution.id, run_id=execution.run_id)
    try:
        state: PullRequestState = await handle.query("show", result_type=PullRequestState, rpc_timeout=ANSWER_WITHIN)
    except RPCError:
        return known
    facts = state.facts
    return known.model_copy(
        update={
            "title": facts.title if facts else "",
            "author": facts.author if facts else known.author,
            "status": status_of(state) if execution.status is WorkflowExecutionStatus.RUNNING else known.status,
            "head_commit": facts.head_commit if facts else "",
            "active_run": state.active.run_id if state.active else None,
            "plans": len(state.plans),
            "applied": len(state.applied),
            "queued": len(state.queue),
            "url": facts.url if facts else "",
        }
    )


def _status_without(execution: WorkflowExecution) -> str:
    return "idle" if execution.status is WorkflowExecutionStatus.RUNNING else "closed"


def _of(repository: Repository) -> str:
    """By id, which every pull request has from its first moment; search attributes come with its first event."""
    return "WorkflowId STARTS_WITH " + quoted(pull_request_workflow_id(repository, 0).removesuffix("0"))


async def _no_such_pull_request(connection: Connection, repository: Repository, number: int) -> CommandFailed:
    executions = connection.client.list_workflows(f"{_TYPE} AND {_of(repository)}", limit=50)
    known = sorted({int(execution.id.rpartition("#")[2]) for execution in [item async for item in executions]})
    listed = ", ".join(f"#{other}" for other in known[-10:]) if known else "none"
    return CommandFailed(
        f"DocuStack knows no pull request #{number} of {repository.full_name}.",
        f"Known: {listed}." + (" Another repository? Say --repository owner/name." if not known else ""),
        "One that was opened before DocuStack was there is known after its next event: a push, or a comment.",
        code=ExitCode.NOT_FOUND,
    )
