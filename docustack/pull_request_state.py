"""All that the workflow of a pull request knows, and what comes into its inbox."""

from docustack.base_moves import BaseMoved
from docustack.commands import DEFAULT_PREFIXES
from docustack.deleted_units import DeletedUnit
from docustack.events import PullRequestEvent, PullRequestFacts
from docustack.lock_messages import LocksHeld, UnitsFreed
from docustack.locks import Grant
from docustack.model import Model, State
from docustack.packing import Packed
from docustack.plans import Digest, PlanRecord, PlanSummary
from docustack.repository import Repository
from docustack.rules_guard import RulesGuard, RulesVerdict
from docustack.runs import Operation, RunResult, RunStatus
from docustack.shown_plans import ShownPlan


class RunToStart(Model):
    """A run as it was asked for; who waits in line is kept in this form too."""

    operation: Operation
    actor: str
    directories: tuple[str, ...] = ()
    automatic: bool = False
    only_outdated: bool = False  # plan again what the base branch has outdated
    freed: dict[str, str] = {}  # and these units, with the reason: another pull request has given them up
    comment_id: int | None = None
    head_commit: str = ""  # the head when it was asked for
    destroy: bool = False
    challenges: str = ""  # the id of a waiting apply that it ends, once it is sure that it may begin
    merge_commit: str = ""  # after a merge: the commit at which it works

    @property
    def plans_everything(self) -> bool:
        """Its plans take the place of all plans before."""
        return self.operation is Operation.PLAN and not self.directories and not self.only_outdated

    @property
    def only_looks(self) -> bool:
        """After a merge nothing is planned; such a run reads what is left of the deleted units, and says nothing."""
        return self.operation is Operation.PLAN and bool(self.merge_commit)


class ActiveRun(Model):
    """The run that counts now."""

    run_id: str
    operation: Operation
    head_commit: str
    actor: str
    directories: tuple[str, ...] = ()
    only_outdated: bool = False
    waiting: bool = False  # at its gate: nothing is being changed
    only_looks: bool = False
    destroy: bool = False
    comment_id: int | None = None

    @property
    def plans_everything(self) -> bool:
        """Its plans take the place of all plans before."""
        return self.operation is Operation.PLAN and not self.directories and not self.only_outdated


class SupersededRun(Model):
    """A run that was cancelled for another, and whose end is still to come."""

    run_id: str
    operation: Operation
    head_commit: str
    actor: str = ""


class Challenger(Model):
    """A run that was started beside an apply that only waits; it ends that apply if it may begin itself."""

    run_id: str
    run: RunToStart


class RunMayBegin(Model):
    """A challenger has found nothing that forbids it what was asked."""

    run_id: str


class HandOver(Model):
    """Another pull request contains this merge and is about to apply: it wants what is owed of these units."""

    units: tuple[str, ...]
    to: int


class LookAtOrphans(Model):
    """Somebody wants to know whether what a merge has left owned by nobody is still there."""


class PastRun(Model):
    run_id: str
    operation: Operation
    status: RunStatus
    head_commit: str
    actor: str


class AppliedUnit(Model):
    """What an apply of a unit did, and in which run: the way from a unit to its history."""

    run_id: str
    summary: PlanSummary | None = None
    inputs: Digest = ""  # of the files that the unit read; empty where that isn't known


class RunWaits(Model):
    """A run stands at its gate, or goes on."""

    run_id: str
    waiting: bool
    shows: dict[int, tuple[str, ...]] = {}  # comments of plans that it has made again there, with their units


class PullRequestStart(Model):
    """The entity's start; `state` is carried across continue-as-new."""

    repository: Repository
    number: int
    state: "PullRequestState | None" = None


class InboxEntry(Model):
    """One thing that happened, from GitHub or from a run; exactly one field is set."""

    event: PullRequestEvent | None = None
    ended: RunResult | None = None
    waits: RunWaits | None = None
    may_begin: RunMayBegin | None = None
    base_moved: BaseMoved | None = None
    hand_over: HandOver | None = None
    held: LocksHeld | None = None
    freed: UnitsFreed | None = None
    lost: str | None = None  # the id of a run that is no more, and has not told how it ended
    unknown_signal: str | None = None  # its name
    look_at_orphans: bool = False
    look_around: bool = False  # nothing has happened for a while


class PullRequestState(State):
    """All that the entity knows."""

    inbox: list[InboxEntry] = []
    seen: list[str] = []
    facts: PullRequestFacts | None = None
    known_head: str = ""  # the head that plans and deferred units belong to
    head_since: str = ""  # when it was known at the latest, by GitHub's clock
    answered: list[int] = []  # comments that were taken: a comment counts once, by whichever delivery it comes
    planned_head: str = ""  # the head that was last planned whole, or is being planned
    active: ActiveRun | None = None
    challenger: Challenger | None = None
    superseded: list[SupersededRun] = []
    queue: list[RunToStart] = []
    plan_again: bool = False
    freed: dict[str, str] = {}  # units that others have given up, and why they are to be planned again
    freed_known: list[str] = []
    base_has_moved: bool = False  # while something ran: whether that outdates plans is looked at once nothing does
    plans: Packed[dict[str, PlanRecord]] = {}  # of the current head
    shown: Packed[dict[str, ShownPlan]] = {}  # the last plan of each unit that people could read, of the current head
    deferred: list[str] = []
    deleted: Packed[list[DeletedUnit]] = []  # units that the pull request deletes, less those it has destroyed
    deleted_head: str = ""  # the head at which a run has looked at them
    told_orphans: bool = False
    orphans: Packed[list[DeletedUnit]] = []  # merged, not destroyed, and not dismissed by name yet
    looks: int = 0  # ends of runs that have only looked at them
    slack_channel: str = ""
    changed: Packed[list[str]] = []  # what the base branch promises once the pull request is merged
    changed_head: str = ""  # the head at which a run has found that
    taken_up_merge: str = ""  # the merge commit, once it was looked at what is left to be applied
    owed: Packed[list[str]] = []  # merged, and not applied
    handed_over: dict[str, int] = {}  # what was owed and another pull request is to apply, until that one is merged
    applied: dict[str, str] = {}  # unit -> head commit it was applied at
    applied_by: dict[str, AppliedUnit] = {}  # unit -> the last run that applied it
    plan_comments: list[int] = []
    comment_units: Packed[dict[int, tuple[str, ...]]] = {}  # of each of them the units that no newer one shows
    runs: list[PastRun] = []
    comment_prefixes: tuple[str, ...] = DEFAULT_PREFIXES
    bot_login: str = ""
    told_fork: bool = False
    refused_as_draft: PastRun | None = None  # the apply whose check still says so
    held: Packed[list[Grant]] = []  # the units that are this pull request's own, as the table of locks has told
    rules: RulesGuard | None = None  # where the present head changes the rules
    rules_told: RulesVerdict | None = None
    rules_told_late: bool = False  # while an apply had begun already: its end has to be judged again
    rules_checks: int = 0
    rejected: list[str] = []  # what could not be read, with the reason (at most 20)
    told_signals: list[str] = []  # names of signals that there are none of, and that were answered

    @property
    def merge_commit(self) -> str:
        """By which it was merged; empty before, and where it was closed without."""
        return (self.facts.merge_commit or "") if self.facts and self.facts.merged else ""

    @property
    def is_open(self) -> bool:
        return self.facts is None or self.facts.state == "open"
