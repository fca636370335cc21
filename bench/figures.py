"""What a benchmark measures: a figure, its goal, and what was found; printed as a table and kept as JSON."""

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from statistics import median

from rich.console import Console
from rich.table import Table


@dataclass(frozen=True)
class Goal:
    """What a figure has to reach: at most a value, or at least one."""

    value: float
    at_least: bool = False

    def holds(self, found: float) -> bool:
        return found >= self.value if self.at_least else found <= self.value

    def __str__(self) -> str:
        return f"{'≥' if self.at_least else '≤'} {self.value:g}"


@dataclass(frozen=True)
class Found:
    """A figure's value, and beside it what it was made from, for who wants to judge it: a name and a text each."""

    value: float
    made_from: Mapping[str, str]


@dataclass(frozen=True)
class Figure:
    """One figure of `make bench`."""

    name: str
    says: str
    unit: str
    goal: Goal
    measure: Callable[[Console], Found]


def ratio_of_medians(ours: Sequence[float], bare: Sequence[float], what: str) -> Found:
    """How many times as long ours took as the bare tool, each measured in turn; seconds."""
    return Found(
        median(ours) / median(bare),
        {f"DocuStack, {what}": _seconds(ours), f"bare Terragrunt, {what}": _seconds(bare)},
    )


def _seconds(times: Sequence[float]) -> str:
    return f"median {median(times):.2f} s of {', '.join(f'{time:.2f}' for time in times)}"


def show(console: Console, found: Mapping[Figure, Found]) -> None:
    """The table, and below it what each value was made from."""
    table = Table("figure", "value", "goal", "holds", "what it says", box=None, padding=(0, 2, 0, 0))
    for figure, result in found.items():
        holds = "[green]yes[/green]" if figure.goal.holds(result.value) else "[red]no[/red]"
        table.add_row(figure.name, f"{result.value:.2f}", str(figure.goal), holds, figure.says)
    console.print(table)
    for result in found.values():
        for name, text in result.made_from.items():
            console.print(f"{name}: {text}", highlight=False, markup=False)


def keep(path: Path, found: Mapping[Figure, Found]) -> None:
    """Write the figures, beside those that an earlier call has measured and this one hasn't."""
    path.parent.mkdir(parents=True, exist_ok=True)
    known = json.loads(path.read_text()) if path.is_file() else {}
    for figure, result in found.items():
        known[figure.name] = {
            "value": round(result.value, 3),
            "goal": figure.goal.value,
            "unit": figure.unit,
            "holds": figure.goal.holds(result.value),
        }
    path.write_text(json.dumps(known, indent=2) + "\n")
