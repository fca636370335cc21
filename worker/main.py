"""The worker process: polls the task queues of its settings until SIGTERM or Ctrl-C."""

import asyncio
import logging
import signal
from collections.abc import Callable

from worker.log_lines import configure_logging
from worker.settings import Settings
from worker.stopping import Stopping, ends_within
from worker.temporal_client import connect_temporal
from worker.wiring import run_worker

log = logging.getLogger("docustack.worker")

_RETRY_EVERY = 2.0


def work(settings: Settings, leave: Callable[[int], None]) -> None:
    """Run until told to stop; Temporal may come up later than we do. `leave` ends the process at once."""
    configure_logging(settings)
    asyncio.run(_work(settings, leave))


async def _work(settings: Settings, leave: Callable[[int], None]) -> None:
    stopping = Stopping(ends_within(settings), leave)
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stopping.told)
    while not stopping.asked.is_set():
        try:
            client = await connect_temporal(settings)
        except RuntimeError as error:
            log.warning("Temporal at %s doesn't answer yet: %s", settings.temporal_address, error)
            await asyncio.sleep(_RETRY_EVERY)
            continue
        queues = [*(["docustack"] if settings.control_queue else []), *settings.environments]
        log.info("Working for %s on host %s", ", ".join(queues), settings.host)
        await run_worker(settings, client, stopping.asked)
