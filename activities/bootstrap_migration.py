"""The guide's `terragrunt init -migrate-state`: the local state of the bootstrap unit into the bucket, and back."""

import asyncio
import json
import tempfile
from pathlib import Path

from temporalio import activity
from temporalio.exceptions import ApplicationError

from activities.bootstrap_messages import BootstrapUnit, KeptStateAnswer, MigratedState, MigrateState
from activities.bootstrap_unit import STATE, BootstrapUnits, local_state, write_state
from activities.failures import failure
from activities.kept_states import KeptDocument, KeptStates
from activities.migration_locks import MigrationLocks
from activities.state_backend import Aws, ask_aws, read_state
from activities.terragrunt_command import TerragruntCommand
from activities.unit_work import heartbeats
from docustack.errors import ErrorType
from docustack.state_document import StateFacts, state_facts


class BootstrapMigration:
    """What a migration has left that was killed, its lock above all, is cleared away before the next begins."""

    def __init__(
        self,
        *,
        units: BootstrapUnits,
        locks: MigrationLocks,
        kept: KeptStates,
        command: TerragruntCommand,
        data_dir: Path,
    ) -> None:
        self._units = units
        self._locks = locks
        self._kept = kept
        self._command = command
        self._data_dir = data_dir.absolute()

    @activity.defn
    @heartbeats
    async def migrate_state(self, request: MigrateState) -> MigratedState:
        """`terragrunt init -migrate-state`, if the bucket has no state yet; then both states are read.

        Raises:
            ApplicationError: STATE_LOCKED, by somebody else, or perhaps by a migration of ours that still works.
        """
        async with self._units.alone(request) as lock:
            await self._make_sure_of_lock(request, lock)
            try:
                return await self._migrate(request, lock)
            except ApplicationError as error:
                if error.type != ErrorType.STATE_LOCKED:
                    raise
            # Terraform asks once more for a lock whose answer is late, finds its own, and leaves it.
            await self._make_sure_of_lock(request, lock)
            return await self._migrate(request, lock)

    @activity.defn
    @heartbeats
    async def restore_local_state(self, request: BootstrapUnit) -> KeptStateAnswer:
        """Undo of a migration: the unit has its local state again, as it was kept; in AWS only a lock of ours goes."""
        left: tuple[str, ...] = ()
        without = request.model_copy(update={"remote_state": False})
        async with self._units.alone(request) as lock:
            try:
                await self._locks.free(request, lock)
            except ApplicationError as error:
                left = (f"a lock that the migration may have left: {error.message}",)
            await self._units.clear(await self._units.check_out(request))
            unit = await self._units.open(without, lock)
            local = await asyncio.to_thread(local_state, unit)
            kept = await self._kept.newest(request.environment.account_id)
        if kept is not None and (local is None or state_facts(local) != kept.kept.facts):
            raise failure(ErrorType.FAILED, f"The local state could not be restored from {kept.kept.artifact}.")
        return KeptStateAnswer(kept=kept.kept if kept is not None else None, left=left)

    async def _make_sure_of_lock(self, request: MigrateState, lock: int) -> None:
        if why := await self._locks.free(request, lock):
            raise failure(ErrorType.STATE_LOCKED, why)

    async def _migrate(self, request: MigrateState, lock: int) -> MigratedState:
        """Terraform gives a state that comes into an empty place another lineage and the serial 1 (seen with 1.11.4).
        The local one is written over it, so that the state keeps its identity."""
        local = await self._kept.newest(request.environment.account_id)
        if local is None:
            raise failure(ErrorType.NOT_FOUND, "There is no local state that could be migrated.")
        unit = await self._units.check_out(request)
        aws = Aws(unit.environ, request.place.region)
        if not await self._read(aws, request):
            await self._units.open(request.model_copy(update={"remote_state": False}), lock)
            await self._units.write_file(unit, request, remote_state=True)
            async with self._locks.recorded(request):
                await self._units.run(unit, self._command.migrate_state(), lock)
        else:
            await self._units.clear(unit)  # half way through Terraform would ask which of the two states it is to take
        remote = await self._facts(aws, request)
        if remote.holds_the_same(local.kept.facts) and remote.lineage != local.kept.facts.lineage:
            await self._give_identity(request, local, lock)
            remote = await self._facts(aws, request)
        return MigratedState(local=local.kept.facts, remote=remote)

    async def _read(self, aws: Aws, request: MigrateState) -> str:
        place = request.place
        return await ask_aws(request, f"read the state in {place.bucket}", lambda: read_state(aws, place))

    async def _facts(self, aws: Aws, request: MigrateState) -> StateFacts:
        document, place = await self._read(aws, request), request.place
        if not document:
            raise failure(
                ErrorType.FAILED, f"After the migration there is no state at s3://{place.bucket}/{place.key}."
            )
        return state_facts(document)

    async def _give_identity(self, request: MigrateState, local: KeptDocument, lock: int) -> None:
        """Terraform writes what is pushed with the next serial."""
        unit = await self._units.open(request, lock)
        document = json.loads(local.document) | {"serial": max(local.kept.facts.serial - 1, 0)}
        with tempfile.TemporaryDirectory(dir=self._data_dir) as folder:
            path = Path(folder) / STATE
            await asyncio.to_thread(write_state, path, json.dumps(document))
            async with self._locks.recorded(request):
                await self._units.run(unit, self._command.push_state(path, force=True), lock)
