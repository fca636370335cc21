"""What commands print with `--json`: one model a shape, documented in docs/cli.md; fields are only ever added."""

from datetime import datetime

from docustack.gate_facts import Door
from docustack.model import Model
from docustack.runs import Operation, UnitPhase


class RunLine(Model):
    """One run, as `runs list` has it."""

    run_id: str
    workflow_id: str
    operation: Operation | None  # None where its start can't be read any more
    status: str  # a RunStatus, or how Temporal ended it: terminated, timed-out
    repository: str
    pull_request: int | None
    actor: str
    automatic: bool = False
    directories: tuple[str, ...] = ()
    environments: tuple[str, ...] = ()
    units: tuple[str, ...] = ()  # of very many units the first ones: Temporal's index holds no more
    started_at: datetime
    ended_at: datetime | None = None
    seconds: float
    url: str = ""
    imported: bool = False  # of another installation; only its record is here


class UnitLine(Model):
    """One unit of a run; counts are those of the apply where there was one, else of the plan."""

    unit: str
    phase: UnitPhase
    environment: str | None = None
    add: int | None = None
    change: int | None = None
    destroy: int | None = None
    preview: bool = False  # planned with mock outputs
    message: str = ""
    error_type: str | None = None
    log: str | None = None
    text: str | None = None  # the artifact with the plan as people read it


class OperatorLine(Model):
    """A bare signal from Temporal's own UI or CLI."""

    decision: str
    actor: str
    reason: str
    received_at: datetime | None


class DecisionLine(Model):
    """A yes or no that the run itself was given, beside reviews; `login` is only claimed where `door` is `temporal`."""

    door: Door
    decision: str  # approve, reject; of a signal that is neither, its name
    login: str
    reason: str
    received_at: datetime
    counts: bool
    told: str  # what became of it


class RunDetail(Model):
    """One run with its units, as `runs show` has it."""

    run: RunLine
    complete: bool  # False: no worker answered, and all that is known is what Temporal itself keeps
    message: str = ""
    head_commit: str = ""
    base_ref: str = ""
    waves: tuple[tuple[str, ...], ...] = ()
    units: tuple[UnitLine, ...] = ()
    operator_signals: tuple[OperatorLine, ...] = ()
    decisions: tuple[DecisionLine, ...] = ()
    plans: str = ""  # the digest of all plans together that there are to approve
    notes: tuple[str, ...] = ()  # what a run without a pull request has to say beside its message


class PullRequestLine(Model):
    """One pull request, as `pr list` has it."""

    number: int
    repository: str
    title: str = ""
    author: str = ""
    status: str  # idle, running, waiting, closed, owed (merged, not all applied), orphans (merged, not all destroyed)
    head_commit: str = ""
    active_run: str | None = None
    plans: int | None = None  # None: no worker answered
    applied: int | None = None
    queued: int | None = None
    url: str = ""


class PlannedUnit(Model):
    """One unit of a pull request: its plan, for what it waits, or that it was applied."""

    unit: str
    state: str  # planned, preview, no-changes, deferred, applied
    add: int | None = None
    change: int | None = None
    destroy: int | None = None
    waits_for: tuple[str, ...] = ()  # dependencies of whose outputs the plan knows only mocks
    commit: str = ""
    run_id: str | None = None
    digest: str | None = None


class LockLine(Model):
    """One unit that is held."""

    repository: str
    unit: str
    holder: str  # `#7`, or `run 3f2a61c09b`
    pull_request: int | None  # None: a run without one
    actor: str
    since: datetime
    token: int
    waiting: tuple[str, ...] = ()  # who wants it, the next one first


class OrphanLine(Model):
    """One unit that a merge has left owned by nobody."""

    unit: str
    repository: str
    pull_request: int
    environment: str | None
    resources: int | None  # as they were read last; None: its state could never be read
    unread: bool = False  # the last time its state could not be read
    commit: str  # of the base branch, which still has its folder
    url: str


class WaitingLine(Model):
    """One request that waits; its position counts only those that have to come first, 1 is next."""

    repository: str
    position: int
    requester: str  # `#7`, or `run 3f2a61c09b`
    pull_request: int | None
    actor: str
    units: tuple[str, ...]
    requested_at: datetime
    blocked_by: tuple[str, ...]  # who holds what it needs
    ahead: tuple[str, ...] = ()  # whose turn comes before it
