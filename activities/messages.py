"""What goes into and comes out of every activity: one model in, one model out; fields may be added, nothing else."""

from docustack.access import GateFacts as GateFacts  # noqa: PLC0414 - named here too, beside the questions
from docustack.access import Person as Person  # noqa: PLC0414 - named here too, beside the questions
from docustack.access import Review as Review  # noqa: PLC0414 - named here too, beside the questions
from docustack.apply_order import UnitOrder
from docustack.base_moves import MovedInputs
from docustack.configuration import Configuration, Environment, StateBackend
from docustack.events import PullRequestFacts
from docustack.lock_messages import ConfirmGrants, LocksMemo, ReleaseLocks
from docustack.locks import LockRequest
from docustack.model import Model
from docustack.packing import Packed
from docustack.plans import Change, DependencyOutputs, Digest, PlanRecord, PlanSummary
from docustack.repository import ChangedFile, Repository, WorkTree
from docustack.rule_changes import NewRules
from docustack.state_document import OwnedResources as OwnedResources  # noqa: PLC0414 - an answer too
from docustack.terragrunt_errors import StateLock
from docustack.terrateam import TerrateamConfiguration


class Nothing(Model):
    """The answer of an activity that has nothing to say."""


# ---- git -----------------------------------------------------------------------------------------------------------


class LoadConfiguration(Model):
    """Read `docustack.yaml` and `.terrateam/config.yml` from the tip of a branch."""

    repository: Repository
    ref: str  # empty: the remote's default branch


class LoadedConfiguration(Model):
    """`configuration` is None exactly where `problems` says what is wrong (file, line, what, nearest key)."""

    commit: str
    ref: str = ""  # the branch
    configuration: Configuration | None
    terrateam: TerrateamConfiguration
    problems: tuple[str, ...] = ()
    warnings: tuple[str, ...] = ()
    lines: dict[str, int] = {}  # of the keys that a refusal points at, by their dotted paths


class CheckOut(Model):
    """Make the work tree of a run: the head merged into the base branch's tip."""

    repository: Repository
    run_id: str
    base_ref: str
    head_commit: str
    pull_request: int | None = None  # saves a search for the commit of a fork
    merge_commit: str = ""  # of a merged pull request: this commit is checked out, as it came into the base branch
    name: str = ""  # of the tree's folder, where runs that follow one another share it


class CheckOutRef(Model):
    """Make the work tree of a run without a pull request: what a branch, a tag or a commit has, as it is there."""

    repository: Repository
    run_id: str
    base_ref: str  # the branch of the rules, which last applies are compared with
    ref: str  # empty: the tip of `base_ref`
    patch: str = ""  # the artifact with uncommitted changes, to be laid over it


class CheckedOut(Model):
    """The tree, and the host that has it; `environments` are those that the same worker works for."""

    tree: WorkTree
    changed_files: tuple[ChangedFile, ...]
    host: str
    environments: tuple[str, ...] = ()
    new_rules: NewRules | None = None  # the configuration as the merge would leave it, where it changes it


class Discover(Model):
    """Find the units that the changed files belong to."""

    tree: WorkTree
    changed_files: tuple[ChangedFile, ...]
    configuration: Configuration
    terrateam: TerrateamConfiguration


class ListUnits(Model):
    """Find the units that an order names: in these directories (none: everywhere), without those left out."""

    tree: WorkTree
    directories: tuple[str, ...]
    without: tuple[str, ...] = ()
    destroy: bool = False  # they are found as those to be destroyed, with who depends on each
    configuration: Configuration
    terrateam: TerrateamConfiguration


class MovedSince(Model):
    """Which files that units read have moved with the base branch, since the commit of it that is given for each?"""

    tree: WorkTree
    since: dict[str, str]


class MovedInputsAnswer(Model):
    units: tuple[MovedInputs, ...]


class AskContained(Model):
    """Does what lies in a run's tree contain a commit?"""

    tree: WorkTree
    commit: str


class ContainedAnswer(Model):
    contained: bool


class RemoveWorkTree(Model):
    """Drop a run's work tree from the host that holds it; its artifacts stay."""

    repository: Repository
    run_id: str


# ---- terragrunt ----------------------------------------------------------------------------------------------------


class PlanShape(Model):
    """What a plan is of, where it isn't of the whole difference between a unit's configuration and AWS."""

    targets: tuple[str, ...] = ()  # addresses: nothing else is planned
    refresh_only: bool = False  # what AWS has, taken into the state
    address: str = ""  # of a resource that is to be imported
    resource_id: str = ""  # of what is imported, as the provider knows it


class UnitRequest(Model):
    """One unit of a run's work tree, and as whom to work on it."""

    tree: WorkTree
    unit: str
    environment_name: str
    environment: Environment
    actor: str
    pull_request: int | None = None
    timeout_minutes: int = 30
    text_limit: int = 60_000  # characters of redacted output to return for comments
    destroy: bool = False  # the unit is planned for destruction, in a tree that still has it
    shape: PlanShape = PlanShape()


class CheckEnvironment(Model):
    """Check what an environment needs in AWS; without `backend` not the state bucket and lock table."""

    name: str
    environment: Environment
    state: StateBackend = StateBackend()
    backend: bool = True


class CheckAccount(UnitRequest):
    """Whose are the credentials that this unit, and all others of its environment in the run, will get?"""

    changes: bool


class PlanRequest(UnitRequest):
    """Plan one unit."""


class PlanAnswer(Model):
    """`record` is None where the unit is deferred: then `waits_for` names the dependencies without outputs."""

    record: PlanRecord | None
    waits_for: tuple[str, ...] = ()


class OutputsAnswer(Model):
    """The present outputs of a unit's direct dependencies, as digests."""

    dependencies: tuple[DependencyOutputs, ...]


class CoverageRequest(Model):
    """Does the approval of one plan cover another?"""

    approved: PlanRecord
    new: PlanRecord


class CoverageAnswer(Model):
    """`beyond` names (at most 50 of) the changes of the new plan that the approved one did not have."""

    covered: bool
    beyond: tuple[Change, ...] = ()
    beyond_count: int = 0


class ApplyRequest(UnitRequest):
    """Apply one saved plan, through Terragrunt."""

    plan: PlanRecord


class ApplyAnswer(Model):
    """How an apply ended; a failed one is an `ApplicationError` instead."""

    summary: PlanSummary
    text: str  # redacted, from `Apply complete!` on, outputs included; at most 60,000 characters
    log: str
    reattached: bool = False


class FailureDetails(Model):
    """What an `ApplicationError` of a unit carries beside its message: the last useful lines, redacted, and the log."""

    text: str = ""
    log: str | None = None
    state_lock: StateLock | None = None


class FreeStateLock(UnitRequest):
    """Free a Terraform state lock that a dead process of ours has left."""


class StateLockAnswer(Model):
    """What was found: `freed` only when the lock was ours and no process of its lives; else `message` says why not."""

    locked: bool
    freed: bool
    lock_id: str | None = None
    who: str | None = None
    since: str | None = None
    message: str = ""
    living: bool = False  # an apply of ours may still work on the unit, whether or not it holds that lock


# ---- order of applies ----------------------------------------------------------------------------------------------


class CompareOrder(Model):
    """What of the units' last applies do commits contain that are to be applied there?

    `commits` are the head and the base that are merged, or the one commit of a branch; `units` gives for each unit the
    digest of its inputs at them; `merges` the commits by which pull requests were merged, where that is known.
    """

    repository: Repository
    base_ref: str
    commits: tuple[str, ...]
    units: dict[str, Digest]
    pull_request: int | None = None
    merges: dict[int, str] = {}


class OrderAnswer(Model):
    units: tuple[UnitOrder, ...]


# ---- github --------------------------------------------------------------------------------------------------------


class PostComment(Model):
    """Create a comment, once: `key` is hidden in it, and a retry looks for it before it posts.

    With `comment_id` that comment is rewritten in place instead.
    """

    repository: Repository
    pull_request: int
    key: str
    body: str
    comment_id: int | None = None


class PostedComment(Model):
    comment_id: int
    url: str
    updated_at: str = ""  # when it got this text, by GitHub's clock


class MarkOutdated(Model):
    """Fold old comments away under a line that says why; their text stays."""

    repository: Repository
    pull_request: int
    comment_ids: tuple[int, ...]
    reason: str


class MarkForgotten(Model):
    """Mark the comments of all plans outdated that nobody remembers: those before a moment of GitHub's clock."""

    repository: Repository
    pull_request: int
    before: str
    reason: str


class AskAnswered(Model):
    """Has a comment been answered before, perhaps by a workflow that is long over?"""

    repository: Repository
    comment_id: int


class Answered(Model):
    """`answered` is told by a sign of ours at the comment; one that is gone can't be answered any more."""

    answered: bool


class React(Model):
    """Acknowledge a comment: `eyes`, `+1`, `-1`, `confused`, `rocket`."""

    repository: Repository
    comment_id: int
    content: str


class SetCheck(Model):
    """Create or update the check run `name` of a commit; `external_id` tells ours apart on a retry."""

    repository: Repository
    head_commit: str
    name: str
    external_id: str
    status: str  # queued, in_progress, completed
    conclusion: str | None = None  # success, failure, neutral, cancelled, action_required
    title: str
    summary: str
    details_url: str | None = None
    check_run_id: int | None = None
    only_existing: bool = False  # update the one that was made before; where there is none, make none


class CheckRun(Model):
    check_run_id: int | None  # None: there was none to update


class ReadPerson(Model):
    """Who is a login: teams by the names that docustack.yaml gives them."""

    repository: Repository
    login: str
    teams: dict[str, str]  # name -> GitHub team slug


class ReadGate(Model):
    """Read all that the gate decides on, afresh."""

    repository: Repository
    pull_request: int
    actor: str
    teams: dict[str, str]


class ReadPullRequest(Model):
    repository: Repository
    pull_request: int


class ListPullRequests(Model):
    """Which pull requests are open, for the sweep that picks up what GitHub never delivered."""

    repository: Repository


class OpenPullRequests(Model):
    pull_requests: tuple[PullRequestFacts, ...]


# ---- slack ---------------------------------------------------------------------------------------------------------


class PostMessage(Model):
    """One message of a run's thread; `key` goes into its metadata, so that a retry finds it and posts nothing twice."""

    channel: str
    text: str
    key: str
    thread: str | None = None  # ts of the thread's head


class PostedMessage(Model):
    channel: str
    ts: str


# ---- locks ---------------------------------------------------------------------------------------------------------


class RequestLocks(Model):
    """Signal a request to the table of a live repository."""

    repository: Repository
    request: LockRequest


class GiveUpLocks(Model):
    """Tell the table that somebody gives units up; one that was lost is brought back to hear of it."""

    repository: Repository
    release: ReleaseLocks


class FindHoldings(Model):
    """Who holds or wants what in a live repository, by their own word?"""

    repository: Repository


class Holdings(Model):
    memos: Packed[tuple[LocksMemo, ...]] = ()


class FindEnded(Model):
    """Which of these holders (workflow ids, with the number of the pull request, if it is one) are no more?"""

    repository: Repository
    holders: dict[str, int | None]


class Ended(Model):
    holders: tuple[str, ...] = ()


class ConfirmLocks(Model):
    """Ask whether tokens are still the units' grants."""

    repository: Repository
    grants: ConfirmGrants


# ---- this installation ---------------------------------------------------------------------------------------------


class Installation(Model):
    """What a run has to know of the installation it runs in, to make links and to wait long enough."""

    temporal_ui_url: str = ""
    temporal_namespace: str = "default"
    public_url: str = ""  # of the web server that shows logs
    apply_lease_seconds: int = 900
    cancel_grace_seconds: int = 300
    bot_login: str = ""
    takes_approvals: bool = False  # through the server


class Host(Model):
    """The host of the worker that answered, as in `docustack-<environment>@<host>`."""

    host: str
