"""What a worker process does when it is told to stop: it drains, within a time that is known beforehand."""

import asyncio
import logging
from collections.abc import Callable
from datetime import timedelta

from worker.settings import Settings

log = logging.getLogger("docustack.worker")

TO_FINISH = timedelta(minutes=1)
"""For what comes after an interrupted Terraform has ended: reading how, and telling it."""


class Stopping:
    """`leave` ends the process whatever it does: what is applied goes on, and the next worker here attends it."""

    def __init__(self, within: timedelta, leave: Callable[[int], None]) -> None:
        self.asked = asyncio.Event()
        self._within = within
        self._leave = leave

    def told(self) -> None:
        """A signal has come; the second one waits for nothing."""
        if self.asked.is_set():
            log.warning("Told to stop again: what runs is left to the next worker of this host")
            self._leave(1)
            return
        log.info("Told to stop: takes no new work, and ends within %s", self._within)
        asyncio.get_running_loop().call_later(self._within.total_seconds(), self._too_late)
        self.asked.set()

    def _too_late(self) -> None:
        log.error("Not everything has ended within %s: it is left to the next worker of this host", self._within)
        self._leave(1)


def ends_within(settings: Settings) -> timedelta:
    """How long a worker takes at most to stop."""
    return settings.shutdown_grace + settings.cancel_grace + TO_FINISH
