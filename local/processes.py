"""Processes of the local world: started in sessions of their own, known again later, ended gracefully."""

import contextlib
import os
import signal
import subprocess
import threading
import time
from collections.abc import Collection, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path

from pydantic import BaseModel

from local.waiting import NotThere, wait_for

KILL_AFTER = 30.0
"""Seconds a process gets to end by itself: a worker gives its activities twenty."""

_INTERRUPTIONS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)

_started: dict[int, subprocess.Popen[bytes]] = {}
"""Our own children: only we can take their exit codes."""


class Process(BaseModel):
    """One process, told from a later one that got the same id by its start."""

    pid: int
    started: int  # in clock ticks since boot
    boot: str
    log: Path


def start(command: Sequence[str], *, environment: Mapping[str, str], directory: Path, log: Path) -> Process:
    """Start a process that outlives this one; what it writes is appended to its log."""
    log.parent.mkdir(parents=True, exist_ok=True)
    with log.open("ab") as output:
        child = subprocess.Popen(
            command,
            cwd=directory,
            env=dict(environment),
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )
    _started[child.pid] = child
    return Process(pid=child.pid, started=_start_of(child.pid) or 0, boot=_boot(), log=log)


def is_alive(process: Process) -> bool:
    """Whether exactly that process lives: not a zombie, not another one with its id, not one of before a reboot."""
    child = _started.get(process.pid)
    if child is not None and child.poll() is not None:
        del _started[process.pid]
    return process.boot == _boot() and _start_of(process.pid) == process.started


def this_process(log: Path) -> Process:
    """The one that asks."""
    return Process(pid=os.getpid(), started=_start_of(os.getpid()) or 0, boot=_boot(), log=log)


def stop(process: Process, seconds: float = KILL_AFTER) -> bool:
    """End a process, gracefully while that is possible. False where it had to be killed."""
    if not is_alive(process):
        return True
    tell(process, signal.SIGTERM)
    try:
        wait_for(lambda: not is_alive(process), f"end of process {process.pid}", seconds)
    except NotThere:
        kill(process)
        return False
    return True


def kill(process: Process) -> None:
    """End a process at once, as a crash would."""
    tell(process, signal.SIGKILL)
    wait_for(lambda: not is_alive(process), f"end of the killed process {process.pid}", 10)


def end_marked(mark: str, seconds: float, besides: Collection[int] = ()) -> int:
    """End every process that has `mark`, as `NAME=value`, in its environment; gives how many had to be killed.

    Those in `besides` stay, and what they have started in their own sessions.

    An apply outlives its worker on purpose; when its world ends, it has nothing left to talk to. Only leaders of
    sessions are asked to end: they know how to end what they started.
    """
    found = _marked(mark, besides)
    for pid in found:
        with contextlib.suppress(ProcessLookupError):
            if os.getsid(pid) == pid:
                os.kill(pid, signal.SIGTERM)
    until = time.monotonic() + seconds
    while found and time.monotonic() < until:
        time.sleep(0.1)
        found = _marked(mark, besides)
    for pid in found:
        with contextlib.suppress(ProcessLookupError):
            os.kill(pid, signal.SIGKILL)
    return len(found)


@contextmanager
def undisturbed() -> Iterator[None]:
    """No second Ctrl-C, and no closed terminal, interrupts the block and leaves something running."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    before = {number: signal.signal(number, signal.SIG_IGN) for number in _INTERRUPTIONS}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def tail(log: Path, lines: int = 20) -> str:
    """The end of a log, for a message about what went wrong."""
    if not log.is_file():
        return ""
    with log.open("rb") as file:
        file.seek(max(0, log.stat().st_size - 20_000))
        return "\n".join(file.read().decode(errors="replace").splitlines()[-lines:])


def tell(process: Process, number: signal.Signals) -> None:
    """Send it a signal, and never to another one that has got its id."""
    with contextlib.suppress(ProcessLookupError):
        if is_alive(process):
            os.kill(process.pid, number)


def _pids() -> list[int]:
    return [int(entry.name) for entry in Path("/proc").iterdir() if entry.name.isdigit()]


def _marked(mark: str, besides: Collection[int]) -> list[int]:
    """The living processes of this user that have `mark` in their environment, and that nobody in `besides` leads."""
    return [
        pid for pid in _pids() if pid != os.getpid() and _is_marked(pid, mark.encode()) and _session(pid) not in besides
    ]


def _session(pid: int) -> int:
    try:
        return os.getsid(pid)
    except ProcessLookupError:
        return pid


def _is_marked(pid: int, mark: bytes) -> bool:
    try:
        environment = (Path("/proc") / str(pid) / "environ").read_bytes().split(b"\0")
    except OSError:
        return False
    return mark in environment and _start_of(pid) is not None


def _start_of(pid: int) -> int | None:
    """Since when a process lives; None where there is none, or only its zombie."""
    try:
        # The name in brackets may hold anything, brackets too.
        fields = (Path("/proc") / str(pid) / "stat").read_text().rpartition(")")[2].split()
    except (FileNotFoundError, ProcessLookupError):
        return None
    return None if fields[0] in ("Z", "X") else int(fields[19])


def _boot() -> str:
    return Path("/proc/sys/kernel/random/boot_id").read_text().strip()
