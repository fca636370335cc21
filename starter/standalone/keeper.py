"""The process that keeps a standalone installation running while commands use it, and ends it with the last of them.

`python -m starter.standalone.keeper FOLDER COMMAND [--engine]`, with the settings of the command that started it.
"""

import contextlib
import os
import signal
import sys
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from types import FrameType
from typing import TextIO

from docustack.errors import DocuStackError
from local import processes
from local.state import free_ports, is_free
from local.waiting import NotThere, wait_for
from starter.exit_codes import CommandFailed
from starter.standalone.database import check_database
from starter.standalone.folder import Folder, Remembered
from starter.standalone.parts import ENGINE, PORTS, Part, make_engine, make_temporal
from starter.standalone.settings import digests
from starter.times import now
from worker.settings import variable

_EVERY = 0.2
_READY_WITHIN = 120.0
_STARTS = 3
"""A port that was free when it was chosen may be taken when it is used."""

_AGAIN_AFTER = 5.0
_DRAINS_WITHIN = 3.0
"""For what ends by itself; an apply isn't waited for: it goes on, and the next worker finds it."""


class Unused(Exception):
    """The last command has ended, or somebody has told the keeper to end."""


class StartFailed(DocuStackError):
    """A part didn't come up; the message has the end of its log."""


class Keeper:
    """One process of a folder at a time."""

    def __init__(self, folder: Folder, environ: Mapping[str, str], command: str, *, engine: bool) -> None:
        self._folder = folder
        self._environ = environ
        self._engine = engine
        self._unused: TextIO | None = None
        self._told = False
        self._made: dict[str, Part] = {}
        self._started: dict[str, float] = {}
        known = folder.read() or Remembered()
        end_parts(known)  # those of a keeper that was killed
        self.known = known.model_copy(
            update={
                "keeper": processes.this_process(folder.log("keeper")),
                "began_at": now(),
                "command": command,
                "engine": engine,
                "has_temporal": False,
                "settings": digests(environ, known.approval_key),
                "is_ready": False,
                "is_ending": False,
                "failure": "",
                "advice": (),
                "parts": {},
            }
        )
        if engine:
            self.known.repositories = _words(environ[variable("repositories")])
            self.known.environments = _words(environ[variable("environments")])
        folder.write(self.known)

    def told(self, _number: int, _frame: FrameType | None) -> None:
        self._told = True

    def keep(self) -> None:
        """Until nobody uses it any more, or a part can't be started."""
        try:
            self._start_all()
            while not self._nobody_uses_it():
                self._start_ended()
                time.sleep(_EVERY)
        except Unused:
            pass
        except DocuStackError as error:
            self.known.failure = str(error)
            self.known.advice = error.advice if isinstance(error, CommandFailed) else ()
        finally:
            self.known.is_ending = True
            self._folder.write(self.known)
            end_parts(self.known)

    def _start_all(self) -> None:
        self._start_temporal()
        if self._engine:
            self._await_word()
            parts = make_engine(self._folder, self.known, self._environ)
            for part in parts:
                self._start(part)
            for part in parts:
                self._await(part)
        self.known.is_ready = True
        self._folder.write(self.known)

    def _await_word(self) -> None:
        """A worker goes on with all that rests: a command looks at it first, and asks its person."""
        self.known.has_temporal = True
        self._folder.write(self.known)
        assert self.known.keeper is not None
        while not self._folder.may_go_on(self.known.keeper):
            if self._nobody_uses_it():
                raise Unused
            self._start_ended()
            time.sleep(_EVERY)

    def _start_temporal(self) -> None:
        check_database(self._folder.database)
        for attempt in range(_STARTS):
            kept = {name: self.known.ports.get(name, 0) for name in PORTS}
            self.known.ports = kept | free_ports(name for name, port in kept.items() if not port or not is_free(port))
            part = make_temporal(self._folder, self.known, self._environ)
            self._start(part)
            try:
                self._await(part)
            except StartFailed as error:
                if "address already in use" in str(error) and attempt < _STARTS - 1:
                    continue
                raise
            return

    def _start(self, part: Part) -> None:
        self._made[part.name] = part
        self._started[part.name] = time.monotonic()
        self.known.parts[part.name] = processes.start(
            part.command, environment=part.environment, directory=Path.cwd(), log=self._folder.log(part.name)
        )
        self._folder.write(self.known)

    def _await(self, part: Part) -> None:
        process = self.known.parts[part.name]

        def look() -> bool:
            if self._nobody_uses_it():
                raise Unused
            if not processes.is_alive(process):
                raise NotThere(f"{part.name} has ended by itself")
            return part.is_ready(process.pid)

        try:
            wait_for(look, f"{part.name} to be ready", _READY_WITHIN)
        except NotThere as error:
            last = processes.tail(process.log) or "(nothing)"
            raise StartFailed(f"{error}. Its log, {process.log}, ends with:\n{last}") from error

    def _start_ended(self) -> None:
        """A part that has crashed is started again; what it did goes on, as after any crash."""
        for name, process in list(self.known.parts.items()):
            if not processes.is_alive(process) and time.monotonic() - self._started[name] > _AGAIN_AFTER:
                sys.stderr.write(f"{name} has ended by itself, and is started again\n")
                self._start(self._made[name])

    def _nobody_uses_it(self) -> bool:
        self._unused = self._unused or self._folder.take_from_users()
        return self._told or self._unused is not None


def end_parts(known: Remembered) -> None:
    """The worker first, and Temporal last; an apply that works goes on under its own runner."""
    for name in (*ENGINE, "temporal"):
        process = known.parts.get(name)
        if process is None or not processes.is_alive(process):
            continue
        if name == "worker":
            _end_worker(process)
        else:
            processes.stop(process)


def _end_worker(process: processes.Process) -> None:
    """Told once it drains, told twice it leaves what runs to the next one."""
    for _ in range(2):
        processes.tell(process, signal.SIGTERM)
        with contextlib.suppress(NotThere):
            wait_for(lambda: not processes.is_alive(process), "end of the worker", _DRAINS_WITHIN)
            return
    processes.kill(process)


def _words(value: str) -> tuple[str, ...]:
    return tuple(word for word in value.split(",") if word)


def main(arguments: Sequence[str]) -> int:
    """Exit code 0 also where another keeper was faster: the command finds that one."""
    folder = Folder(Path(arguments[0]))
    with folder.kept() as alone:
        if not alone:
            return 0
        keeper = Keeper(folder, dict(os.environ), arguments[1], engine="--engine" in arguments[2:])
        for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
            signal.signal(number, keeper.told)
        keeper.keep()
        return 1 if keeper.known.failure else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
