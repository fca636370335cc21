"""Runs one command beside the worker and outlives it: `python -I -S runner.py FOLDER`; standard library only.

The folder is all that worker and runner share. The worker writes `command.json`, touches `lease` while it attends,
and writes `cancel` or `drain` to end the work. The runner claims the folder with `runner.json`, writes the command's
output to `log`, its process to `child.json`, and at the end, at once and whole, how it ended to `exit.json`. The
command's environment is the runner's own, so that no credential lies in a file.

The work is ended gracefully when it is cancelled, when its worker stops, when its time is up, when the lease has run
out, and when the runner is told to terminate: as for Ctrl-C, but by a signal to Terraform alone. Terragrunt,
interrupted with it, would pass the signal on a second time after 15 seconds, on which Terraform gives up without
waiting for the resource in hand, and would kill it after 30 (seen with 1.1.3).
"""

import contextlib
import ctypes
import getpass
import json
import os
import select
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from types import FrameType
from typing import NotRequired, TypedDict

POLL_SECONDS = 0.1
_PR_SET_PDEATHSIG = 1
_STARTED = 19  # where /proc/PID/stat has the start, counted from the state


class Command(TypedDict):
    """What the worker asks for (`command.json`)."""

    argv: list[str]
    cwd: str
    interrupt: list[str]  # names of the processes to interrupt first: terraform, tofu
    timeout_seconds: float
    lease_seconds: float
    grace_seconds: float
    credentials_until: NotRequired[float]  # after this time its credentials may end before it could write its state


class Process(TypedDict):
    """A process that can be told from a later one with the same id (`runner.json`, `child.json`)."""

    pid: int
    started: int  # in clock ticks since boot
    boot: str
    host: NotRequired[str]
    user: NotRequired[str]
    at: NotRequired[float]


class Exit(TypedDict):
    """How the command ended (`exit.json`)."""

    code: int  # negative: killed by that signal
    reason: str  # "": by itself; cancelled, drained, timeout, lease, terminated, credentials: interrupted because of it
    killed: bool  # it did not end in time after it was interrupted: its state may need a look
    at: float


def this_process(pid: int | None = None) -> Process:
    """Raises OSError where no such process lives."""
    pid = os.getpid() if pid is None else pid
    return {"pid": pid, "started": _started(pid), "boot": _boot()}


def is_alive(process: Process) -> bool:
    """Whether exactly that process lives still: not another one with its id, nor one of before the last boot."""
    try:
        return process["boot"] == _boot() and process["started"] == _started(process["pid"])
    except (OSError, ValueError, IndexError):
        return False


def write_whole(path: Path, content: object, *, exclusively: bool = False) -> bool:
    """A reader sees all of it or nothing; exclusively: False where somebody was first."""
    beside = path.with_name(f".{path.name}.{os.urandom(4).hex()}")  # two attempts in one process may write at once
    descriptor = os.open(beside, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    with os.fdopen(descriptor, "w") as file:
        json.dump(content, file)
        file.flush()
        os.fsync(file.fileno())
    try:
        if not exclusively:
            beside.replace(path)
            return True
        with contextlib.suppress(FileExistsError):
            path.hardlink_to(beside)
            return True
        return False
    finally:
        beside.unlink(missing_ok=True)


def is_group_alive(leader: Process) -> bool:
    """Whether the group that this process leads has living members, itself or others that have outlived it."""
    if leader["boot"] != _boot():
        return False
    with contextlib.suppress(OSError, ValueError, IndexError):
        if int(_stat(leader["pid"])[_STARTED]) != leader["started"]:
            return False  # a process of somebody else's, to whom the free id was given
    # While a group lives its id is given to no other process, so these are the leader's.
    return bool(group_members(leader["pid"]))


def group_members(pgid: int) -> list[int]:
    """The living processes of a group, zombies left out."""
    members = []
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit():
            with contextlib.suppress(OSError, ValueError, IndexError):
                fields = _stat(int(entry.name))
                if int(fields[2]) == pgid and fields[0] != "Z":
                    members.append(int(entry.name))
    return members


class Runner:
    """One command, from claim to exit file."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._command: Command = json.loads((folder / "command.json").read_text())
        self._deadline = time.monotonic() + self._command["timeout_seconds"]
        self._told_to_end = False
        self._interrupted: set[int] = set()

    def run(self) -> None:
        signal.signal(signal.SIGTERM, self._note)
        signal.signal(signal.SIGINT, self._note)
        signal.signal(signal.SIGHUP, signal.SIG_IGN)
        claim = {**this_process(), "host": socket.gethostname(), "user": getpass.getuser(), "at": time.time()}
        if not write_whole(self._folder / "runner.json", claim, exclusively=True):
            return  # another runner has this folder: the command runs once
        if reason := self._reason_to_end():
            self._leave({"code": 1, "reason": reason, "killed": False, "at": time.time()})
            return  # cancelled before it began
        child = self._start()
        reason = self._attend(child)
        killed = bool(reason) and self._end(child)
        self._end_what_is_left(child.pid)
        self._leave({"code": child.wait(), "reason": reason, "killed": killed, "at": time.time()})

    def _leave(self, exit_: Exit) -> None:
        """Without room on the disk it waits for some, as long as somebody attends: nobody else knows how it ended."""
        while True:
            try:
                write_whole(self._folder / "exit.json", exit_)
            except OSError:
                if self._is_left_alone():
                    raise
                time.sleep(POLL_SECONDS * 10)
            else:
                return

    def _start(self) -> "subprocess.Popen[bytes]":
        parent = os.getpid()

        def follow_the_runner() -> None:
            # A runner that is killed can't fence its command any more, so the command ends with it. Spawned from the
            # main thread, since the signal comes when the spawning *thread* ends.
            ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGINT)
            if os.getppid() != parent:
                os._exit(1)

        descriptor = os.open(self._folder / "log", os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
        with os.fdopen(descriptor, "ab") as log:
            child = subprocess.Popen(
                self._command["argv"],
                cwd=self._command["cwd"],
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                process_group=0,
                preexec_fn=follow_the_runner,  # noqa: PLW1509 - this process has one thread
            )
        with contextlib.suppress(OSError):
            write_whole(self._folder / "child.json", this_process(child.pid))
        return child

    def _attend(self, child: "subprocess.Popen[bytes]") -> str:
        with _ending(child.pid) as ended:
            while child.poll() is None:
                if reason := self._reason_to_end():
                    return reason
                select.select(ended, [], [], POLL_SECONDS)
        return ""

    def _reason_to_end(self) -> str:
        for asked, reason in (("cancel", "cancelled"), ("drain", "drained")):
            if (self._folder / asked).exists():
                return reason
        if self._told_to_end:
            return "terminated"
        if time.monotonic() > self._deadline:
            return "timeout"
        if time.time() > self._command.get("credentials_until", float("inf")):
            return "credentials"
        return "lease" if self._is_left_alone() else ""

    def _is_left_alone(self) -> bool:
        try:
            renewed = (self._folder / "lease").stat().st_mtime
        except FileNotFoundError:
            return True  # somebody has removed the folder: nobody can attend it any more
        return time.time() - renewed > self._command["lease_seconds"]

    def _end(self, child: "subprocess.Popen[bytes]") -> bool:
        """Interrupts, and terminates and kills only after the grace; tells whether it had to."""
        give_up = time.monotonic() + self._command["grace_seconds"]
        while child.poll() is None and time.monotonic() < give_up:
            self._interrupt(child.pid)
            time.sleep(POLL_SECONDS)
        if child.poll() is not None:
            return False
        _signal_group(child.pid, signal.SIGTERM)
        with contextlib.suppress(subprocess.TimeoutExpired):
            child.wait(timeout=10)
        return True

    def _end_what_is_left(self, group: int) -> None:
        """A Terraform whose Terragrunt was killed ends gracefully, too; then nothing that was started stays behind."""
        give_up = time.monotonic() + self._command["grace_seconds"]
        while self._terraforms(group) and time.monotonic() < give_up:
            self._interrupt(group)
            time.sleep(POLL_SECONDS)
        _end_group(group)

    def _terraforms(self, group: int) -> list[int]:
        return [pid for pid in group_members(group) if _name(pid) in self._command["interrupt"]]

    def _interrupt(self, group: int) -> None:
        """Interrupts each Terraform of the group, once: a second signal would make it give up its state."""
        members = group_members(group)
        named = self._terraforms(group)
        # A Terraform behind a script has the name of that; whatever else Terragrunt has started is a hook, or prepares.
        # If it has started nothing at the moment, it is itself the one to interrupt.
        for pid in named or [pid for pid in members if _parent(pid) == group] or [group]:
            if pid not in self._interrupted and not (pid == group and self._interrupted):
                self._interrupted.add(pid)
                with contextlib.suppress(ProcessLookupError):
                    os.kill(pid, signal.SIGINT)

    def _note(self, number: int, frame: FrameType | None) -> None:
        self._told_to_end = True


@contextlib.contextmanager
def _ending(pid: int) -> Iterator[list[int]]:
    """Something to wait on that is ready at once when the process ends; nothing where the kernel has no such thing."""
    with contextlib.ExitStack() as stack:
        ended = []
        with contextlib.suppress(OSError):
            ended.append(os.pidfd_open(pid))
            stack.callback(os.close, ended[0])
        yield ended


def _end_group(group: int) -> None:
    """Nothing that the command started stays behind: a provider, a hook's daemon."""
    for number, seconds in ((signal.SIGTERM, 2.0), (signal.SIGKILL, 2.0)):
        if not group_members(group):
            return
        _signal_group(group, number)
        until = time.monotonic() + seconds
        while group_members(group) and time.monotonic() < until:
            time.sleep(POLL_SECONDS)


def _signal_group(group: int, number: signal.Signals) -> None:
    with contextlib.suppress(ProcessLookupError):
        os.killpg(group, number)


def _name(pid: int) -> str:
    try:
        return Path(f"/proc/{pid}/comm").read_text().strip()
    except OSError:
        return ""


def _parent(pid: int) -> int:
    try:
        return int(_stat(pid)[1])
    except (OSError, ValueError, IndexError):
        return 0


def _stat(pid: int) -> list[str]:
    """The fields of /proc/PID/stat from the state on: the name before it may hold blanks and brackets."""
    return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()


def _started(pid: int) -> int:
    fields = _stat(pid)
    if fields[0] in ("Z", "X"):
        raise ProcessLookupError(pid)
    return int(fields[_STARTED])


def _boot() -> str:
    return Path("/proc/sys/kernel/random/boot_id").read_text().strip()


if __name__ == "__main__":
    Runner(Path(sys.argv[1])).run()
