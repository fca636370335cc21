"""The steps of setup in order, each made only when what it was made from has changed."""

import json
import os
from collections.abc import Sequence
from pathlib import Path
from typing import Protocol

from toolchain.progress import Progress


class Step(Protocol):
    """One thing that setup puts in place."""

    name: str

    def source(self) -> str:
        """What it is made from; a change of this text makes it anew."""

    def is_whole(self) -> bool:
        """Whether what it made is still there."""

    def check(self) -> None:
        """Raises `SetupError` where something that `make` needs is missing; changes nothing."""

    def make(self, progress: Progress) -> None:
        """Makes it, so that an interruption leaves either the old or the new, or what a next `make` mends."""


def write_whole(path: Path, text: str, mode: int = 0o644) -> None:
    """Writes a file such that nobody ever sees half of it."""
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = path.with_name(f".{path.name}.{os.getpid()}")
    temporary.write_text(text)
    temporary.chmod(mode)
    temporary.replace(path)


class Record:
    """Which step was made from what, kept beside the tools."""

    def __init__(self, path: Path) -> None:
        self._path = path
        try:
            self._made: dict[str, str] = json.loads(path.read_text())
        except (FileNotFoundError, ValueError):
            self._made = {}

    def is_current(self, step: Step) -> bool:
        return self._made.get(step.name) == step.source() and step.is_whole()

    def note(self, step: Step) -> None:
        self._made[step.name] = step.source()
        write_whole(self._path, json.dumps(self._made, indent=2) + "\n")


def bring_up_to_date(steps: Sequence[Step], record: Record, progress: Progress) -> int:
    """Makes what isn't current, and returns how many steps that were.

    All prerequisites are checked before the first step, so that a missing one leaves nothing half done.
    """
    for step in steps:
        if not record.is_current(step):
            step.check()
    made = 0
    for step in steps:
        if record.is_current(step):
            continue
        with progress.step(step.name):
            step.make(progress)
            record.note(step)
        made += 1
    return made
