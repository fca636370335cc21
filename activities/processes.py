"""Runs one short child process to its end: no terminal, a group of its own, ended with everything it started."""

import asyncio
import contextlib
import os
import signal
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path

_GRACE = timedelta(seconds=20)
"""For work that changes nothing: how long it may take to end by itself once it was interrupted."""


@dataclass(frozen=True)
class Finished:
    """How a process ended, and what it wrote; output that went to a log file isn't here."""

    code: int
    stdout: str
    stderr: str


async def run_process(
    argv: Sequence[str],
    *,
    cwd: Path | None = None,
    environ: Mapping[str, str] | None = None,
    log: Path | None = None,
    grace: timedelta = _GRACE,
    timeout: timedelta | None = None,  # noqa: ASYNC109 - the process has to be ended gracefully, not only be left alone
    lock: int | None = None,
) -> Finished:
    """Waits for the end; with `log` both outputs go there, and `lock` is a file lock that the process holds with us.

    Cancelled or out of time (`TimeoutError`) it interrupts the whole group first, and kills what remains after a grace.
    """
    with contextlib.ExitStack() as files:
        to = files.enter_context(log.open("ab")) if log else None
        process = await asyncio.create_subprocess_exec(
            *argv,
            cwd=cwd,
            env=None if environ is None else dict(environ),
            stdin=asyncio.subprocess.DEVNULL,
            stdout=to or asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.STDOUT if to else asyncio.subprocess.PIPE,
            start_new_session=True,
            pass_fds=() if lock is None else (lock,),
        )
    try:
        async with asyncio.timeout(None if timeout is None else timeout.total_seconds()):
            stdout, stderr = await process.communicate()
    except (asyncio.CancelledError, TimeoutError):
        await asyncio.shield(_end(process, grace))
        raise
    return Finished(process.returncode or 0, _text(stdout), _text(stderr))


async def _end(process: asyncio.subprocess.Process, grace: timedelta) -> None:
    """Interrupts, and after the grace kills, the leader and whatever it has left behind in its group."""
    _signal(process, signal.SIGINT)
    with contextlib.suppress(TimeoutError):
        # Its pipes have to be read on, or it could hang on a full one.
        await asyncio.wait_for(process.communicate(), grace.total_seconds())
    _signal(process, signal.SIGKILL)
    await process.communicate()


def _signal(process: asyncio.subprocess.Process, number: signal.Signals) -> None:
    with contextlib.suppress(ProcessLookupError):
        os.killpg(process.pid, number)


def _text(output: bytes | None) -> str:
    return (output or b"").decode(errors="replace")


async def start_detached(argv: Sequence[str], environ: Mapping[str, str], log: Path) -> None:
    """Starts a process that lives on when this one ends, and doesn't wait for it."""
    with log.open("ab") as to:
        process = await asyncio.create_subprocess_exec(
            *argv,
            env=dict(environ),
            stdin=asyncio.subprocess.DEVNULL,
            stdout=to,
            stderr=asyncio.subprocess.STDOUT,
            start_new_session=True,
        )
    # Its end is told by files; this only keeps it from staying a zombie of ours.
    task = asyncio.get_running_loop().create_task(process.wait())
    _waiting.add(task)
    task.add_done_callback(_waiting.discard)


_waiting: set["asyncio.Task[int]"] = set()
"""The event loop itself keeps only weak references to tasks."""
