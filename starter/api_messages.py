"""What the API takes and answers (docs/api.md); the command line reads the same models."""

from pydantic import Field

from docustack.model import Model
from docustack.plans import PlanSummary
from docustack.runs import Operation
from starter.answers import DecisionLine


class PersonAnswer(Model):
    """Whose token it is."""

    login: str


class PlanToApprove(Model):
    """One unit's plan, as it can be read in the pull request."""

    unit: str
    digest: str
    summary: PlanSummary
    preview: bool  # made from mock outputs: planned again before it is applied


class RunToApprove(Model):
    """One run, and what there is to say yes to: `commit` and `plans` go back with an approval."""

    run_id: str
    repository: str
    pull_request: int
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


class DecisionAnswer(Model):
    """It was taken; one that wasn't is a refusal instead."""

    accepted: bool
    run_id: str
    login: str
    message: str


class RefusalAnswer(Model):
    """Every answer but 200; `refusal` is a word for programs, where there is one."""

    error: str
    what_to_do: str = ""
    refusal: str = ""
