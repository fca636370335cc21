"""Keeps the states that Terraform could not write to their backends, and writes them before a unit is applied again."""

import asyncio
import contextlib
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path

from temporalio import activity
from temporalio.exceptions import ApplicationError

from activities.artifacts import ArtifactStore, FolderBlobs
from activities.dependency_outputs import TerragruntFailed, UnitReader, scratch_folder
from activities.errored_files import digest, not_committed
from activities.processes import Finished, run_process
from activities.terragrunt_command import TerragruntCommand
from activities.terragrunt_messages import FailureDetails
from activities.unit_work import Unit, unit_failure
from docustack.errors import ErrorType
from docustack.state_document import StateFacts, state_facts, state_location
from docustack.terragrunt_errors import classify, clean_output
from docustack.unwritten_states import (
    ERRORED,
    OVERTAKEN,
    WRITTEN_NOW,
    Standing,
    UnwrittenState,
    cannot_be_written,
    standing,
)

FOLDER = "unwritten-states"
_MOVED = "moved to the artifact store"


def host_store(artifacts: ArtifactStore, data_dir: Path) -> ArtifactStore:
    """Where they go when the artifact store can't be reached: sealed all the same."""
    return artifacts.in_place_of(FolderBlobs(data_dir))


class UnwrittenStates:
    """In the artifact store, where every host sees them; nothing is ever removed, it is only closed."""

    def __init__(
        self, command: TerragruntCommand, artifacts: ArtifactStore, reader: UnitReader, data_dir: Path, host: str
    ) -> None:
        self._command = command
        self._artifacts = artifacts
        self._on_host = host_store(artifacts, data_dir)
        self._reader = reader
        self._scratch = data_dir / "scratch"
        self._host = host

    async def find(self, unit: Unit) -> list[Path]:
        """What Terraform has left in this unit's folders, the oldest first."""

        def look() -> list[Path]:
            folders = dict.fromkeys((unit.folder, *unit.prepared()))
            left = [folder / ERRORED for folder in folders if (folder / ERRORED).is_file()]
            return sorted(left, key=lambda path: path.stat().st_mtime)

        return await not_committed(unit.root, await asyncio.to_thread(look))

    async def keep(self, unit: Unit, left: Sequence[Path]) -> list[UnwrittenState]:
        """Keep them; who removes them from the folders does so only after this. Those dealt with are left out.

        Raises OSError where there is no room on this host either.
        """
        location = await self._location(unit) if left else ""
        kept = [await self._keep(unit, await asyncio.to_thread(path.read_bytes), location) for path in left]
        return [state for state in kept if not state.closed]

    async def is_waiting(self, unit: Unit) -> bool:
        """Whether a plan of the unit would be made without knowing what is there."""
        return bool(await self.open_ones(unit))

    async def open_ones(self, unit: Unit) -> list[UnwrittenState]:
        found = [each for store in (self._artifacts, self._on_host) for each in await all_of(store, _prefix(unit))]
        found = [state for state in found if state.closed != _MOVED]
        dealt_with = {state.artifact for state in found if state.closed}
        mine = {state.artifact: state for state in found if state.unit == unit.request.unit}
        return sorted((each for key, each in mine.items() if key not in dealt_with), key=lambda each: each.found_at)

    async def settle(self, unit: Unit) -> None:
        """Right before an apply, with its lock and its credentials: write what an earlier one could not.

        Raises an `ApplicationError`: STALE_PLAN where something was written, so that the unit is planned again; and
        what keeps it from being written.
        """
        left = await self.find(unit)  # of an apply whose end nobody has read
        await self.keep(unit, left)
        for path in left:
            path.unlink()
        waiting = await self.open_ones(unit)
        for state in waiting:
            await self._settle(unit, state)
        if waiting:
            raise unit_failure(ErrorType.STALE_PLAN, WRITTEN_NOW.format(unit=unit.request.unit))

    async def _keep(self, unit: Unit, document: bytes, location: str) -> UnwrittenState:
        facts: StateFacts | None = None
        with contextlib.suppress(ValueError):
            facts = state_facts(document.decode())
        key = f"{_prefix(unit)}{digest(document)}.tfstate"
        state = UnwrittenState(
            unit=unit.request.unit,
            run_id=unit.request.tree.run_id,
            host=self._host,
            found_at=datetime.now(UTC),
            artifact=key,
            facts=facts if document.strip() else None,
            location=location,
        )
        try:
            return await _put(self._artifacts, state, document)
        except Exception as error:
            activity.logger.error("the artifact store takes no unwritten state, it stays on this host: %s", error)
        return await _put(self._on_host, state.model_copy(update={"only_on_host": True}), document)

    async def _settle(self, unit: Unit, state: UnwrittenState) -> None:
        where = await self._compare(unit, state)
        if where is Standing.OVERTAKEN:
            raise unit_failure(ErrorType.FAILED, cannot_be_written(state, OVERTAKEN))
        if where is Standing.MISSING:
            document = await self._store_of(state).get_sealed(state.artifact)
            with scratch_folder(self._scratch, {ERRORED: document.decode()}) as folder:
                await self._run(unit, state, self._command.push_state(folder / ERRORED))
            if await self._compare(unit, state) is not Standing.WRITTEN:
                raise unit_failure(ErrorType.FAILED, cannot_be_written(state, "it was pushed, and is not there."))
        await close(self._store_of(state), state, "written")

    async def _compare(self, unit: Unit, state: UnwrittenState) -> Standing:
        pulled = await self._run(unit, state, self._command.pull_state())
        try:
            present = state_facts(pulled.stdout)
        except ValueError:
            raise unit_failure(ErrorType.FAILED, cannot_be_written(state, "the present one can't be read.")) from None
        location = await self._location(unit)
        return standing(state.facts, present, same_place=location == state.location or not state.location)

    async def _run(self, unit: Unit, state: UnwrittenState, command: list[str]) -> Finished:
        async with self._reader.preparing(unit.folder):
            done = await run_process(command, cwd=unit.folder, environ=unit.environ)
        if done.code != 0:
            # Standard output may hold a state with its secrets, so only what Terraform says about it is told.
            found = classify(clean_output(done.stderr), " ".join(["terragrunt", *command[1:3]]), unit.request.unit)
            message = cannot_be_written(state, found.headline)
            raise unit_failure(found.type, message, FailureDetails(state_lock=found.state_lock), retry=False)
        return done

    async def _location(self, unit: Unit) -> str:
        with contextlib.suppress(TerragruntFailed, TimeoutError, ApplicationError):
            return state_location((await self._reader.render(unit.folder, unit.environ)).remote_state)
        return ""

    def _store_of(self, state: UnwrittenState) -> ArtifactStore:
        return self._on_host if state.only_on_host else self._artifacts


async def bring_home(artifacts: ArtifactStore, data_dir: Path) -> None:
    """What had to stay on this host goes to the artifact store once that is back, or no other host would know of it."""
    on_host = host_store(artifacts, data_dir)
    for state in await all_of(on_host):
        if not state.closed:
            document = await on_host.get_sealed(state.artifact)
            await _put(artifacts, state.model_copy(update={"only_on_host": False}), document)
            await close(on_host, state, _MOVED)


async def all_of(store: ArtifactStore, prefix: str = f"{FOLDER}/") -> list[UnwrittenState]:
    """All that a store has, those dealt with included."""
    keys = [key for key in await store.list(prefix) if key.endswith(".json")]
    return [UnwrittenState.model_validate_json(await store.get_text(key)) for key in keys]


async def close(store: ArtifactStore, state: UnwrittenState, why: str) -> None:
    await store.put_text(_record_of(state), state.model_copy(update={"closed": why}).model_dump_json())


async def _put(store: ArtifactStore, state: UnwrittenState, document: bytes) -> UnwrittenState:
    """The same state again stays what it was: a file that is found twice is no second loss."""
    if known := await all_of(store, state.artifact.removesuffix(".tfstate")):
        return known[0]
    await store.put_sealed(state.artifact, document)
    await store.put_text(_record_of(state), state.model_dump_json())
    return state


def _record_of(state: UnwrittenState) -> str:
    return state.artifact.removesuffix(".tfstate") + ".json"


def _prefix(unit: Unit) -> str:
    repository = unit.request.tree.repository
    return f"{FOLDER}/{repository.owner}/{repository.name}/{unit.request.unit}/"
