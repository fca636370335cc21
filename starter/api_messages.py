"""What the API takes and answers (docs/api.md); the command line reads the same models."""

from pydantic import Base64Bytes, Field

from docustack.deployment_decisions import DecisionKind
from docustack.model import Model
from docustack.plans import PlanSummary
from docustack.runs import ManualOrder, Operation
from starter.answers import DecisionLine


class PersonAnswer(Model):
    """Whose token it is."""

    login: str


class PlanToApprove(Model):
    """One unit's plan, as it can be read in the pull request, if there is one, or at `text`."""

    unit: str
    digest: str
    summary: PlanSummary
    preview: bool  # made from mock outputs: planned again before it is applied
    text: str = ""  # at `/logs/` of the server: the plan as people read it


class RunToApprove(Model):
    """One run, and what there is to say yes to: `commit` and `plans` go back with an approval."""

    run_id: str
    repository: str
    pull_request: int | None
    operation: Operation
    actor: str
    status: str
    message: str = ""  # for what it waits
    commit: str
    plans: str
    units: tuple[PlanToApprove, ...] = ()
    decisions: tuple[DecisionLine, ...] = ()


class ApproveOrder(Model):
    """Yes to exactly this: a run that shows something else by now refuses it."""

    commit: str = Field(min_length=7, max_length=100)
    plans: str = Field(min_length=1, max_length=100)


class RejectOrder(Model):
    """No, whatever it shows by now."""

    reason: str = Field(min_length=1, max_length=1_000)


class CancelOrder(Model):
    """Stop, whatever it is at."""

    reason: str = Field(default="", max_length=1_000)


class DecisionAnswer(Model):
    """It was taken; one that wasn't is a refusal instead."""

    accepted: bool
    run_id: str
    login: str
    message: str


class BootstrapCommand(Model):
    """Bootstrap one environment's account; who asks is told by the token, and all of this is checked again."""

    repository: str = Field(pattern=r"^[\w.-]+/[\w.-]+$")
    environment: str = Field(min_length=1, max_length=100)
    account_id: str = Field(pattern=r"^\d{12}$")
    dry_run: bool = False
    fix_account_id: bool = False


class DeploymentCommand(Model):
    """Deploy environments in the guide's order; of none named all of them."""

    repository: str = Field(pattern=r"^[\w.-]+/[\w.-]+$")
    only: str = Field(default="", max_length=100)
    first: str = Field(default="", max_length=100)
    last: str = Field(default="", max_length=100)
    bootstrap: bool = True  # False: bucket and table have to be there


class WorkflowStarted(Model):
    """A bootstrap or a deployment; `attached`: one of that id works already, and this one was not begun."""

    workflow_id: str
    run_id: str  # Temporal's own
    login: str
    attached: bool = False


class DeploymentDecision(Model):
    """An answer to the question that a deployment asks; `question` is its number, as it was shown."""

    repository: str = Field(pattern=r"^[\w.-]+/[\w.-]+$")
    kind: DecisionKind
    question: int
    unit: str = Field(default="", max_length=500)
    environment: str = Field(default="", max_length=100)  # of a rollback, as the person has typed it
    latest: bool = False


class RunCommand(Model):
    """A run without a pull request; who asks is told by the token, and all of this is judged again by the run.

    The same `request` sent again starts nothing new.
    """

    request: str = Field(pattern=r"^[0-9a-f]{32}$")
    repository: str = Field(pattern=r"^[\w.-]+/[\w.-]+$")
    operation: Operation
    paths: tuple[str, ...]
    order: ManualOrder = ManualOrder()


class WorkingCopy(Model):
    """Somebody's uncommitted changes, as `git diff --binary` writes them."""

    repository: str = Field(pattern=r"^[\w.-]+/[\w.-]+$")
    patch: Base64Bytes


class WorkingCopyKept(Model):
    """`key` is what an order says."""

    key: str


class RunStarted(Model):
    """Temporal has it."""

    run_id: str
    login: str


class RefusalAnswer(Model):
    """Every answer but 200; `refusal` is a word for programs, where there is one."""

    error: str
    what_to_do: str = ""
    refusal: str = ""
