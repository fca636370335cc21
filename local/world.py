"""One outside world on this machine with DocuStack in it: brought up, described, repaired part by part, taken down."""

import contextlib
import re
import subprocess
import time
from collections.abc import Callable, Sequence
from pathlib import Path

from local import aws, live_repository, parts, processes
from local import state as remembered
from local.parts import ports_of, waves
from local.places import EXAMPLE, ROOT, Places, tool
from local.state import WorldError, WorldState
from local.status import Status, describe
from local.waiting import NotThere, wait_for

ENDS_WITHIN = 30.0
"""Seconds that an apply still going on gets to end when its world does."""

Tell = Callable[[str, str, float], None]
"""Hears what has happened to a part: its name, what, and how many seconds it took."""


def _silent(part: str, what: str, seconds: float) -> None:
    pass


class World:
    """The world of one data folder. Several, each with a folder of its own, live side by side."""

    def __init__(self, data_dir: Path, tell: Tell = _silent) -> None:
        self.places = Places(data_dir.resolve())
        self._tell = tell

    # ---- what there is -----------------------------------------------------------------------------------------------

    def status(self) -> Status:
        """Raises WorldError where no world was ever made in this folder."""
        state = self._state()
        living = {name: record.pid for name, record in state.processes.items() if processes.is_alive(record)}
        return describe(self.places, state, {name: living[name] for name in _parts(state) if name in living})

    def remembered(self) -> WorldState:
        """Ports, secrets, processes. Raises WorldError where no world was ever made in this folder."""
        return self._state()

    def part_names(self) -> tuple[str, ...]:
        """What this world consists of. Raises WorldError where no world was ever made in this folder."""
        return _parts(self._state())

    def is_up(self) -> bool:
        """Whether any of its parts runs."""
        return self._read() is not None and bool(self.status().processes)

    def missing(self) -> list[str]:
        """The parts that don't run."""
        living = self.status().processes
        return [name for name in self.part_names() if name not in living]

    # ---- up ----------------------------------------------------------------------------------------------------------

    def up(
        self,
        *,
        source: Path | None = None,
        terragrunt: str | None = None,
        fresh: bool = False,
        settings: dict[str, str] | None = None,
        workers: int | None = None,
        empty_account: bool = False,
    ) -> bool:
        """Start what doesn't run; returns once all of it is ready. False if all was up already.

        A world that was stopped goes on with its data, except for AWS: moto keeps nothing. A stopped world of another
        live repository is replaced, and with `fresh` any. What fails to start leaves nothing running. With more
        `workers` than one, each counts as a host of its own; without a number a world keeps those that it has. A new
        world with an `empty_account` has no state buckets and no lock table.

        Raises:
            WorldError: something is missing, or a part did not come up; its last lines are in the message.
        """
        with remembered.alone(self.places.data_dir):
            if fresh:
                self._stop()
                self.places.clear()
            state = self._read()
            if state is not None and self.is_up():
                self._refuse_another(state, source, terragrunt, workers)
                if not self.missing():
                    return False
            elif state is not None and self._is_of_another(state, source):
                self._say("data", "of another live repository is removed", 0)
                self.places.clear()
                state = None
            state = state or self._make(source or EXAMPLE, settings or {}, empty_account=empty_account)
            if not self.is_up():
                state.workers = workers or state.workers
                if state.processes:
                    self._say("aws", "starts empty: nothing of it is kept when it stops", 0)
                state.terragrunt = _terragrunt(terragrunt) if terragrunt or not state.terragrunt else state.terragrunt
                state.ports |= remembered.free_ports(
                    name for name in state.ports if not remembered.is_free(state.ports[name])
                )
            try:
                self._start_missing(state)
            except BaseException:
                self._stop()
                raise
        return True

    def restart(self, name: str) -> None:
        """Stop a part, if it still runs, and start it again on the same data.

        Raises:
            WorldError: there is no such part or no world, or the part did not come up.
        """
        with remembered.alone(self.places.data_dir):
            state = self._state()
            if name not in _parts(state):
                raise WorldError(f"There is no part {name!r}. The parts are: {', '.join(_parts(state))}.")
            if name in state.processes:
                processes.stop(state.processes[name])
            self._start(state, [name])

    # ---- down --------------------------------------------------------------------------------------------------------

    def down(self) -> bool:
        """Stop everything, the last started first; the data stays. False if nothing ran."""
        with remembered.alone(self.places.data_dir):
            return self._stop()

    def kill(self, name: str) -> None:
        """End a part at once, as a crash does."""
        processes.kill(self._state().processes[name])

    def _say(self, part: str, what: str, seconds: float) -> None:
        with contextlib.suppress(OSError):  # the terminal is gone: no reason to leave parts behind
            self._tell(part, what, seconds)

    # ---- steps -------------------------------------------------------------------------------------------------------

    def _read(self) -> WorldState | None:
        return remembered.read(self.places.data_dir)

    def _state(self) -> WorldState:
        state = self._read()
        if state is None:
            raise WorldError(f"There is no local world in {self.places.data_dir}: start one with `docustack local up`.")
        return state

    def _make(self, source: Path, settings: dict[str, str], *, empty_account: bool) -> WorldState:
        began = time.monotonic()
        self.places.clear()
        draft = self.places.git / "draft.git"
        try:
            live_repository.seed(source, draft)
        except live_repository.SeedError as error:
            raise WorldError(f"The live repository can't be taken from {source}: {error}.") from error
        facts = live_repository.read_facts(draft)
        target = self.places.bare(facts.owner, facts.name)
        target.parent.mkdir(parents=True, exist_ok=True)
        draft.rename(target)
        state = WorldState(
            ports=remembered.free_ports(remembered.PORTS),
            repository=facts,
            source=live_repository.identity(source),
            settings=settings,
            empty_account=empty_account,
        )
        self._say("git", f"{target} on main and staging", time.monotonic() - began)
        if facts.problem:
            self._say("git", f"{facts.problem}: the world takes the example's environments and buckets", 0)
        return state

    def _refuse_another(
        self, state: WorldState, source: Path | None, terragrunt: str | None, workers: int | None
    ) -> None:
        other = "live repository" if self._is_of_another(state, source) else ""
        if terragrunt is not None and _terragrunt(terragrunt) != state.terragrunt:
            other = other or "Terragrunt"
        if workers is not None and workers != state.workers:
            other = other or "number of workers"
        if other:
            raise WorldError(
                f"A world with another {other} is up in {self.places.data_dir}: stop it first with "
                "`docustack local down`, or take another folder with `--data-dir`."
            )

    def _is_of_another(self, state: WorldState, source: Path | None) -> bool:
        return source is not None and live_repository.identity(source) != state.source

    def _start_missing(self, state: WorldState) -> None:
        for wave in waves(state.workers):
            self._start(state, [name for name in wave if not self._lives(state, name)])

    def _start(self, state: WorldState, names: Sequence[str]) -> None:
        """Start parts side by side, and wait until each is ready."""
        began = time.monotonic()
        for name in names:
            self._await_ports(state, name)
        started = [parts.make_part(name, self.places, state) for name in names]
        for part in started:
            state.processes[part.name] = processes.start(
                part.command, environment=part.environment, directory=ROOT, log=self.places.log(part.name)
            )
            remembered.write(self.places.data_dir, state)
        for part in started:
            self._await(part, state.processes[part.name])
            self._say(part.name, "is ready", time.monotonic() - began)
            if part.name == "moto":
                self._prepare_aws(state)

    def _await_ports(self, state: WorldState, name: str) -> None:
        """The last threads of a killed process may hold its ports a moment longer than it lives."""
        for port in (state.ports[each] for each in ports_of(name)):
            try:
                wait_for(lambda port=port: remembered.is_free(port), f"port {port}", 10)  # type: ignore[misc]
            except NotThere as error:
                raise WorldError(
                    f"{name} can't start: its port {port} was taken by somebody else. Bring the whole world down and "
                    "up again: it then takes other ports."
                ) from error

    def _await(self, part: parts.Part, record: processes.Process) -> None:
        def look() -> bool:
            if not processes.is_alive(record):
                raise NotThere(f"{part.name} has ended by itself")
            return part.is_ready(record.pid)

        try:
            wait_for(look, f"{part.name} to be ready", part.seconds)
        except NotThere as error:
            last = processes.tail(record.log)
            raise WorldError(f"{error}. Its log, {record.log}, ends with:\n{last or '(nothing)'}") from error

    def _prepare_aws(self, state: WorldState) -> None:
        if state.empty_account:
            self._say("aws", "is an empty account: no state bucket, no lock table", 0)
            return
        began = time.monotonic()
        repository = state.repository
        made = aws.prepare_state_backend(state.url("moto"), repository.buckets, repository.lock_table)
        if made:
            self._say("aws", f"has {', '.join(made)}", time.monotonic() - began)

    def _stop(self) -> bool:
        """Stops by what is remembered, then everything else that carries the world's mark: stale records heal so."""
        with processes.undisturbed():
            return self._stop_all()

    def _stop_all(self) -> bool:
        try:
            state = self._read()
        except WorldError:
            state = None
        stopped = False
        for name in reversed(_parts(state) if state else ()):
            record = state.processes.get(name) if state else None
            if name == "moto":  # what is still applied writes its state there
                processes.end_marked(parts.mark(self.places), ENDS_WITHIN, besides=_living(state))
            if record is None or not processes.is_alive(record):
                continue
            began = time.monotonic()
            gracefully = processes.stop(record)
            self._say(name, "has stopped" if gracefully else "was killed: it did not stop", time.monotonic() - began)
            stopped = True
        processes.end_marked(parts.mark(self.places), 5)
        return stopped

    def _lives(self, state: WorldState, name: str) -> bool:
        return name in state.processes and processes.is_alive(state.processes[name])


def _parts(state: WorldState) -> tuple[str, ...]:
    return tuple(name for wave in waves(state.workers) for name in wave)


def _living(state: WorldState | None) -> set[int]:
    records = state.processes.values() if state else ()
    return {record.pid for record in records if processes.is_alive(record)}


def _terragrunt(given: str | None) -> str:
    """An executable that is a Terragrunt; found out before anything starts."""
    found = tool(given) if given else tool("terragrunt")
    if found is None:
        raise WorldError(_why_no_terragrunt(given))
    try:
        done = subprocess.run([found, "--version"], capture_output=True, text=True, timeout=60, check=False)
    except (OSError, subprocess.SubprocessError) as error:
        raise WorldError(f"{found} doesn't run: {error}.") from error
    if not re.search(r"terragrunt version v?\d", done.stdout):
        said = next(iter((done.stdout + done.stderr).strip().splitlines()), "nothing")
        raise WorldError(f"{found} is no Terragrunt: asked for its version, it says {said[:100]!r}.")
    return str(found)


def _why_no_terragrunt(given: str | None) -> str:
    if not given:
        return "There is no Terragrunt: run `make setup`."
    if Path(given).is_file():
        return f"{given} is not executable: chmod +x {given}."
    return f"There is no Terragrunt at {given}."
