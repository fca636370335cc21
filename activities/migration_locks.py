"""Frees the lock that a migration of ours has left on a bootstrap's state, and no other."""

import contextlib
from collections.abc import AsyncIterator
from datetime import UTC, datetime

from activities.apply_records import whoami
from activities.artifacts import ArtifactStore
from activities.bootstrap_messages import BootstrapUnit
from activities.bootstrap_unit import BootstrapUnits
from activities.state_backend import Aws, ask_aws, read_lock
from activities.terragrunt_command import TerragruntCommand
from docustack.migration_locks import MigrationRecord, why_not_freed


class MigrationLocks:
    """Every attempt to migrate is on record beside the artifacts, so that a lock can be told to be of one of them."""

    def __init__(self, units: BootstrapUnits, command: TerragruntCommand, artifacts: ArtifactStore, host: str) -> None:
        self._units = units
        self._command = command
        self._artifacts = artifacts
        self._host = host

    @contextlib.asynccontextmanager
    async def recorded(self, request: BootstrapUnit) -> AsyncIterator[None]:
        """While Terraform works on the state in the bucket; one that nobody has ended is of a killed worker."""
        record = MigrationRecord(host=self._host, who=whoami(), started_at=datetime.now(UTC))
        key = f"{_prefix(request)}{record.started_at:%Y%m%dT%H%M%S.%f}.json"
        await self._artifacts.put_text(key, record.model_dump_json())
        try:
            yield
        finally:
            await self._end(key, record)

    async def free(self, request: BootstrapUnit, lock: int) -> str:
        """Free it if it is ours; gives why the lock that is there stays, empty where there is none any more.

        Called alone: a process of ours on this host would hold our file lock, so whoever has this one is dead.
        """
        place = request.place
        if place is None:
            return ""
        records = await self._records(request)
        unit = await self._units.check_out(request)
        aws = Aws(unit.environ, place.region)
        held = await ask_aws(request, f"look for a lock in {place.lock_table}", lambda: read_lock(aws, place))
        if held is None:
            return ""
        if why := why_not_freed(held, place, records, self._host):
            return why
        await self._units.clear(unit)  # beside a local state Terraform would want to migrate that first
        await self._units.write_file(unit, request, remote_state=True)
        await self._units.run(unit, self._command.force_unlock(held.lock_id), lock)
        await self._units.clear(unit)
        return ""

    async def _records(self, request: BootstrapUnit) -> list[MigrationRecord]:
        """Of this host all have ended by now: what is locked later, by whomever here, is none of theirs."""
        found = []
        for key in await self._artifacts.list(_prefix(request)):
            record = MigrationRecord.model_validate_json(await self._artifacts.get_text(key))
            if record.ended_at is None and record.host == self._host:
                record = await self._end(key, record)
            found.append(record)
        return found

    async def _end(self, key: str, record: MigrationRecord) -> MigrationRecord:
        ended = record.model_copy(update={"ended_at": datetime.now(UTC)})
        await self._artifacts.put_text(key, ended.model_dump_json())
        return ended


def _prefix(request: BootstrapUnit) -> str:
    return f"bootstrap/{request.environment.account_id}/migrations/"
