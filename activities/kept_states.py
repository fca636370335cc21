"""The local states of bootstraps, kept in the artifact store: no crash and no host that is gone can lose one."""

from dataclasses import dataclass
from datetime import UTC, datetime

from activities.artifacts import ArtifactStore
from activities.bootstrap_messages import KeptState
from docustack.state_document import state_facts


@dataclass(frozen=True)
class KeptDocument:
    """A state with all its content, which never leaves the worker unsealed."""

    document: str
    kept: KeptState


class KeptStates:
    """Only ever added to, under the account and the time."""

    def __init__(self, artifacts: ArtifactStore) -> None:
        self._artifacts = artifacts

    async def newest(self, account_id: str) -> KeptDocument | None:
        """Raises ArtifactMissing where this worker's keys don't open it."""
        found = await self._artifacts.list(_prefix(account_id))
        if not found:
            return None
        document = (await self._artifacts.get_sealed(found[-1])).decode()
        return KeptDocument(document, KeptState(facts=state_facts(document), artifact=found[-1]))

    async def keep(self, account_id: str, document: str) -> KeptState:
        """The same state again is not kept twice, and an older one not after a newer."""
        facts = state_facts(document)
        newest = await self.newest(account_id)
        if newest is not None and newest.kept.facts.is_later_of_same(facts):
            return newest.kept
        key = f"{_prefix(account_id)}{datetime.now(UTC):%Y%m%dT%H%M%S.%f}-{facts.serial}.tfstate"
        return KeptState(facts=facts, artifact=await self._artifacts.put_sealed(key, document.encode()))


def _prefix(account_id: str) -> str:
    return f"bootstrap/{account_id}/states/"
