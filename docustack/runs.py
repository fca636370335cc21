"""A run: one operation over a set of units at one commit, and how it ended for each of them."""

from datetime import datetime
from enum import StrEnum

from docustack.deleted_units import DeletedUnit
from docustack.model import Model
from docustack.packing import Packed
from docustack.plans import ArtifactRef, PlanRecord, PlanSummary
from docustack.repository import Repository
from docustack.rules_guard import RulesGuard, ShownRules


class Operation(StrEnum):
    PLAN = "plan"
    APPLY = "apply"
    UNLOCK = "unlock"
    DESTROY = "destroy"
    REFRESH = "refresh"  # what is in AWS is written into the state, and nothing else is changed
    IMPORT = "import"  # what is in AWS already becomes a resource of a unit
    OUTPUT = "output"  # what units give to others is read

    @property
    def changes(self) -> bool:
        """Does it write to a unit's state, so that it wants what an apply wants: access, approvals, lock?"""
        return self not in (Operation.PLAN, Operation.UNLOCK, Operation.OUTPUT)


class UnitPhase(StrEnum):
    """Where one unit of a run stands; the last seven are how it can end."""

    WAITING = "waiting"
    PLANNING = "planning"
    APPLYING = "applying"
    PLANNED = "planned"
    DEFERRED = "deferred"  # can't be planned before a dependency has been applied
    APPLIED = "applied"
    NO_CHANGES = "no-changes"
    FAILED = "failed"
    SKIPPED = "skipped"  # depends on a unit that failed, or the run was cancelled before it began
    UNKNOWN = "unknown"  # it can't be known whether state was written


DONE = (UnitPhase.APPLIED, UnitPhase.NO_CHANGES)
"""The ends of an apply after which the unit is as the commit has it."""

ENDED_BADLY = (UnitPhase.FAILED, UnitPhase.UNKNOWN, UnitPhase.SKIPPED)
"""The ends that keep a run from having succeeded, and dependants from being applied."""


class UnitOutcome(Model):
    """How a run ended for one unit."""

    unit: str
    environment: str
    phase: UnitPhase
    plan: PlanRecord | None = None
    summary: PlanSummary | None = None  # of the apply: what was added, changed, destroyed
    message: str = ""  # what failed, where, what to do; for a deferred or skipped unit: for what it waits
    error_type: str | None = None
    text: str = ""  # redacted output for the comment: from `Apply complete!` on, or the last useful lines
    log: ArtifactRef | None = None
    waits_for: tuple[str, ...] = ()  # of a deferred unit: dependencies without outputs
    created: bool = False  # by an apply: its state held nothing before
    seconds: float = 0.0  # that its apply took, plans made again included


class RunStatus(StrEnum):
    RUNNING = "running"
    WAITING = "waiting-for-approval"
    IN_LINE = "waiting-in-line"  # for units that other pull requests hold
    SUCCEEDED = "succeeded"
    FAILED = "failed"
    REFUSED = "refused"  # access, lock, or a rule said no; nothing was changed
    CANCELLED = "cancelled"


class PullRequestRef(Model):
    """What a run has to know of its pull request."""

    number: int
    author: str
    head_commit: str
    base_ref: str
    url: str = ""


class ManualOrder(Model):
    """What a run without a pull request is made of: a person's own command, or a step of another workflow.

    Guide, "Manual Deployment".
    """

    ref: str = ""  # branch, tag or commit; empty: the tip of the branch of the units' environments
    confirmed: bool = False  # the actor has said yes beforehand to whatever the plans show
    targets: tuple[str, ...] = ()  # addresses of resources, all of one unit
    address: str = ""  # of an import: the resource in the unit's configuration
    resource_id: str = ""  # of an import: the id by which the provider finds what is there
    without: tuple[str, ...] = ()  # units that are left out
    late: bool = False  # where nobody is asked, plan what depends on other units only when its turn comes
    working_copy: ArtifactRef = ""  # the artifact with uncommitted changes on `ref`
    given_at: datetime | None = None
    signature: str = ""  # our server's, which has verified whose order it is; a step of a deployment has that one's


class RunInput(Model):
    """The start of a run: of a pull request, or of an order without one."""

    run_id: str
    repository: Repository
    operation: Operation
    actor: str
    pull_request: PullRequestRef | None = None
    manual: ManualOrder | None = None
    automatic: bool = False  # started by an event, not by a person's command
    directories: tuple[str, ...] = ()  # directories and globs of the command; empty: all units there are to work on
    plans: Packed[tuple[PlanRecord, ...]] = ()  # for an apply: the plans of the head commit
    comment_id: int | None = None  # the command's comment, to answer to
    challenges: str = ""  # the id of a waiting apply, whose place it takes once it is sure that it may begin
    deferred: tuple[str, ...] = ()  # for an apply: units whose plan waits for a dependency's first apply
    applied: tuple[str, ...] = ()  # for an apply: units that were applied at this head already
    draft: bool = False
    destroy: bool = False  # an apply by the words `apply --destroy`
    freed: dict[str, str] = {}  # with `only_outdated`: units to be planned again all the same, and why
    only_outdated: bool = False  # plan only what the base branch has outdated, and say nothing if that is nothing
    merge_commit: str = ""  # the pull request was merged by it: what is left of it is applied at this commit
    shown_rules: ShownRules | None = None  # what people can read of the rules' change since an earlier run
    orphans: tuple[str, ...] = ()  # after a merge: units on record as owned by nobody

    @property
    def number(self) -> int | None:
        """Of its pull request."""
        return self.pull_request.number if self.pull_request is not None else None

    @property
    def applies_itself(self) -> bool:
        """The merge was the command: nobody has asked for this apply."""
        return self.automatic and bool(self.merge_commit)

    @property
    def to_apply(self) -> set[str]:
        """The units whose plan has changes, or may have once it is made from real outputs, or waits to be made."""
        planned = {plan.unit for plan in self.plans if not plan.summary.is_empty or plan.is_preview}
        return planned | set(self.deferred)


class RunResult(Model):
    """The end of a run, as it is signalled to the pull request."""

    run_id: str
    operation: Operation
    status: RunStatus
    head_commit: str
    outcomes: Packed[tuple[UnitOutcome, ...]] = ()
    message: str = ""
    comments: tuple[int, ...] = ()  # plan comments posted, to be marked outdated later
    comment_units: Packed[dict[int, tuple[str, ...]]] = {}  # the units whose plans each of them shows
    left_out: tuple[str, ...] = ()  # units that the actor may not plan: nothing new is known of them
    renewed: Packed[tuple[PlanRecord, ...]] = ()  # plans made again at the gate of an apply, and not applied by it
    comment_prefixes: tuple[str, ...] = ()  # as docustack.yaml on the base branch has them
    rules: RulesGuard | None = None  # where the pull request changes the rules
    deleted: Packed[tuple[DeletedUnit, ...] | None] = None  # what becomes of deleted units; None: nobody has looked
    slack_channel: str = ""  # as docustack.yaml on the base branch has it
    changed: Packed[tuple[str, ...] | None] = None  # what the base branch promises once this is merged; None: not known
    owed: Packed[tuple[str, ...] | None] = (
        None  # after a merge: what of it is still not applied; None: nobody has looked
    )
    dependencies: Packed[dict[str, tuple[str, ...]]] = {}  # without a pull request: direct ones, of every unit
