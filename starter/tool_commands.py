"""`docustack tools` and `docustack version`: what this installation is, and whether it has what it needs."""

import asyncio
import importlib.metadata

import typer
from rich.table import Table
from rich.text import Text

from activities.tool_prerequisites import CheckedTool, check_tools
from starter.console import errors, output, print_json
from starter.exit_codes import ExitCode
from starter.options import JsonOption
from starter.run_display import plain_table
from starter.tool_paths import executable
from worker.settings import Process, Settings

app = typer.Typer(name="tools", help="Check the tools that DocuStack works with.", no_args_is_help=True)

_SHOWN = ("docustack", "temporalio", "pydantic", "typer")


@app.callback()
def _group() -> None:
    """Keeps `check` a word of its own, though it is the only one."""


@app.command()
def check(as_json: JsonOption = False) -> None:
    """Compare each tool with the version that is needed (guide, "Prerequisites"), and say what mends it.

    Exit codes: 0 all that is needed is there, 1 something is missing or too old. The optional ones never fail it.
    """
    settings = Settings.load(Process.CLIENT)
    with errors().status("Asking the tools for their versions…"):
        tools = asyncio.run(check_tools(lambda name: executable(name, settings)))
    if as_json:
        print_json({"ok": _all_well(tools), "tools": [tool.model_dump(mode="json") for tool in tools]})
    else:
        output().print(_table(tools))
        for tool in tools:
            if not tool.ok:
                output().print(_advice(tool))
    if not _all_well(tools):
        raise typer.Exit(ExitCode.FAILED)


def version(as_json: JsonOption = False) -> None:
    """Print the version of DocuStack, and of what it is made with."""
    versions = {name: _version(name) for name in _SHOWN}
    if as_json:
        print_json({"version": versions["docustack"], "packages": versions})
        return
    output().print(f"docustack {versions.pop('docustack')}")
    output().print(", ".join(f"{name} {number}" for name, number in versions.items()), style="dim")


def _all_well(tools: list[CheckedTool]) -> bool:
    return all(tool.ok for tool in tools if tool.needed)


def _table(tools: list[CheckedTool]) -> Table:
    table = plain_table("", "TOOL", "FOUND", "NEEDED", "WHERE")
    for tool in tools:
        mark = Text("ok", "green") if tool.ok else Text("missing", "bold red") if tool.needed else Text("-", "dim")
        if tool.needed and not tool.ok and tool.path:
            mark = Text("wrong", "bold red")
        needed = f">= {tool.minimum}" + ("" if tool.needed else " (optional)")
        table.add_row(mark, tool.name, tool.found or "", needed, tool.path or "")
    return table


def _advice(tool: CheckedTool) -> Text:
    return Text.assemble((f"{tool.name}: ", "bold"), f"{tool.problem} To mend it: ", (tool.mend, "cyan"))


def _version(package: str) -> str:
    try:
        return importlib.metadata.version(package)
    except importlib.metadata.PackageNotFoundError:
        return "unknown"
