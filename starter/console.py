"""What commands write: results on standard output, everything else (progress, warnings, failures) on standard error."""

import json
import sys

from rich.console import Console
from rich.text import Text

_WIDE = 1_000


def output() -> Console:
    """Where results go; into a pipe or a file each row of a table is one line, as wide as it has to be.

    What is printed is data, names of units with brackets among it, so no text is read as markup: styles are `Text`.
    """
    if sys.stdout.isatty():
        return Console(highlight=False, markup=False, emoji=False)
    return Console(highlight=False, markup=False, emoji=False, soft_wrap=True, width=_WIDE)


def errors() -> Console:
    return Console(stderr=True, highlight=False, markup=False, emoji=False, soft_wrap=True)


def print_json(value: object) -> None:
    """One document on standard output, and nothing else."""
    sys.stdout.write(json.dumps(value, indent=2, ensure_ascii=False) + "\n")
    sys.stdout.flush()


def print_json_line(value: object) -> None:
    """One line of JSON at once, for who reads along."""
    sys.stdout.write(json.dumps(value, ensure_ascii=False) + "\n")
    sys.stdout.flush()


def print_failure(message: str, advice: tuple[str, ...] = ()) -> None:
    """What went wrong, then what to do about it."""
    shown = Text.assemble(("error: ", "red"), message)
    for line in advice:
        shown.append(f"\n  {line}", "cyan")
    errors().print(shown)
