"""The record that a unit was applied: who, when, at which commits, by which plan. Kept for good, only added to."""

from datetime import datetime

from docustack.model import Model
from docustack.plans import Digest
from docustack.repository import Repository
from docustack.runs import Operation, UnitPhase


class AuditedApply(Model):
    """One apply of one unit, as it ended; the newest of a unit's records is the truth about what is applied there.

    What was applied is the merge of `head_commit` into `base_commit`; without a pull request both are the same commit.
    """

    repository: Repository
    unit: str
    environment: str
    run_id: str
    actor: str
    at: datetime
    outcome: UnitPhase  # applied, or unknown where it can't be known whether state was written
    pull_request: int | None = None
    base_ref: str
    base_commit: str
    head_commit: str
    tree_commit: str
    inputs: Digest = ""  # of all files that the unit reads
    plan_digest: Digest = ""
    operation: Operation = Operation.APPLY
    targets: tuple[str, ...] = ()  # addresses, where only a part of the unit was applied

    @property
    def key(self) -> str:
        """Sorts by time; the same for every attempt to record the end of one unit in one run.

        A refresh or an import brings no commit to AWS: it lies beside the applies, and is none of them.
        """
        folder = audit_folder(self.repository, self.unit, self.operation)
        return f"{folder}{self.at:%Y%m%dT%H%M%S.%f}Z-{self.run_id}.json"


def audit_folder(repository: Repository, unit: str, operation: Operation = Operation.APPLY) -> str:
    """Where the records of one unit lie, and of none below it: those of its applies and destructions together."""
    folder = {Operation.REFRESH: "@refreshes", Operation.IMPORT: "@imports"}.get(operation, "@applies")
    return f"audit/{repository.full_name}/{unit}/{folder}/"
