"""Before a deployment touches anything: whose order it is, by which rules, and can every environment be worked on?"""

import asyncio
from collections.abc import Iterable, Sequence

from temporalio import workflow

from workflows.deployment_calls import DeploymentCalls

with workflow.unsafe.imports_passed_through():
    from docustack import deployment_texts as texts
    from docustack.access import decide_access
    from docustack.initial_deployment import (
        DeploymentEnd,
        DeploymentOrder,
        DeploymentState,
        EnvironmentProgress,
        NoSuchDeployment,
        NoSuchEnvironment,
        PrerequisitesFound,
        chosen_environments,
        is_fresh,
        judge_prerequisites,
    )
    from docustack.runs import Operation


class Ended(Exception):
    """The deployment ends before its last environment: by a decision, or since it was never begun."""

    def __init__(self, end: DeploymentEnd, why: str, *, unknown_environment: bool = False) -> None:
        super().__init__(why)
        self.end = end
        self.unknown_environment = unknown_environment


async def preflight(calls: DeploymentCalls, state: DeploymentState) -> tuple[str, ...]:
    """Puts the environments into the state, in the guide's order, each at the tip that its branch has now.

    Gives those that have to be bootstrapped first.

    Raises:
        Ended: refused, with all that is wrong of all environments.
    """
    order = state.order
    answer = await calls.check_order()
    if not answer.genuine or not is_fresh(order, workflow.now()):
        raise Ended(DeploymentEnd.REFUSED, texts.not_believed(has_key=answer.has_key))
    loaded = await calls.load_configuration()
    if loaded.configuration is None:
        raise Ended(DeploymentEnd.REFUSED, texts.no_rules("", loaded.problems))
    calls.configuration = loaded.configuration
    try:
        names = chosen_environments(loaded.configuration, only=order.only, first=order.first, last=order.last)
    except NoSuchDeployment as error:
        unknown = isinstance(error, NoSuchEnvironment)
        raise Ended(DeploymentEnd.REFUSED, str(error), unknown_environment=unknown) from error
    await _refuse_who_may_not(calls, order, names)
    rules = loaded.configuration.environments
    branches = {name: rules[name].branch for name in names}
    commits, found = await asyncio.gather(_tips(calls, branches.values()), _check_prerequisites(calls, order, names))
    if found.unmet:
        raise Ended(DeploymentEnd.REFUSED, found.unmet)
    state.warnings = list(found.warnings)
    state.environments = [
        EnvironmentProgress(
            name=name, branch=branches[name], commit=commits[branches[name]], account_id=rules[name].account_id
        )
        for name in names
    ]
    return found.without_backend


async def _check_prerequisites(
    calls: DeploymentCalls, order: DeploymentOrder, names: Sequence[str]
) -> PrerequisitesFound:
    """The guide's "Prerequisites", all at once."""
    installation, *environments = await asyncio.gather(
        calls.check_installation(names), *(calls.check_environment(name, tools=True) for name in names)
    )
    return judge_prerequisites(installation, dict(zip(names, environments, strict=True)), bootstraps=order.bootstrap)


async def _tips(calls: DeploymentCalls, branches: Iterable[str]) -> dict[str, str]:
    return {branch: await tip_of(calls, branch) for branch in dict.fromkeys(branches)}


async def tip_of(calls: DeploymentCalls, branch: str) -> str:
    """The commit that a branch has now.

    Raises:
        Ended: there is no such branch, or it has no rules that could be used.
    """
    loaded = await calls.load_configuration(branch)
    if loaded.configuration is None:
        raise Ended(DeploymentEnd.REFUSED, texts.no_rules(branch, loaded.problems))
    return loaded.commit


async def _refuse_who_may_not(calls: DeploymentCalls, order: DeploymentOrder, names: Sequence[str]) -> None:
    person = await calls.read_person(order.login)
    access = [decide_access(calls.configuration, name, Operation.APPLY, person) for name in names]
    if against := [decision.message for decision in access if not decision.allowed]:
        raise Ended(DeploymentEnd.REFUSED, texts.may_not(against, several=len(names) > 1))
