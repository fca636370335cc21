"""A saved plan of one unit: what it would change, from which outputs it was made, and whether it may be applied."""

from enum import StrEnum

from docustack.model import Model

ArtifactRef = str
"""The key of an object in the artifact store, `runs/<run id>/<unit>/plan.json`."""

Digest = str
"""`sha256:<hex>`."""


CHANGES = "changes.json"
MARKED = "marked"


class OutputsKind(StrEnum):
    """Where the outputs of a dependency came from when a plan was made."""

    REAL = "real"
    MOCK = "mock"  # none there yet (or some keys missing), so `mock_outputs` were used
    MISSING = "missing"  # none there yet and no mock that may be used: the unit can't be planned


class DependencyOutputs(Model):
    """What a plan got from one dependency."""

    unit: str
    kind: OutputsKind
    digest: Digest | None = None  # of the real outputs' canonical JSON; None where there are none


class PlanSummary(Model):
    """Resource counts, as in `Plan: 1 to add, 0 to change, 0 to destroy.`"""

    add: int = 0
    change: int = 0
    destroy: int = 0
    outputs_changed: int = 0
    imported: int = 0

    @property
    def is_empty(self) -> bool:
        return not (self.add or self.change or self.destroy or self.outputs_changed or self.imported)


class TypeCount(Model):
    """So many resources of one type: `2` of `aws_subnet`."""

    type: str
    count: int


class PlanRecord(Model):
    """One saved plan; binary, JSON and text lie in the artifact store, here are only references.

    `digest` is over the canonical JSON of what changes (resource changes, output changes), not over the binary, so two
    plans that do the same have the same digest.
    """

    unit: str
    run_id: str
    commit: str  # the pull request's head commit
    tree_commit: str  # the commit that was checked out: the merge of head into base
    digest: Digest
    summary: PlanSummary
    dependencies: tuple[DependencyOutputs, ...] = ()
    binary: ArtifactRef
    json_document: ArtifactRef
    text: ArtifactRef
    log: ArtifactRef
    text_preview: str = ""  # redacted plan text, cut to the request's `text_limit`
    inputs: Digest = ""  # of all files that the unit reads in the tree; empty in a record of an older version
    base_commit: str = ""  # the tip of the base branch that the head was merged into
    destroy: bool = False  # of a deleted unit, from the tree that still has it: everything that it owns goes away
    destroys: tuple[TypeCount, ...] = ()  # what goes away, by type (at most 20 of them)
    spent: bool = False  # an apply of it has begun: it is never applied again, only compared with
    shown_at: str = ""  # since when people can read it, by GitHub's clock: approvals before that don't count for it
    from_nothing: bool = False  # the state held no resource when it was made
    state_unwritten: bool = False  # an earlier apply could not write its state, of which this plan knows nothing

    @property
    def is_preview(self) -> bool:
        """Made from mock outputs: shown to people, never applied."""
        return any(dependency.kind is OutputsKind.MOCK for dependency in self.dependencies)

    def without_text(self) -> "PlanRecord":
        """The record as it is kept and passed on: the text was for one comment."""
        return self.model_copy(update={"text_preview": ""})


def changes_of(plan: PlanRecord) -> ArtifactRef:
    """Where the `Change`s of a plan lie, beside its JSON."""
    return f"{plan.json_document.rpartition('/')[0]}/{CHANGES}"


def marked_of(plan: PlanRecord) -> ArtifactRef:
    """Where it is kept, sealed, what Terraform marks as sensitive in a plan; not beside one of an older version."""
    return f"{plan.json_document.rpartition('/')[0]}/{MARKED}"


def live_log(run_id: str, unit: str) -> ArtifactRef:
    """Where it can be read how far a running apply of a unit is."""
    return f"runs/{run_id}/{unit}/live.txt"


class Change(Model):
    """One changed attribute of one resource: plans are compared by the set of these."""

    address: str
    action: str  # create, update, delete, replace, read, forget, import
    attribute: str


class PlanVerdict(StrEnum):
    """Whether a saved plan may be applied now (design, "A run", rule 5)."""

    APPLY = "apply"
    PLAN_AGAIN = "plan-again"


def judge_plan(record: PlanRecord, present: tuple[DependencyOutputs, ...]) -> PlanVerdict:
    """A saved plan is applied only if it was made from the outputs that its dependencies have now."""
    if record.spent:
        return PlanVerdict.PLAN_AGAIN
    made_with = {dependency.unit: dependency for dependency in record.dependencies}
    has_now = {dependency.unit: dependency for dependency in present}
    if made_with.keys() != has_now.keys():
        return PlanVerdict.PLAN_AGAIN
    for unit, then in made_with.items():
        now = has_now[unit]
        if then.kind is not OutputsKind.REAL or now.kind is not OutputsKind.REAL or then.digest != now.digest:
            return PlanVerdict.PLAN_AGAIN
    return PlanVerdict.APPLY
