"""On whose word a run is a step of an initial deployment: a signed order, and where somebody has decided, that."""

from collections.abc import Collection, Iterable
from datetime import datetime, timedelta

from docustack.configuration import Configuration
from docustack.deployment_decisions import DecisionKind, SignedDecision, is_genuine_decision
from docustack.initial_deployment import (
    NoSuchDeployment,
    SignedDeploymentOrder,
    chosen_environments,
    deployment_workflow_id,
    is_fresh,
    is_genuine_deployment,
)
from docustack.model import Model
from docustack.orders import is_commit
from docustack.runs import ManualOrder, Operation, RunInput

DEPLOYMENT_WORKFLOW = "InitialDeploymentWorkflow"

DECIDED_WITHIN = timedelta(hours=1)
"""How long after a decision a run may still begin on it: one that was seen in a history can't be used for good."""

_GOES_ON = (DecisionKind.RETRY, DecisionKind.SKIP)


class DeploymentWord(Model):
    """What a deployment was ordered by; `decision`: the one by which this very step is done."""

    deployment: SignedDeploymentOrder
    decision: SignedDecision | None = None

    @property
    def login(self) -> str:
        """In whose name: who has spoken last."""
        return self.decision.decision.login if self.decision is not None else self.deployment.order.login


class Parent(Model):
    """The workflow that has started a run, as Temporal has it."""

    workflow_id: str
    workflow_type: str = ""  # empty: there is none
    started_at: datetime | None = None
    works: bool = False


def is_genuine_word(word: DeploymentWord, keys: Collection[str]) -> bool:
    """Whether all of it was signed by us."""
    decided = word.decision is None or is_genuine_decision(word.decision, keys)
    return is_genuine_deployment(word.deployment, keys) and decided


def refuse_word(start: RunInput, word: DeploymentWord, parent: Parent, begins_at: datetime) -> str:
    """Why these words, genuine as they are, are not about this step of this parent; empty where they are."""
    order, decided = word.deployment.order, word.decision.decision if word.decision is not None else None
    its_id = deployment_workflow_id(order.repository)
    if order.repository != start.repository or parent.workflow_id != its_id:
        return f"it rests on the order of `{its_id}`, and was started by `{parent.workflow_id}`"
    if parent.workflow_type != DEPLOYMENT_WORKFLOW or not parent.works or parent.started_at is None:
        return f"`{parent.workflow_id}` is no deployment that is at work"
    if not is_fresh(order, parent.started_at):
        return f"the order was given at {order.given_at:%Y-%m-%d %H:%M}, and not for the deployment that has started it"
    if decided is not None:
        if decided.deployment != its_id:
            return f"the decision that it rests on was given to `{decided.deployment}`"
        if abs(begins_at - decided.given_at) > DECIDED_WITHIN:
            return f"the decision that it rests on was given at {decided.given_at:%Y-%m-%d %H:%M}, too long ago"
    return _refuse_deed(start)


def _refuse_deed(start: RunInput) -> str:
    """A deployment applies, and destroys what it has made; whole units, at a commit, and no working copy."""
    order = start.manual
    assert order is not None
    plain = ManualOrder(ref=order.ref, confirmed=True, without=order.without, late=order.late)
    if start.operation not in (Operation.APPLY, Operation.DESTROY) or order != plain or not is_commit(order.ref):
        return "a deployment applies or destroys whole units at a commit, and this is something else"
    return ""


def refuse_scope(start: RunInput, word: DeploymentWord, of_order: Configuration, here: Configuration) -> str:
    """Why they don't cover what is to be done here; empty where they do.

    `of_order`: the rules of the default branch, by which the order was understood; `here`: of the environment's.
    """
    order = word.deployment.order
    try:
        ordered = chosen_environments(of_order, only=order.only, first=order.first, last=order.last)
    except NoSuchDeployment as error:
        return str(error)
    named = _environments(here, start.directories)
    if len(named) != 1:
        return "a step of a deployment is about the units of one environment"
    [environment] = named
    if environment not in ordered:
        return f"the order is for {', '.join(ordered)}, and this is about {environment or 'no environment'}"
    # Where operators of Temporal are trusted, a decision may have come from there: unsigned, its login claimed.
    if word.decision is None and here.environments[environment].trust_temporal_operators:
        return ""
    if start.actor != word.login:
        return f"it is done in the name of {start.actor}, and was ordered by {word.login}"
    return _refuse_kind(start, word, environment)


def _refuse_kind(start: RunInput, word: DeploymentWord, environment: str) -> str:
    decided = word.decision.decision if word.decision is not None else None
    if start.operation is Operation.APPLY:
        return "" if decided is None or decided.kind in _GOES_ON else f"`{decided.kind.value}` applies nothing"
    if decided is None or decided.kind is not DecisionKind.ROLL_BACK or decided.environment != environment:
        return f"nobody has decided to roll {environment} back"
    return ""


def _environments(configuration: Configuration, directories: Iterable[str]) -> set[str]:
    return {configuration.environment_of(directory.strip("/")) or "" for directory in directories}


def no_step(why: str) -> str:
    return (
        f"This run says that it is a step of an initial deployment, and nobody's word covers it: {why}. "
        "Deploy by `docustack deploy`, never by starting workflows in Temporal. Nothing was begun."
    )


NO_WORD = "it carries no order"
NOT_SIGNED = "what it rests on was not signed by this installation's server"
