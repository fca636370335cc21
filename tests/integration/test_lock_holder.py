"""A file lock is held for as long as a command runs, and not by what the command leaves behind."""

import asyncio
import os
import signal
import sys
from pathlib import Path

from activities import lock_holder
from activities.file_lock import file_lock
from activities.processes import run_process


def held(lock: int, *argv: str) -> list[str]:
    return [sys.executable, "-I", lock_holder.__file__, str(lock), *argv]


async def test_a_process_that_the_command_leaves_behind_keeps_nobody_waiting(tmp_path: Path) -> None:
    left = tmp_path / "left"
    async with file_lock(tmp_path / "lock") as lock:
        # Its outputs are its own, as a plugin's are: else we would wait for them.
        script = f"sleep 600 >/dev/null 2>&1 & echo $! >{left}"
        done = await run_process(held(lock, "sh", "-c", script), lock=lock)
    assert done.code == 0
    try:
        async with asyncio.timeout(10), file_lock(tmp_path / "lock"):
            os.kill(int(left.read_text()), 0)  # it lives
    finally:
        os.kill(int(left.read_text()), signal.SIGKILL)


async def test_the_command_holds_it_when_who_began_it_is_gone(tmp_path: Path) -> None:
    waits = tmp_path / "go-on"
    os.mkfifo(waits)
    async with file_lock(tmp_path / "lock") as lock:
        process = await asyncio.create_subprocess_exec(*held(lock, "cat", str(waits)), pass_fds=(lock,))
    taken = asyncio.create_task(_take(tmp_path / "lock"))
    with waits.open("w"):  # opened only once the command reads from it
        assert not taken.done()
    assert await process.wait() == 0
    await asyncio.wait_for(taken, 10)


async def test_the_exit_code_is_the_commands_own(tmp_path: Path) -> None:
    async with file_lock(tmp_path / "lock") as lock:
        done = await run_process(held(lock, "sh", "-c", "echo said; exit 3"), lock=lock)
    assert (done.code, done.stdout) == (3, "said\n")


async def _take(path: Path) -> None:
    async with file_lock(path):
        pass
