"""Waits for things that happen by themselves: looks again and again, until a deadline."""

import time
from collections.abc import Callable
from typing import TypeVar

T = TypeVar("T")

EVERY = 0.1
_SLOWER = 1.05


class NotThere(Exception):
    """Something that was waited for did not come in time; the message says what, and what was there instead."""


def wait_for(
    look: Callable[[], T | None],
    what: str,
    seconds: float,
    *,
    every: float = EVERY,
    at_last_every: float = 0.0,
    found_instead: Callable[[], str] | None = None,
) -> T:
    """The first thing that `look` finds; it looks less and less often where `at_last_every` is more than `every`.

    Raises:
        NotThere: nothing was found within `seconds`.
    """
    until, pause = time.monotonic() + seconds, every
    while True:
        found = look()
        if found:
            return found
        if time.monotonic() > until:
            instead = f"; {found_instead()}" if found_instead else ""
            raise NotThere(f"{what}: not there after {seconds:.0f} s{instead}")
        time.sleep(pause)
        pause = max(every, min(pause * _SLOWER, at_last_every))
