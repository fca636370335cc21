"""`docustack locks`: who holds which unit, who waits for it, and how it is given up."""

import difflib
from datetime import timedelta
from typing import Annotated

import typer
from rich.table import Table
from rich.text import Text
from temporalio.service import RPCError, RPCStatusCode

from docustack.lock_messages import locks_workflow_id
from docustack.locks import LockTable
from docustack.repository import Repository
from starter.answers import LockLine, WaitingLine
from starter.client import ANSWER_WITHIN, Connection, is_away, with_temporal
from starter.comment_commands import connect_github
from starter.console import errors, output, print_json
from starter.exit_codes import CommandFailed, ExitCode
from starter.found_pull_requests import no_worker, read_pull_request
from starter.options import JsonOption, RepositoryOption
from starter.run_display import plain_table
from starter.surroundings import repository_named, repository_wanted
from starter.times import ago

_AHEAD_SHOWN = 5
_ENDS_WITHIN = timedelta(minutes=2)
_ASKING = "Asking for the table of locks…"

app = typer.Typer(
    name="locks", help="Show who holds units and who waits for them, and release them.", no_args_is_help=True
)


Unit = Annotated[str, typer.Argument(help="The unit's path, as `dev/us-east-1/vpc`.")]


@app.command("list")
def list_(repository: RepositoryOption = None, as_json: JsonOption = False) -> None:
    """List the units that are held, since when and by whom, and the queue behind them.

    Without one repository that can be meant, those of all repositories.
    """
    chosen = repository_named(repository)

    async def read(connection: Connection) -> list[tuple[str, LockTable]]:
        names = [chosen] if chosen else await _all_repositories(connection)
        return [(name.full_name, await _read_table(connection, name)) for name in names]

    tables = with_temporal(read, waiting=_ASKING)
    held = [line for name, table in tables for line in held_lines(name, table)]
    waiting = [line for name, table in tables for line in waiting_lines(name, table)]
    if as_json:
        locks = [line.model_dump(mode="json") for line in held]
        print_json({"locks": locks, "waiting": [line.model_dump(mode="json") for line in waiting]})
        return
    if held:
        output().print(_held_table(held))
    else:
        errors().print("No unit is locked." + (f" ({chosen.full_name})" if chosen else ""))
    if waiting:
        output().print("", _waiting_table(waiting))


@app.command()
def show(unit: Unit, repository: RepositoryOption = None, as_json: JsonOption = False) -> None:
    """Show who holds a unit, since when, and who waits for it.

    Exit codes: 0 it is held, 3 Temporal or a worker doesn't answer, 4 nobody holds it.
    """
    line, waiting = _held(repository_wanted(repository), unit)
    if as_json:
        print_json(line.model_dump(mode="json") | {"line": [one.model_dump(mode="json") for one in waiting]})
        return
    output().print(_held_table([line]))
    if waiting:
        output().print("", _waiting_table(waiting))


@app.command()
def release(unit: Unit, repository: RepositoryOption = None) -> None:
    """Give up a unit for the pull request that holds it: comments `terrateam unlock UNIT` there, as you.

    Its author may, and whoever may apply there. Whoever waits for the unit has their turn then.
    Exit codes: 0 it is free, 1 you may not (and why), 2 no token of yours is known, 3 no answer in time, 4 nobody
    holds it.
    """
    chosen = repository_wanted(repository)
    line, _ = _held(chosen, unit)
    if line.pull_request is None:
        raise CommandFailed(
            f"{line.unit} is held by {line.holder}, of no pull request: it lets go when it ends.",
            f"docustack runs cancel {line.holder.removeprefix('run ')} ends it, as it should: an apply at work stops "
            "after the resource in hand.",
        )
    pull_request = line.pull_request
    state = with_temporal(lambda connection: read_pull_request(connection, chosen, pull_request))
    github = connect_github()
    words, fails = f"unlock {line.unit}", f"{line.unit} was not released."
    address = github.carry_out(chosen, pull_request, state, words, within=_ENDS_WITHIN, fails=fails)
    output().print(f"{unit} is free: {line.holder} holds it no more. {address}", markup=False)


def _held(repository: Repository, unit: str) -> tuple[LockLine, list[WaitingLine]]:
    """Who holds a unit, and who waits for it; raises CommandFailed, NOT_FOUND, where nobody holds it."""
    table = with_temporal(lambda connection: _read_table(connection, repository), waiting=_ASKING)
    wanted = unit.strip("/")
    held = {line.unit: line for line in held_lines(repository.full_name, table)}
    if wanted not in held:
        near = difflib.get_close_matches(wanted, held, n=1)
        advice = [f"Did you mean {near[0]}?"] if near else []
        raise CommandFailed(
            f"Nobody holds {wanted!r}.", *advice, "`docustack locks list` shows what is held.", code=ExitCode.NOT_FOUND
        )
    waiting = [line for line in waiting_lines(repository.full_name, table) if wanted in line.units]
    return held[wanted], waiting


def held_lines(repository: str, table: LockTable) -> list[LockLine]:
    """Each unit that is held, and which pull requests want it, in their order."""
    return [
        LockLine(
            repository=repository,
            unit=grant.unit,
            holder=grant.short_name,
            pull_request=grant.pull_request,
            actor=grant.actor,
            since=grant.since,
            token=grant.token,
            waiting=tuple(request.short_name for request in table.queue if grant.unit in request.units),
        )
        for grant in sorted(table.grants.values(), key=lambda grant: grant.unit)
    ]


def waiting_lines(repository: str, table: LockTable) -> list[WaitingLine]:
    """Each request that waits, with its place in line, who holds what it needs, and who comes before it."""
    line = table.line()
    return [
        WaitingLine(
            repository=repository,
            position=line[request.request_id].position,
            requester=request.short_name,
            pull_request=request.pull_request,
            actor=request.actor,
            units=request.units,
            requested_at=request.requested_at,
            blocked_by=tuple(dict.fromkeys(grant.short_name for grant in line[request.request_id].blocked_by)),
            ahead=line[request.request_id].ahead,
        )
        for request in table.queue
    ]


async def _all_repositories(connection: Connection) -> list[Repository]:
    query = "WorkflowType = 'LocksWorkflow' AND ExecutionStatus = 'Running'"
    names = [found.id.removeprefix("locks:") async for found in connection.client.list_workflows(query)]
    return [Repository(owner=owner, name=rest) for owner, _, rest in (name.partition("/") for name in sorted(names))]


async def _read_table(connection: Connection, repository: Repository) -> LockTable:
    handle = connection.client.get_workflow_handle(locks_workflow_id(repository))
    try:
        table: LockTable = await handle.query("table", result_type=LockTable, rpc_timeout=ANSWER_WITHIN)
        if (await handle.describe(rpc_timeout=ANSWER_WITHIN)).close_time is not None:
            _warn_of_the_end(repository)
    except RPCError as error:
        if error.status is RPCStatusCode.NOT_FOUND and "amespace" not in error.message:
            return LockTable()  # nobody has asked for a lock there yet
        if is_away(error) or error.status is RPCStatusCode.FAILED_PRECONDITION:
            raise no_worker(f"the locks of {repository.full_name}") from None
        raise
    return table


def _warn_of_the_end(repository: Repository) -> None:
    """It never ends by itself; one that was terminated still answers, with what it knew at its end."""
    errors().print(
        f"The table of locks of {repository.full_name} was ended from outside. This is what it held then; it is put "
        "together again, from all who hold or wait, as soon as somebody applies or gives up a unit.",
        style="yellow",
        markup=False,
    )


def _held_table(lines: list[LockLine]) -> Table:
    several = len({line.repository for line in lines}) > 1
    table = plain_table("UNIT", *(["REPOSITORY"] if several else []), "HELD BY", "ACTOR", "SINCE", "WAITING")
    for line in lines:
        waiting = ", ".join(f"{place}. {name}" for place, name in enumerate(line.waiting, 1))
        where = [line.repository] if several else []
        table.add_row(line.unit, *where, line.holder, line.actor, ago(line.since), Text(waiting, "yellow"))
    return table


def _waiting_table(lines: list[WaitingLine]) -> Table:
    table = plain_table("PLACE", "WHO", "ACTOR", "WANTS", "SINCE", "HELD BY", "AFTER")
    for line in lines:
        blocking = ", ".join(line.blocked_by)
        before = ", ".join(line.ahead[-_AHEAD_SHOWN:])
        table.add_row(
            str(line.position),
            line.requester,
            line.actor,
            ", ".join(line.units),
            ago(line.requested_at),
            blocking,
            f"…, {before}" if len(line.ahead) > _AHEAD_SHOWN else before,
        )
    return table
