"""What a deployment says to people: in the terminal, in Slack, in Temporal's UI."""

from collections.abc import Iterable, Mapping, Sequence

from docustack.bootstrap_file import FILE
from docustack.comment_text import counted, enumerated
from docustack.deployment_decisions import DecisionKind, Question, TakenDecision
from docustack.initial_deployment import (
    DeploymentEnd,
    DeploymentOrder,
    DeploymentOutcome,
    EnvironmentProgress,
    Stage,
)
from docustack.runs import UnitPhase
from docustack.slack_messages import escaped, link

CANCELLED = "The deployment is cancelled: Terraform finishes what it has in hand; what is done stays."
BACKEND_WAS_THERE = "bucket and table were there"

_NAMED = 10
_AS_IT_WAS = (Stage.UNCHANGED,)
_DONE = (Stage.DEPLOYED, Stage.UNCHANGED)


def title(order: DeploymentOrder) -> str:
    """As in the list of workflows in Temporal's own UI."""
    what = "deploy" if order.only and not order.bootstrap else "initial deployment"
    stretch = [order.only] if order.only else []
    stretch += [f"from {order.first}"] if order.first else []
    stretch += [f"until {order.last}"] if order.last else []
    return " ".join([what, *(stretch or ["of all environments"]), f"by {order.login}"])


def begun(order: DeploymentOrder, environments: Iterable[EnvironmentProgress]) -> str:
    names = " → ".join(environment.name for environment in environments)
    return f"Deployment of {order.repository.full_name} started by {order.login}: {names}"


def not_believed(*, has_key: bool) -> str:
    if not has_key:
        return "Nobody can tell who ordered this: this worker has no DOCUSTACK_APPROVAL_KEYS."
    return (
        "Nobody can tell who ordered this: the order has no signature of our server, or is too old. Order it with "
        "`docustack deploy`."
    )


def may_not(messages: Sequence[str], *, several: bool) -> str:
    """Told of all environments at once, before the first is touched."""
    fewer = ", or of fewer environments: --until, --from, --environment" if several else ""
    return "\n".join([*messages, f"Order it as somebody who may{fewer}."])


def no_rules(branch: str, problems: Sequence[str]) -> str:
    where = f"docustack.yaml of `{branch}`" if branch else "docustack.yaml of the default branch"
    return " ".join([f"{where} can't be used.", *problems[:5]])


def word_is_old(environment: str) -> str:
    return (
        f"The bootstrap of {environment} was not begun: the last word of a person is more than an hour old. "
        "`docustack deploy retry` is one."
    )


def bootstrap_works(account_id: str) -> str:
    return f"A bootstrap of account {account_id} works already. Once it has ended: retry."


def question(environment: EnvironmentProgress) -> str:
    """What failed and where its log is, then how far the environment is, and what a rollback would destroy."""
    told = [f"`{unit}`: {environment.reasons[unit]}" for unit in environment.failed if unit in environment.reasons]
    told = told[:_NAMED] or [environment.message.strip() or "It did not succeed."]
    if environment.failed and environment.run_id:
        told.append(f"Its log: `docustack runs show {environment.run_id}`.")
    for what, units in (
        ("Done", environment.done),
        ("Failed", environment.failed),
        ("Not begun", environment.not_begun),
    ):
        if units:
            told.append(f"{what}: {_some(units)}.")
    if environment.made:
        told.append(f"A rollback would destroy: {_all(reversed(environment.made))}.")
    return "\n".join(told)


def reminds(asked: Question) -> str:
    """Once, where nobody has answered for long."""
    return f"Still waiting, since {asked.asked_at:%Y-%m-%d %H:%M} UTC: {asks(asked)}"


def asks(asked: Question) -> str:
    """In one line, for Slack and Temporal's UI."""
    parts = [
        f"{counted(len(units), 'unit')} {what}"
        for what, units in (("done", asked.done), ("failed", asked.failed), ("not begun", asked.not_begun))
        if units
    ]
    answers = ", ".join(f"`docustack deploy {kind.value}`" for kind in asked.answers)
    far = f" ({', '.join(parts)})" if parts else ""
    failed = f": {_some(asked.failed)} failed" if asked.failed else ""
    return f"{asked.environment} has stopped{failed}{far}. It waits for a decision: {answers}"


def cancelled(decisions: Sequence[TakenDecision]) -> str:
    """By whom, where they did so through our server."""
    by = [given.login for given in decisions if given.kind == DecisionKind.CANCEL and given.counts]
    return f"The deployment was cancelled{f' by {by[-1]}' if by else ''}."


def decided(decision: TakenDecision) -> str:
    what = f"{decision.kind} {decision.unit}".strip()
    latest = ", at the present commit" if decision.latest else ""
    return f"{decision.login} decided for {decision.environment}: {what}{latest}"


def accepted(kind: DecisionKind, asked: Question, left_out: Sequence[str] = ()) -> str:
    match kind:
        case DecisionKind.RETRY:
            left = len(asked.failed) + len(asked.not_begun)
            return f"{asked.environment} is tried again" + (f": {counted(left, 'unit')}." if left else ".")
        case DecisionKind.SKIP:
            return f"Left out of {asked.environment}: {_some(left_out)}."
        case DecisionKind.ROLL_BACK:
            return f"{counted(len(asked.made), 'unit')} of {asked.environment} will be destroyed: {_some(asked.made)}."
        case DecisionKind.STOP:
            return f"The deployment stops at {asked.environment}; what is done stays."
        case DecisionKind.CANCEL:
            return CANCELLED


def environment_done(environment: EnvironmentProgress) -> str:
    """`dev is deployed: 5 units applied`."""
    applied, same = environment.names(UnitPhase.APPLIED), environment.names(UnitPhase.NO_CHANGES)
    if not environment.units:
        return f"{environment.name} has no units"
    parts = [f"{counted(len(applied), 'unit')} applied"] if applied else []
    parts += [f"{counted(len(same), 'unit')} without changes"] if same else []
    parts += [f"left out: {_some(environment.left_out)}"] if environment.left_out else []
    is_what = "is as it was" if environment.stage in _AS_IT_WAS else "is deployed"
    return f"{environment.name} {is_what}: {', '.join(parts) or 'nothing to apply'}"


def done(environments: Sequence[EnvironmentProgress]) -> DeploymentOutcome:
    """All of it came to its end; a deployment of what was deployed before says that it changed nothing."""
    told = [f"{environment_done(environment)}." for environment in environments]
    if all(environment.stage in _AS_IT_WAS for environment in environments):
        everything = enumerated([environment.name for environment in environments])
        message = f"Nothing was changed: {everything} {'are' if len(environments) > 1 else 'is'} deployed already."
        return DeploymentOutcome(end=DeploymentEnd.NOTHING_TO_DO, message="\n".join([message, *told]))
    return DeploymentOutcome(end=DeploymentEnd.DONE, message="\n".join(told))


def ended_early(end: DeploymentEnd, why: str, environments: Sequence[EnvironmentProgress]) -> DeploymentOutcome:
    """What came before it ended, and how to go on."""
    told = [why]
    told += [f"{environment_done(environment)}." for environment in environments if environment.stage in _DONE]
    told += [
        f"{environment.name}: {_how_far(environment)}."
        for environment in environments
        if environment.stage not in _DONE
    ]
    if environments and end is not DeploymentEnd.REFUSED:
        told.append("The same command goes on from here: what is applied has no changes then.")
    return DeploymentOutcome(end=end, message="\n".join(told))


def with_bootstraps_to_merge(outcome: DeploymentOutcome, left: Mapping[str, str]) -> DeploymentOutcome:
    """One pull request an account, which only a person merges."""
    if not left:
        return outcome
    what = counted(len(left), "pull request")
    told = (
        f"To be merged: {what} of bootstraps, one an account, in any order. Each switches `remote_state` on in {FILE}:"
    )
    lines = [f"  {name}: {url}" for name, url in left.items()]
    return outcome.model_copy(update={"message": "\n".join([outcome.message, told, *lines])})


def overview(environments: Sequence[EnvironmentProgress], doing: str, warnings: Sequence[str] = ()) -> str:
    """A line an environment, for Temporal's own UI."""
    lines = [*([doing] if doing else []), *map(warned, warnings)]
    for environment in environments:
        run = f" (run {environment.run_id})" if environment.run_id else ""
        lines.append(f"{environment.name}: {environment.stage.value}{run}")
    return "\n".join(lines)


def warned(warning: str) -> str:
    """Of what keeps nothing from being deployed."""
    return f"Warning: {warning}"


def stopped(decision: TakenDecision) -> str:
    return f"The deployment was stopped at {decision.environment} by {decision.login}."


def rolled_back(environment: EnvironmentProgress, gone: Sequence[str]) -> str:
    return f"{environment.name} is rolled back: {_some(gone)} destroyed."


def _how_far(environment: EnvironmentProgress) -> str:
    if environment.stage in (Stage.WAITING, Stage.NOT_BEGUN):
        return "not begun"
    parts = [
        f"{what}: {_some(units)}"
        for what, units in (
            ("done", environment.done),
            ("failed", environment.failed),
            ("not begun", environment.not_begun),
        )
        if units
    ]
    return "; ".join(parts) or environment.stage.value


def _some(units: Sequence[str]) -> str:
    shown = [f"`{unit}`" for unit in units[:_NAMED]]
    return enumerated([*shown, f"{len(units) - _NAMED:,} more"] if len(units) > _NAMED else shown)


def _all(units: Iterable[str]) -> str:
    """Of what is to be destroyed nothing is left unsaid."""
    return enumerated([f"`{unit}`" for unit in units])


def for_slack(text: str, url: str = "") -> str:
    """With a link to the workflow in Temporal's own UI in the head of the thread."""
    return f"{escaped(text)}\n{link(url, 'Temporal')}" if url else escaped(text)
