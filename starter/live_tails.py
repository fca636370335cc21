"""What Terraform says at the moment in one unit of a run, that in focus: the one that has been applied for longest."""

import asyncio
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from docustack.plans import live_log
from docustack.runs import UnitPhase
from starter.answers import RunDetail


@dataclass(frozen=True)
class Focus:
    """A unit that is applied, and Terraform's lines of it so far."""

    unit: str
    lines: tuple[str, ...]


class Tails:
    """Reads the lines of one run; `read` gives a text of the artifact store, None where there is none."""

    def __init__(self, read: Callable[[str], str | None]) -> None:
        self._read = read
        self._unit = ""

    async def look(self, detail: RunDetail) -> Focus | None:
        """The focus moves on only when its unit has ended."""
        applying = [unit.unit for unit in detail.units if unit.phase is UnitPhase.APPLYING]
        if not applying:
            return None
        if self._unit not in applying:
            self._unit = applying[0]
        text = await asyncio.to_thread(self._read, live_log(detail.run.run_id, self._unit))
        return Focus(self._unit, tuple((text or "").splitlines()))


def new_lines(before: Sequence[str], now: Sequence[str]) -> list[str]:
    """What has come since; the text keeps only so many lines, so the first ones may be gone by now."""
    for known in range(min(len(before), len(now)), 0, -1):
        if list(now[:known]) == list(before[len(before) - known :]):
            return list(now[known:])
    return list(now)
