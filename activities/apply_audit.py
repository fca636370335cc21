"""Keeps the record of every apply in the artifact store."""

from activities.artifacts import ArtifactStore
from docustack.apply_audit import AuditedApply, audit_folder
from docustack.repository import Repository


class ApplyAudit:
    """The records of all applies, in the artifact store; nothing there is ever changed or removed."""

    def __init__(self, artifacts: ArtifactStore) -> None:
        self._artifacts = artifacts

    async def add(self, record: AuditedApply) -> None:
        """Adds a record; a second time it is there already."""
        await self._artifacts.create_text(record.key, record.model_dump_json(indent=1))

    async def last(self, repository: Repository, unit: str) -> AuditedApply | None:
        """The newest record of a unit."""
        keys = await self._artifacts.list(audit_folder(repository, unit))
        return AuditedApply.model_validate_json(await self._artifacts.get_text(keys[-1])) if keys else None
