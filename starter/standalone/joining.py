"""Joins the standalone installation that runs in a folder, or begins one."""

import os
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TextIO

from local import processes
from starter.console import errors
from starter.exit_codes import CommandFailed
from starter.standalone.folder import Folder, Remembered, stop_using
from starter.standalone.keeper import end_parts
from starter.standalone.parts import environment_of_engine, without_proxy
from starter.standalone.settings import FOUND_OUT, digests, engine_environment, wanted_here
from worker.settings import variable

Look = Callable[[Remembered], None]
"""Sees what rests while only Temporal is there. Raises CommandFailed where it must not go on."""

_EVERY = 0.1
_READY_WITHIN = 300.0
_ENDS_WITHIN = 60.0
_READERS_END_WITHIN = 60.0
_IS_NOTICED_WITHIN = 3.0
_STARTS = 3


@dataclass(frozen=True)
class Joined:
    """`users` is open for as long as the installation is needed."""

    users: TextIO
    known: Remembered


def join(folder: Folder, look: Look | None = None) -> Joined:
    """What runs is joined if it can do what is wanted; what only serves readers is waited for.

    With `look`, a worker and the server are wanted: it sees what rests before a worker goes on with it.

    Raises:
        CommandFailed: something is missing or didn't come up, what runs works for something else, or `look` refuses.
        ConfigurationError: a setting or `docustack.yaml` is wrong.
    """
    users = folder.use()
    try:
        known = _running(folder, look)
        if look is not None and not known.engine:
            users.close()
            _await_readers(folder, known)
            return join(folder, look)
        if look is not None:
            compare(known)
    except BaseException:
        if not users.closed and stop_using(users):
            await_end(folder)
        raise
    return Joined(users, known)


def await_end(folder: Folder) -> None:
    """The keeper ends by itself once nobody uses it; that of a killed one is ended here."""
    began = time.monotonic()
    while (known := folder.read()) is not None and _is_kept(known):
        waited = time.monotonic() - began
        if waited > _ENDS_WITHIN or (waited > _IS_NOTICED_WITHIN and not known.is_ending):
            return  # somebody else has come, or the machine is very busy: either way it ends without us
        time.sleep(_EVERY)
    if known is not None:
        end_parts(known)


def _running(folder: Folder, look: Look | None) -> Remembered:
    until, starts = time.monotonic() + _READY_WITHIN, 0
    begun: processes.Process | None = None
    told: processes.Process | None = None
    while True:
        known = folder.read()
        if known is not None and _is_kept(known):
            if _serves(known, engine=look is not None):
                return known
            if look is not None and known.has_temporal and known.keeper != told:
                look(known)
                told = _let_go_on(folder, known)
                until = time.monotonic() + _READY_WITHIN
        elif begun is None or not processes.is_alive(begun):
            if known is not None and begun is not None and known.keeper == begun and known.failure:
                raise CommandFailed(known.failure, *known.advice)
            if starts == _STARTS:
                raise CommandFailed("It didn't start.", f"Its log: {folder.log('keeper')}")
            begun, starts = _begin(folder, known, engine=look is not None), starts + 1
        if time.monotonic() > until:
            raise CommandFailed(f"It wasn't ready within {_READY_WITHIN:.0f} s.", f"Its logs: {folder.path / 'logs'}")
        time.sleep(_EVERY)


def _serves(known: Remembered, *, engine: bool) -> bool:
    """Who only reads needs no worker, and waits for none."""
    return not known.is_ending and (known.is_ready or (known.has_temporal and not engine))


def _let_go_on(folder: Folder, known: Remembered) -> processes.Process | None:
    if known.keeper is not None:
        folder.let_go_on(known.keeper)
    return known.keeper


def _begin(folder: Folder, known: Remembered | None, *, engine: bool) -> processes.Process:
    environ = without_proxy(environment_of_engine())
    if engine:
        wanted = wanted_here(known)
        environ = engine_environment() | {
            variable("repositories"): ",".join(wanted.repositories),
            variable("environments"): ",".join(wanted.environments),
        }
    typed = " ".join(["docustack", *sys.argv[1:]])[:200]
    command = [sys.executable, "-m", "starter.standalone.keeper", str(folder.path), typed]
    return processes.start(
        [*command, *(["--engine"] if engine else [])],
        environment=environ,
        directory=Path.cwd(),
        log=folder.log("keeper"),
    )


def _await_readers(folder: Folder, known: Remembered) -> None:
    until = time.monotonic() + _READERS_END_WITHIN
    while (now := folder.read()) is not None and _is_kept(now) and not now.engine:
        if time.monotonic() > until:
            raise CommandFailed(
                f"{_holder(known)} has the database, and only reads.", "Wait for its end, or end it, and try again."
            )
        time.sleep(_EVERY)


def compare(known: Remembered) -> None:
    """Whether what runs, with the settings of the command that began it, can be used by this one.

    Raises:
        CommandFailed: it works for other repositories or environments.
    """
    wanted = wanted_here(known)
    missing = [
        *({name.lower(): name for name in wanted.repositories}.keys() - {name.lower() for name in known.repositories}),
        *(name for name in wanted.environments if name not in known.environments),
    ]
    if missing:
        raise CommandFailed(
            f"{_holder(known)} works for {', '.join(known.repositories)} ({', '.join(known.environments)}), "
            f"not for {', '.join(missing)}.",
            f"Wait for its end, or give this one a folder of its own: {variable('data_dir')}=…",
        )
    mine = digests(os.environ, known.approval_key)
    other = sorted(
        name for name in {*mine, *known.settings} - {*FOUND_OUT} if mine.get(name) != known.settings.get(name)
    )
    if other:
        errors().print(
            f"{_holder(known)} runs already, with its own {', '.join(other)}: this command uses it as it is."
        )


def _holder(known: Remembered) -> str:
    pid = known.keeper.pid if known.keeper else 0
    return f"`{known.command}` (since {known.began_at:%H:%M} UTC, process {pid})"


def _is_kept(known: Remembered) -> bool:
    return known.keeper is not None and processes.is_alive(known.keeper)
