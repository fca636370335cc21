"""Short processes end with everything they have started, whatever ends them."""

import asyncio
import os
import time
from datetime import timedelta
from pathlib import Path

import pytest

from activities.processes import run_process

WAITS = ["/bin/sh", "-c", "sleep 600 & echo $! > child; wait"]


def lives(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False


async def gone(noted: Path) -> None:
    """A killed process takes a moment to go."""
    pid = int(noted.read_text())  # noqa: ASYNC240 - a test
    until = time.monotonic() + 5
    while lives(pid):
        assert time.monotonic() < until, "it lives on"
        await asyncio.sleep(0.02)


async def test_both_outputs_and_the_exit_code_come_back() -> None:
    done = await run_process(["/bin/sh", "-c", "echo out; echo err >&2; exit 3"])
    assert (done.code, done.stdout, done.stderr) == (3, "out\n", "err\n")


async def test_standard_input_is_closed_and_the_environment_is_the_given_one(tmp_path: Path) -> None:
    done = await run_process(["/bin/sh", "-c", "cat; echo $GIVEN $HOME"], cwd=tmp_path, environ={"GIVEN": "this"})
    assert done.stdout == "this\n"


async def test_a_process_out_of_time_ends_with_its_children(tmp_path: Path) -> None:
    with pytest.raises(TimeoutError):
        await run_process(WAITS, cwd=tmp_path, timeout=timedelta(seconds=0.5), grace=timedelta(seconds=0.5))
    await gone(tmp_path / "child")


async def test_a_cancelled_process_ends_with_its_children(tmp_path: Path) -> None:
    task = asyncio.create_task(run_process(WAITS, cwd=tmp_path, environ=os.environ, grace=timedelta(seconds=0.5)))
    until = time.monotonic() + 10
    while not (tmp_path / "child").exists() or not (tmp_path / "child").read_text():
        assert time.monotonic() < until
        await asyncio.sleep(0.02)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    await gone(tmp_path / "child")
