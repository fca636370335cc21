"""Before a deployment touches anything: whose order it is, by which rules, and can every environment be worked on?"""

import asyncio
from collections.abc import Sequence

from temporalio import workflow

from workflows.deployment_calls import DeploymentCalls

with workflow.unsafe.imports_passed_through():
    from docustack import deployment_texts as texts
    from docustack.access import decide_access
    from docustack.initial_deployment import (
        DeploymentEnd,
        DeploymentOrder,
        EnvironmentProgress,
        NoSuchDeployment,
        chosen_environments,
        is_fresh,
    )
    from docustack.runs import Operation


class Ended(Exception):
    """The deployment ends before its last environment: by a decision, or since it was never begun."""

    def __init__(self, end: DeploymentEnd, why: str) -> None:
        super().__init__(why)
        self.end = end


async def preflight(calls: DeploymentCalls, order: DeploymentOrder) -> list[EnvironmentProgress]:
    """The environments in the guide's order, each at the tip that its branch has now.

    Raises:
        Ended: refused, with all that is wrong of all environments.
    """
    answer = await calls.check_order()
    if not answer.genuine or not is_fresh(order, workflow.now()):
        raise Ended(DeploymentEnd.REFUSED, texts.not_believed(has_key=answer.has_key))
    loaded = await calls.load_configuration()
    if loaded.configuration is None:
        raise Ended(DeploymentEnd.REFUSED, texts.no_rules("", loaded.problems))
    calls.configuration = loaded.configuration
    try:
        names = chosen_environments(loaded.configuration, order)
    except NoSuchDeployment as error:
        raise Ended(DeploymentEnd.REFUSED, str(error)) from error
    await _refuse_who_may_not(calls, order, names)
    branches = {name: loaded.configuration.environments[name].branch for name in names}
    commits = {branch: await tip_of(calls, branch) for branch in dict.fromkeys(branches.values())}
    unmet = await asyncio.gather(*(calls.unmet(name, backend=not order.bootstrap) for name in names))
    if any(unmet):
        raise Ended(DeploymentEnd.REFUSED, "\n".join(filter(None, unmet)))
    return [EnvironmentProgress(name=name, branch=branches[name], commit=commits[branches[name]]) for name in names]


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
        raise Ended(DeploymentEnd.REFUSED, texts.may_not(against))
