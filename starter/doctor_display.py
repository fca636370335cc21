"""How the checks of `docustack doctor` look: a line each, and room for what is not as it should be."""

from collections.abc import Iterable
from itertools import groupby

from rich.console import Console
from rich.table import Table
from rich.text import Text

from docustack.prerequisites import Area, CheckStatus, Prerequisite, Prerequisites
from starter.run_display import plain_table

_WORDS = {
    CheckStatus.OK: Text("ok", "green"),
    CheckStatus.FAILED: Text("FAILED", "bold red"),
    CheckStatus.OPTIONAL: Text("optional", "yellow"),
    CheckStatus.SKIPPED: Text("skipped", "dim"),
}
_MARKS = {CheckStatus.OK: "✓", CheckStatus.FAILED: "✗", CheckStatus.OPTIONAL: "!", CheckStatus.SKIPPED: "-"}
_TITLES = {
    Area.TOOLS: "Tools",
    Area.CONFIGURATION: "Configuration",
    Area.AWS: "AWS",
    Area.GITHUB: "GitHub",
    Area.SLACK: "Slack",
    Area.TEMPORAL: "Temporal",
}
_WITH_ROOM = (CheckStatus.FAILED, CheckStatus.OPTIONAL)
_INDENT = " " * 6
_ANY_WIDTH = 10_000


def show_checks(console: Console, made: Prerequisites) -> None:
    """A table where each of its rows fits on a line, else the lines that fit a small terminal; then the verdict."""
    table = _table(made.checks)
    if console.measure(table, options=console.options.update(width=_ANY_WIDTH)).maximum <= console.width:
        console.print(table)
        for check in made.checks:
            if check.mend and not check.is_ok:
                _print_whole(console, Text.assemble((f"{_name(check)}: ", "bold"), (check.mend, "cyan")))
    else:
        _print_lines(console, made.checks)
    count = len(made.failed)
    told = Text("All that is needed is there.", "green")
    if count:
        told = Text(f"{count} needed check{'' if count == 1 else 's'} failed.", "bold red")
    console.print(told)


def _table(checks: Iterable[Prerequisite]) -> Table:
    table = plain_table("", "CHECK", "FOUND", "NEEDED")
    for check in checks:
        table.add_row(_WORDS[check.status], _name(check), check.found, Text(check.needed, "dim"))
    return table


def _print_lines(console: Console, checks: tuple[Prerequisite, ...]) -> None:
    width = max(len(_name(check)) for check in checks)
    for area, group in groupby(checks, key=lambda check: check.area):
        console.print(Text(_TITLES[area], "bold"))
        for check in group:
            _print_check(console, check, width)


def _print_check(console: Console, check: Prerequisite, width: int) -> None:
    style = _WORDS[check.status].style
    mark = Text(f"  {_MARKS[check.status]} ", style)
    if check.status not in _WITH_ROOM:
        found = Text(" ".join(check.found.split()), "dim" if check.status is CheckStatus.SKIPPED else "")
        console.print(mark + Text(f"{_name(check):{width}}  ") + found, no_wrap=True, overflow="ellipsis")
        return
    console.print(mark + Text(f"{_name(check):{width}}  ", "bold") + _WORDS[check.status])
    for title, told in (("found", check.found), ("needed", check.needed)):
        console.print(_beside(title, told))
    if check.mend:
        _print_whole(console, Text(f"{_INDENT}{check.mend}", "cyan"))


def _beside(title: str, told: str) -> Table:
    """Further lines stand below the first."""
    row = Table.grid(padding=(0, 1, 0, 0))
    row.add_column(width=len(_INDENT) + len("needed:"), no_wrap=True)
    row.add_column(overflow="fold")
    row.add_row(Text(f"{_INDENT}{title}:", "dim"), told)
    return row


def _print_whole(console: Console, command: Text) -> None:
    """As one line, which only the terminal itself breaks: what is copied of it is whole."""
    console.print(command, soft_wrap=True)


def _name(check: Prerequisite) -> str:
    return f"{check.environment}: {check.name}" if check.environment else check.name
