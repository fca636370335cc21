"""The data of a run: what starts it, what it carries and shows, and the signals that it takes.

Imported passed through the sandbox: making these classes anew for each workflow would take longer than its first task.
"""

from datetime import datetime

from activities.git_messages import LoadedConfiguration
from activities.installation import Installation
from docustack.decisions import GivenDecision
from docustack.deleted_units import DeletedUnit
from docustack.deployment_steps import DeploymentWord
from docustack.locks import Grant
from docustack.model import Model, State
from docustack.packing import Packed
from docustack.plans import Digest
from docustack.repository import Discovery, WorkTree
from docustack.rule_changes import NewRules
from docustack.rules_guard import ShownRules
from docustack.runs import RunInput, RunStatus, UnitOutcome, UnitPhase
from docustack.shown_plans import ShownPlan


class SlackMessage(Model):
    """One message that Slack has not taken yet; `key` keeps it from being posted twice."""

    key: str
    text: str


class RunState(State):
    """What is known, what is done."""

    status: RunStatus = RunStatus.RUNNING
    message: str = ""
    installation: Installation = Installation()
    loaded: LoadedConfiguration | None = None
    tree: WorkTree | None = None
    shown_rules: ShownRules | None = None  # the change of the rules as people could read it last
    approved_rules: Digest = ""  # the one with which the gate was passed
    new_rules: NewRules | None = None  # where the pull request changes the rules, by which it is not judged
    discovery: Packed[Discovery | None] = None
    selected: list[str] = []  # units of this run, in the order in which they are worked on
    remarks: list[str] = []  # sentences for the person, beside the units' own comments
    deleted: Packed[list[DeletedUnit]] = []  # what becomes of the units that the pull request deletes
    started_at: datetime | None = None
    phases: dict[str, UnitPhase] = {}
    outcomes: Packed[dict[str, UnitOutcome]] = {}
    texts: dict[str, str] = {}  # of a run over many units: each one's share of its one comment
    comments: list[int] = []
    comment_units: Packed[dict[int, tuple[str, ...]]] = {}  # the units whose plans each of them shows
    left_out: list[str] = []  # units that the actor may not plan
    check_run_id: int | None = None
    slack_thread: str | None = None
    slack_queue: list[SlackMessage] = []  # oldest first
    tokens: dict[str, int] = {}
    plans_are_old: bool = False  # the run has waited in line: each unit is planned again before it is applied
    shown: Packed[dict[str, ShownPlan]] = {}  # what there is to approve: the plan of each unit that people can read
    gate_passed: bool = False
    decisions: list[GivenDecision] = []  # given to the run itself, by whoever it was; the oldest first
    decisions_forgotten: int = 0  # those that didn't count and made room
    nonces: list[str] = []  # of signed decisions: each counts once
    standing_comments: dict[str, int] = {}  # comments that are rewritten in place
    has_turn: bool = False  # of a challenger: the apply before it has ended
    renewed: list[str] = []  # units whose plan was made again since the base branch had moved
    reasons: dict[str, str] = {}  # why units are planned again, to be said beside their plans
    owed: Packed[list[str] | None] = None  # after a merge: what was not applied before; None: nobody has looked
    held_by_others: list[Grant] = []  # what of it this pull request can't keep
    hosts: dict[str, str] = {}  # by task queue: the host that has the run's work tree, as long as it answers
    notes: list[str] = []  # what a run without a pull request has to say
    planned: bool = False  # of an order: its plans are there, and it is at its gate or beyond
    quiet: bool = False  # nothing is said of this run as long as it has found nothing to do


class RunStart(Model):
    """The input of a `RunWorkflow`; `carried` is set only by its own continue-as-new."""

    input: RunInput
    word: DeploymentWord | None = None  # of a step of an initial deployment: what it rests on
    carried: RunState | None = None


class RunView(Model):
    """The answer of the query `show`: what a person wants to see of a run."""

    input: RunInput
    status: RunStatus
    message: str
    units: dict[str, UnitPhase]
    outcomes: Packed[tuple[UnitOutcome, ...]]
    started_at: datetime
    plans: str = ""  # the digest of all plans together that there are to approve
    shown: Packed[tuple[ShownPlan, ...]] = ()  # each of them
    decisions: tuple[GivenDecision, ...] = ()
    waves: tuple[tuple[str, ...], ...] = ()  # the same units, in the order in which they are applied
    commit: str = ""  # what is planned and applied; empty before a run without a pull request has found it
    base_ref: str = ""
    notes: tuple[str, ...] = ()  # what a run without a pull request has to say, beside its message


class LookAgain(Model):
    """Something that the gate decides on may have changed; `actor` commanded the apply anew, if somebody did."""

    actor: str | None = None


class YourTurn(Model):
    """The apply that waited has ended: a challenger may begin."""
