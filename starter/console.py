"""What commands write: results on standard output, everything else (progress, warnings, failures) on standard error."""

import json
import sys

from rich.console import Console
from rich.text import Text


def output() -> Console:
    """Where results go; text that doesn't fit a narrow screen is wrapped, and never cut where nobody looks."""
    return Console(highlight=False, soft_wrap=not sys.stdout.isatty())


def errors() -> Console:
    return Console(stderr=True, highlight=False, soft_wrap=True)


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
