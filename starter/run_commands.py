"""`docustack runs`: which runs there are and were, one of them whole, and one as it goes on."""

from enum import StrEnum
from typing import Annotated

import typer

from docustack.runs import RunStatus
from starter.answers import RunDetail
from starter.bootstrap_watching import ENDED_WELL, PREFIX, follow_bootstrap
from starter.client import Connection, with_temporal
from starter.console import errors, output, print_json
from starter.exit_codes import CommandFailed, ExitCode
from starter.found_runs import REMEMBERED, RunFilter, find_run, list_runs, nearest_names, read_run
from starter.history.imported_runs import read_imported, with_imported
from starter.options import JsonOption, RepositoryOption
from starter.run_display import run_page, runs_table
from starter.run_following import follow_run
from starter.standalone.resting import of_run
from starter.standalone.surrounding import standalone
from starter.surroundings import repository_named

app = typer.Typer(
    name="runs", help="Show plans and applies: those that go on, and those that ended.", no_args_is_help=True
)

RunId = Annotated[str, typer.Argument(metavar="ID", help="The run's id, or its first characters.")]


class ShownStatus(StrEnum):
    """How a run can stand."""

    RUNNING = RunStatus.RUNNING.value
    WAITING = RunStatus.WAITING.value
    IN_LINE = RunStatus.IN_LINE.value
    SUCCEEDED = RunStatus.SUCCEEDED.value
    FAILED = RunStatus.FAILED.value
    REFUSED = RunStatus.REFUSED.value
    CANCELLED = RunStatus.CANCELLED.value
    TERMINATED = "terminated"
    TIMED_OUT = "timed-out"


@app.command("list")
def list_(
    environment: Annotated[str | None, typer.Option("--environment", "-e", help="Runs that touch it.")] = None,
    unit: Annotated[str | None, typer.Option("--unit", "-u", help="Runs that touch it, by its path.")] = None,
    pull_request: Annotated[int | None, typer.Option("--pull-request", "-p", min=1, help="Runs of it.")] = None,
    status: Annotated[ShownStatus | None, typer.Option("--status", "-s", help="Runs that stand so.")] = None,
    actor: Annotated[str | None, typer.Option("--actor", "-a", help="Runs of this login.")] = None,
    repository: RepositoryOption = None,
    limit: Annotated[int, typer.Option("--limit", "-n", min=1, max=1_000, help="At most so many.")] = 20,
    as_json: JsonOption = False,
) -> None:
    """List runs, the newest first.

    Of a run of very many units only the first ones can be found by --unit: Temporal's index holds no more.
    """
    chosen = repository_named(repository) if repository else None
    wanted = RunFilter(
        environment=environment,
        unit=unit.strip("/") if unit else None,
        pull_request=pull_request,
        status=status.value if status else None,
        actor=actor,
        repository=chosen.full_name if chosen else None,
    )
    runs = with_temporal(lambda connection: list_runs(connection, wanted, limit), waiting="Asking Temporal for runs…")
    runs = with_imported(runs, wanted, limit)
    if as_json:
        print_json({"runs": [run.model_dump(mode="json") for run in runs]})
    elif runs:
        output().print(runs_table(runs))
        if len(runs) == limit:
            errors().print(f"These are the newest {limit}; --limit shows more.", style="dim")
    else:
        errors().print("No run is like that." if wanted != RunFilter() else "There are no runs yet.")
        if wanted.names:
            everything = RunFilter(repository=wanted.repository)
            known = with_temporal(lambda connection: list_runs(connection, everything, REMEMBERED))
            for hint in nearest_names(wanted, known):
                errors().print(hint, style="dim")


@app.command()
def show(run_id: RunId, as_json: JsonOption = False) -> None:
    """Show one run: what it is, how it stands, and each of its units."""

    async def read(connection: Connection) -> RunDetail:
        return await read_run(connection, await find_run(connection, run_id))

    try:
        detail = with_temporal(read, waiting="Asking the worker for the run…")
    except CommandFailed as failed:
        imported = read_imported(run_id) if failed.code == ExitCode.NOT_FOUND else None
        if imported is None:
            raise
        detail = imported
    if as_json:
        print_json(detail.model_dump(mode="json"))
    else:
        output().print(run_page(detail))


@app.command("watch")
def watch_(run_id: RunId, as_json: JsonOption = False) -> None:
    """Follow a run to its end: waves, units, phases, time. Ctrl-C stops watching, never the run.

    A bootstrap is followed too, by its workflow id: `bootstrap:111111111111`.
    Exit codes: 0 it succeeded, 1 it ended otherwise. Where nobody looks (a pipe, a log) each change is a line.
    """
    standalone.take_up(of_run(run_id))
    standalone.surround(engine=True)  # what is watched has to go on
    if run_id.startswith(PREFIX):
        if follow_bootstrap(run_id, as_json=as_json).end not in ENDED_WELL:
            raise typer.Exit(ExitCode.FAILED)
        return

    detail = with_temporal(lambda connection: follow_run(connection, run_id, as_json=as_json))
    if detail.run.status != RunStatus.SUCCEEDED:
        raise typer.Exit(ExitCode.FAILED)
