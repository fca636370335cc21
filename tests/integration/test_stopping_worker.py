"""A worker process that is told to stop ends by itself, within a time that is known beforehand."""

import asyncio
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

import pytest

from local import state
from local.waiting import wait_for
from worker.settings import Settings
from worker.stopping import Stopping, ends_within

DOCUSTACK = Path(sys.executable).parent / "docustack"


class Worker:
    """One that looks for a Temporal that isn't there yet."""

    def __init__(self, folder: Path) -> None:
        self._log = folder / "worker.log"
        port = state.free_ports(["temporal"])["temporal"]
        settings = {
            "DOCUSTACK_TEMPORAL_ADDRESS": f"127.0.0.1:{port}",
            "DOCUSTACK_DATA_DIR": str(folder),
            "DOCUSTACK_GITHUB_TOKEN": "token",
            "DOCUSTACK_BOT_LOGIN": "docustack[bot]",
        }
        with self._log.open("wb") as output:
            self.process = subprocess.Popen(
                [str(DOCUSTACK), "worker"], env=os.environ | settings, stdout=output, stderr=output
            )
        self.says("doesn't answer yet")

    def says(self, words: str) -> None:
        wait_for(lambda: words in self._log.read_text(), f"{words!r} in its log", 60)

    def tell_to_stop(self) -> None:
        self.process.send_signal(signal.SIGTERM)


@pytest.fixture
def worker(tmp_path: Path) -> Iterator[Worker]:
    worker = Worker(tmp_path)
    yield worker
    worker.process.kill()
    worker.process.wait()


def test_a_worker_that_is_told_to_stop_says_within_which_time_it_ends_and_does(worker: Worker) -> None:
    worker.tell_to_stop()
    worker.says("ends within 0:16:00")
    assert worker.process.wait(60) == 0


# ---- when something doesn't end --------------------------------------------------------------------------------------


async def test_a_worker_that_is_told_twice_waits_for_nothing() -> None:
    codes: list[int] = []
    stopping = Stopping(timedelta(minutes=1), codes.append)
    stopping.told()
    assert stopping.asked.is_set()
    assert codes == []
    stopping.told()
    assert codes == [1]


async def test_a_worker_whose_work_does_not_end_leaves_it_when_the_time_is_over() -> None:
    left = asyncio.get_running_loop().create_future()
    Stopping(timedelta(seconds=0.05), left.set_result).told()
    assert await asyncio.wait_for(left, 60) == 1


def test_the_time_is_that_of_both_graces_and_a_minute() -> None:
    settings = Settings(shutdown_grace=timedelta(minutes=2), cancel_grace=timedelta(minutes=3))
    assert ends_within(settings) == timedelta(minutes=6)
