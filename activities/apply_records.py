"""The public record that an apply of a plan has begun: kept beside the artifacts, where every host sees it."""

import asyncio
import hashlib
import os
import pwd
import socket
from datetime import datetime, timedelta

from activities.artifacts import ArtifactMissing, ArtifactStore
from docustack.model import Model
from docustack.plans import PlanRecord


class ApplyRecord(Model):
    """Who applies one saved plan: there is at most one record for a plan, ever, and so at most one apply of it."""

    unit: str
    plan: str
    folder: str  # names the activity
    run_id: str
    host: str
    who: str  # as Terraform names the holder of a lock: user@hostname
    started_at: datetime
    renewed_at: datetime  # the lease, for those who can't see the folder; renewed less often
    ended_at: datetime | None = None

    def may_live_until(self, lease: timedelta, grace: timedelta) -> datetime:
        """After this time its runner has fenced itself, whatever became of its host."""
        return self.renewed_at + lease + grace + RENEWED_EVERY * 2


def whoami() -> str:
    """What Terraform will write as the holder of its lock: its own user and the machine's own name."""
    try:
        user = pwd.getpwuid(os.getuid()).pw_name
    except KeyError:
        user = os.environ.get("USER", "")
    return f"{user}@{socket.gethostname()}"


RENEWED_EVERY = timedelta(seconds=60)


class ApplyRecords:
    """Records in the artifact store."""

    def __init__(self, artifacts: ArtifactStore) -> None:
        self._artifacts = artifacts

    async def begin(self, record: ApplyRecord) -> ApplyRecord:
        """The record that holds for this plan: the given one, or that of whoever was first."""
        key = _key(record.unit, record.plan)
        if await self._artifacts.create_text(key, record.model_dump_json()):
            return record
        return ApplyRecord.model_validate_json(await self._artifacts.get_text(key))

    async def of_plan(self, plan: PlanRecord) -> ApplyRecord | None:
        """The record of whoever has begun to apply a plan; None where nobody has."""
        try:
            return ApplyRecord.model_validate_json(await self._artifacts.get_text(_key(plan.unit, plan.binary)))
        except ArtifactMissing:
            return None

    async def update(self, record: ApplyRecord) -> None:
        await self._artifacts.put_text(_key(record.unit, record.plan), record.model_dump_json())

    async def of_unit(self, unit: str) -> list[ApplyRecord]:
        keys = await self._artifacts.list(f"applies/{unit}/")
        texts = await asyncio.gather(*(self._artifacts.get_text(key) for key in keys))
        return [ApplyRecord.model_validate_json(text) for text in texts]


def _key(unit: str, plan: str) -> str:
    return f"applies/{unit}/{hashlib.sha256(plan.encode()).hexdigest()[:32]}.json"
