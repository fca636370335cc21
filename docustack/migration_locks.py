"""Whether Terraform's lock on a bootstrap's state was left by a migration of ours that is over, and what else to do."""

from collections.abc import Iterable
from datetime import datetime

from docustack.model import Model
from docustack.state_backend import BackendPlace
from docustack.terragrunt_errors import StateLock

OPERATIONS = ("migration source state", "migration destination state", "state-push")
"""What Terraform writes into the locks that it takes while a state is migrated, and given its lineage."""


class MigrationRecord(Model):
    """One attempt of ours: on record before its Terraform begins, where every host sees it."""

    host: str
    who: str  # as Terraform names the holder of a lock: user@hostname
    started_at: datetime
    ended_at: datetime | None = None  # None: it works, or nobody has seen it end

    def may_have_taken(self, lock: StateLock) -> bool:
        """The time tells ours from a person's, who has logged in on the same machine."""
        created = lock.created_at
        return (
            lock.operation in OPERATIONS
            and lock.who == self.who
            and created is not None
            and self.started_at <= created
            and (self.ended_at is None or created <= self.ended_at)
        )


def why_not_freed(lock: StateLock, place: BackendPlace, records: Iterable[MigrationRecord], host: str) -> str:
    """Empty where nobody can need the lock any more; `host` is one on which no migration works at this moment."""
    ours = [record for record in records if record.may_have_taken(lock)]
    if any(record.host == host for record in ours):
        return ""
    held = (
        f"The state s3://{place.bucket}/{place.key} is locked by {lock.who} since {lock.created} "
        f"({lock.operation}, lock id {lock.lock_id})"
    )
    if ours:
        whose = f", by a migration of ours on {ours[0].host}, which may still work there. Look there"
    else:
        whose = ", which is no process of this bootstrap's. Ask its owner"
    mend = "if that process is dead, free the lock and order the bootstrap again"
    return f"{held}{whose}; {mend}:\n  {_freeing(lock, place)}"


def _freeing(lock: StateLock, place: BackendPlace) -> str:
    """Without Terragrunt: before the migration is done, no folder of the repository knows this backend."""
    if lock.path.endswith(".tflock"):
        return f"aws s3 rm s3://{place.bucket}/{lock.path}"
    key = f'{{"LockID": {{"S": "{place.lock_id}"}}}}'
    return f"aws dynamodb delete-item --region {place.region} --table-name {place.lock_table} --key '{key}'"
