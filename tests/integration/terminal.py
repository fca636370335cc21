"""A person's terminal: `docustack` as they type it, what it writes and how it ends."""

import asyncio
import json
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import pytest

from starter.cli import run


@dataclass(frozen=True)
class Answer:
    """How a command ended, and what it wrote."""

    code: int
    out: str
    err: str

    @property
    def json(self) -> Any:
        return json.loads(self.out)


class Commands:
    """Calls commands as a person would, in this process, where they are fast."""

    def __init__(self, capsys: pytest.CaptureFixture[str]) -> None:
        self._capsys = capsys
        self._out = self._err = ""

    async def __call__(self, *arguments: str) -> Answer:
        self._capsys.readouterr()
        self._out = self._err = ""
        code = await asyncio.to_thread(run, arguments)
        self._read()
        return Answer(code, self._out, self._err)

    async def until_written(self, text: str) -> None:
        """Until the command that is running has written it to standard output."""
        async with asyncio.timeout(120):
            while text not in self._out:
                await asyncio.sleep(0.05)
                self._read()

    def _read(self) -> None:
        written = self._capsys.readouterr()
        self._out += written.out
        self._err += written.err

    async def until(self, true: Callable[[Answer], bool], *arguments: str) -> Answer:
        """Temporal's index follows what happens by some milliseconds."""
        until = time.monotonic() + 20
        while not true(answer := await self(*arguments)):
            assert time.monotonic() < until, f"waited in vain; the last answer: {answer}"
            await asyncio.sleep(0.05)
        return answer
