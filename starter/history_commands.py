"""`docustack history`: what workflows did, event by event; kept as files, and taken into another's record."""

from pathlib import Path
from typing import Annotated

import typer

from starter.client import Connection, with_temporal
from starter.console import errors, output, print_json
from starter.exit_codes import CommandFailed, ExitCode
from starter.history.events import event_lines, events_table, histories_table
from starter.history.exporting import Exported, export
from starter.history.listed import HistoryLine, from_record, from_temporal, read_history
from starter.history.manifest import Manifest, read_manifest
from starter.history.opened import entries_at_hand, open_record, unreadable, unreadable_errors
from starter.options import JsonOption
from starter.surroundings import client_settings

app = typer.Typer(
    name="history",
    help="Show what workflows did, event by event; keep their histories as files.",
    no_args_is_help=True,
)

WorkflowId = Annotated[str, typer.Argument(metavar="WORKFLOW_ID", help="As `bootstrap:111111111111`, or a run's id.")]
ImportedOnly = Annotated[bool, typer.Option("--imported", help="Only what was imported; needs no Temporal.")]


@app.command("export")
def export_(
    folder: Annotated[Path, typer.Option("--output", "-o", metavar="FOLDER", help="Made where it isn't there.")],
    workflow_ids: Annotated[
        list[str] | None, typer.Argument(metavar="[WORKFLOW_ID]...", help="As `bootstrap:111111111111`, or a run's id.")
    ] = None,
    all_: Annotated[bool, typer.Option("--all", help="All workflows of the namespace.")] = False,
    as_json: JsonOption = False,
) -> None:
    """Write the whole history of workflows into a folder, as Temporal's own tools read them, with a manifest.

    Exported again into the same folder, only what is new or has gone on is written; nothing is ever removed from it.
    Exit codes: 2 neither --all nor an id, or the folder can't be used, 3 no Temporal answers, 4 there is no such
    workflow.
    """
    if all_ == bool(workflow_ids):
        raise CommandFailed(
            "Which histories? Name workflows, or say --all.", "docustack history list has them.", code=ExitCode.USAGE
        )

    async def work(connection: Connection) -> Exported:
        return await export(connection.client, folder, known, workflow_ids or ())

    try:
        folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        known = read_manifest(folder) or Manifest()
        counts = with_temporal(work, waiting="Reading histories…")
    except OSError as error:
        raise CommandFailed(
            f"{error.filename or folder} can't be written: {error.strerror}.",
            "Name another folder with -o; what is exported already stays.",
            code=ExitCode.USAGE,
        ) from error
    if as_json:
        print_json({"folder": str(folder), **vars(counts)})
    else:
        told = f"{counts.new} histories are new, {counts.changed} have gone on, {counts.unchanged} are unchanged"
        output().print(f"{folder}: {told}.")


@app.command("import")
def import_(
    folder: Annotated[Path, typer.Argument(help="The one that `docustack history export` has written.")],
    as_json: JsonOption = False,
) -> None:
    """Take exported histories into the record of this installation, where `history` and `runs` show them as imported.

    They are kept in its artifact store, not in its Temporal, which takes no histories that others have written. Each
    is verified first; if one is not what was exported, none is taken. Imported again, nothing changes.
    Exit codes: 1 a history is wrong (all that are, are named), 2 the folder or the artifact store can't be used.
    """
    settings = client_settings()
    try:
        counts = open_record(settings).take(folder)
    except unreadable_errors() as error:
        raise unreadable(settings, error) from error
    if as_json:
        print_json(vars(counts))
    else:
        output().print(f"{counts.new} histories imported, {counts.unchanged} were there already.")


@app.command("list")
def list_(
    imported: ImportedOnly = False,
    limit: Annotated[int, typer.Option("--limit", "-n", min=1, max=10_000, help="At most so many.")] = 100,
    as_json: JsonOption = False,
) -> None:
    """List the histories there are: those in Temporal and those imported, the newest first."""
    lines: list[HistoryLine] = []
    if not imported:
        lines = with_temporal(lambda connection: from_temporal(connection, limit), waiting="Asking Temporal…")
    there = {(line.workflow_id, line.run_id) for line in lines}
    lines += [line for line in from_record(entries_at_hand(client_settings())) if line.key not in there]
    shown = sorted(lines, key=lambda line: line.started_at, reverse=True)[:limit]
    if as_json:
        print_json({"histories": [line.model_dump(mode="json") for line in shown]})
    elif shown:
        output().print(histories_table(shown))
    else:
        errors().print("There are no histories yet.")


@app.command()
def show(
    workflow_id: WorkflowId,
    run_id: Annotated[str, typer.Option("--run", help="Another than the last of its runs.")] = "",
    imported: ImportedOnly = False,
    as_json: JsonOption = False,
) -> None:
    """Show the events of one workflow; of one that was imported those that were exported.

    With --json as Temporal's own tools print and replay it.
    """
    found = read_history(workflow_id, run_id, imported=imported)
    if as_json:
        print_json(found.history.to_json_dict())
        return
    if found.is_imported:
        errors().print("Imported: it isn't in this Temporal.", style="dim")
    output().print(events_table(event_lines(found.history)))
