"""The worker process: polls the task queues of its settings until SIGTERM or Ctrl-C."""

import asyncio
import logging
import signal
from collections.abc import Callable
from datetime import timedelta

from worker.clients import connect_temporal
from worker.log_lines import configure_logging
from worker.settings import Settings
from worker.wiring import run_worker

log = logging.getLogger("docustack.worker")

TO_FINISH = timedelta(minutes=1)
"""For what comes after an interrupted Terraform has ended: reading how, and telling it."""

_RETRY_EVERY = 2.0


def work(settings: Settings, leave: Callable[[int], None]) -> None:
    """Run until told to stop; Temporal may come up later than we do.

    `leave` ends the process, whatever it does: what is applied then goes on, and the next worker here attends it.
    """
    configure_logging(settings)
    asyncio.run(_work(settings, leave))


async def _work(settings: Settings, leave: Callable[[int], None]) -> None:
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    ends_within = settings.shutdown_grace + settings.cancel_grace + TO_FINISH

    def too_late() -> None:
        log.error("Not everything has ended within %s; it is left to the next worker of this host", ends_within)
        leave(1)

    def told_to_stop() -> None:
        if stop.is_set():
            log.warning("Told to stop again: what runs is left to the next worker of this host")
            leave(1)
        log.info("Told to stop: takes no new work, and ends within %s", ends_within)
        loop.call_later(ends_within.total_seconds(), too_late)
        stop.set()

    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, told_to_stop)
    while not stop.is_set():
        try:
            client = await connect_temporal(settings)
        except RuntimeError as error:
            log.warning("Temporal at %s doesn't answer yet: %s", settings.temporal_address, error)
            await asyncio.sleep(_RETRY_EVERY)
            continue
        queues = [*(["docustack"] if settings.control_queue else []), *settings.environments]
        log.info("Working for %s on host %s", ", ".join(queues), settings.host)
        await run_worker(settings, client, stop)
