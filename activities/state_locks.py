"""Frees a Terraform state lock that a dead process of ours has left, and no other."""

import asyncio
from datetime import UTC, datetime, timedelta
from pathlib import Path

from temporalio.exceptions import ApplicationError

from activities.apply_folder import ApplyFolder
from activities.apply_records import ApplyRecord, ApplyRecords
from activities.artifacts import ArtifactStore
from activities.disclosure import Disclosure, Look
from activities.processes import Finished, run_process
from activities.terragrunt_command import TerragruntCommand
from activities.terragrunt_messages import StateLockAnswer
from activities.unit_work import Unit
from docustack.errors import ErrorType
from docustack.terragrunt_errors import StateLock, classify, clean_output, state_lock

_CLOCKS_DIFFER_BY = timedelta(seconds=30)
_CAN_ONLY_MEAN_BEFORE = (ErrorType.CREDENTIALS, ErrorType.UNAVAILABLE, ErrorType.THROTTLED)
"""Failures on which it isn't known whether there is a lock: it wasn't reached."""


class StateLocks:
    """Locks as Terraform itself tells of them, so that every backend's kind is known."""

    def __init__(
        self,
        command: TerragruntCommand,
        artifacts: ArtifactStore,
        disclosure: Disclosure,
        data_dir: Path,
        host: str,
        lease: timedelta,
        grace: timedelta,
    ) -> None:
        self._command = command
        self._disclosure = disclosure
        self._records = ApplyRecords(artifacts)
        self._folders = data_dir / "applies"
        self._host = host
        self._lease = lease
        self._grace = grace

    async def free(self, unit: Unit) -> StateLockAnswer:
        """Free the lock if it is ours and nothing of ours that could hold it lives; else say who holds it."""
        lock = await self._find(unit)
        if lock is None:
            return StateLockAnswer(
                locked=False,
                freed=False,
                message=f"The state of {unit.request.unit} is not locked.",
                living=await self._is_applied_now(unit.request.unit),
            )
        refusal = await self._why_not(unit.request.unit, lock)
        if refusal:
            return _answer(lock, freed=False, message=refusal)
        done = await self._run(unit, self._command.force_unlock(lock.lock_id))
        if done.code != 0:
            raise await self._failure(unit, "terragrunt force-unlock", done)
        return _answer(
            lock,
            freed=True,
            message=f"Freed the state lock {lock.lock_id} of {unit.request.unit}, which a dead apply of ours had left "
            f"(held by {lock.who} since {lock.created}).",
        )

    async def _find(self, unit: Unit) -> StateLock | None:
        done = await self._run(unit, self._command.plan_with_lock())
        if done.code == 0:
            return None
        output = clean_output(done.stdout + done.stderr)
        found = classify(output, "terragrunt plan", unit.request.unit)
        if found.type is ErrorType.STATE_LOCKED:
            lock = state_lock(output)
            if lock is not None:
                return lock
        elif found.type not in _CAN_ONLY_MEAN_BEFORE:
            return None
        raise await self._failure(unit, "terragrunt plan", done)

    async def _why_not(self, unit: str, lock: StateLock) -> str:
        """Empty where the lock may be freed."""
        held = f"The state of {unit} is locked by {lock.who} since {lock.created} (lock id {lock.lock_id})"
        records = [each for each in await self._records.of_unit(unit) if _is_of(lock, each)]
        if not records:
            return (
                f"{held}, which is no process of DocuStack's. Ask its owner; if that process is dead, run "
                f"`terragrunt force-unlock {lock.lock_id}` in {unit}."
            )
        if living := [each for each in records if await asyncio.to_thread(self._may_live, each)]:
            return (
                f"{held}: the apply of run {living[0].run_id} on {living[0].host} still works, or may do so. "
                "Wait for it, or cancel it."
            )
        return ""

    async def _is_applied_now(self, unit: str) -> bool:
        records = await self._records.of_unit(unit)
        return any([await asyncio.to_thread(self._may_live, each) for each in records])

    def _may_live(self, record: ApplyRecord) -> bool:
        if record.host == self._host:
            return ApplyFolder(self._folders / record.folder).is_alive()
        return record.ended_at is None and datetime.now(UTC) < record.may_live_until(self._lease, self._grace)

    async def _run(self, unit: Unit, argv: list[str]) -> Finished:
        limit = timedelta(minutes=unit.request.timeout_minutes)
        return await run_process(argv, cwd=unit.folder, environ=unit.environ, timeout=limit)

    async def _failure(self, unit: Unit, command: str, done: Finished) -> ApplicationError:
        return await self._disclosure.failure(unit, command, done.stdout + done.stderr, Look())


def _is_of(lock: StateLock, record: ApplyRecord) -> bool:
    """The time tells our applies from a person's, who has logged in on the same machine."""
    created = lock.created_at
    return (
        lock.who == record.who
        and created is not None
        and record.started_at - _CLOCKS_DIFFER_BY <= created
        and (record.ended_at is None or created <= record.ended_at)
    )


def _answer(lock: StateLock, *, freed: bool, message: str) -> StateLockAnswer:
    return StateLockAnswer(
        locked=not freed, freed=freed, lock_id=lock.lock_id, who=lock.who, since=lock.created, message=message
    )
