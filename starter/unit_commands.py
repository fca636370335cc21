"""`docustack units`: the units of a live repository in a folder, and how they depend on each other."""

from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer
from rich.table import Table
from rich.text import Text

from starter.console import errors, output, print_json
from starter.listed_units import ListedUnits, list_units
from starter.options import JsonOption
from starter.run_display import plain_table
from starter.unit_drawings import as_dot, as_mermaid, as_text

app = typer.Typer(
    name="units", help="Show the units of a live repository, as Terragrunt knows them.", no_args_is_help=True
)

Root = Annotated[Path, typer.Argument(metavar="[PATH]", help="A live repository, or a folder of one.")]


class Format(StrEnum):
    """How a graph is drawn."""

    TEXT = "text"
    DOT = "dot"
    MERMAID = "mermaid"


@app.command("list")
def list_(path: Root = Path(), as_json: JsonOption = False) -> None:
    """List all units with their environment and wave, in the order in which they would be applied."""
    found = _ask(path)
    if as_json:
        print_json(found.model_dump(mode="json"))
        return
    if found.units:
        output().print(_table(found))
    else:
        errors().print(f"There is no unit under {path}.")


@app.command()
def graph(
    path: Root = Path(),
    format_: Annotated[Format, typer.Option("--format", "-f", help="How it is drawn.")] = Format.TEXT,
    as_json: JsonOption = False,
) -> None:
    """Draw which unit depends on which: as text, for Graphviz (dot), or for a Markdown page (mermaid)."""
    found = _ask(path)
    if as_json:
        print_json(found.model_dump(mode="json"))
        return
    drawn = {Format.TEXT: as_text, Format.DOT: as_dot, Format.MERMAID: as_mermaid}[format_](found)
    typer.echo(drawn)


def _ask(path: Path) -> ListedUnits:
    with errors().status("Asking Terragrunt for its units…"):
        found = list_units(path)
    for warning in found.warnings:
        errors().print(Text.assemble(("warning: ", "yellow"), warning))
    return found


def _table(found: ListedUnits) -> Table:
    table = plain_table("WAVE", "ENVIRONMENT", "UNIT", "DEPENDS ON")
    for unit in found.units:
        where = unit.environment or Text("none", "dim")
        table.add_row(str(unit.wave), where, unit.unit, ", ".join(unit.dependencies))
    return table
