"""The beginning of every run: the rules of the base branch, the work tree, the units that have changed."""

import asyncio

from temporalio import workflow
from temporalio.exceptions import ActivityError

from workflows import policies
from workflows.calls import call
from workflows.run_state import Refused, Run
from workflows.unit_calls import unit_policy

with workflow.unsafe.imports_passed_through():
    from activities.discovery import Units
    from activities.git import Git
    from activities.installation import Surroundings
    from activities.messages import CheckOut, Discover, LoadConfiguration, Nothing, OwnedResources, UnitRequest
    from activities.terragrunt import Terragrunt
    from docustack.repository import ChangedUnit, UnitStatus
    from docustack.run_comments import configuration_problem_comment


DELETED_UNITS_LOOKED_AT = 20
"""Of more units deleted at once only the names are told."""


async def read_rules(run: Run) -> None:
    """The configuration of the base branch: a pull request is never judged by its own rules."""
    state = run.state
    state.installation = await call(
        Surroundings.read_installation, Nothing(), policy=policies.on(policies.CONTROL_QUEUE)
    )
    state.loaded = await call(
        Git.load_configuration,
        LoadConfiguration(repository=run.start.repository, ref=run.start.pull_request.base_ref),
        summary=f"docustack.yaml of {run.start.pull_request.base_ref}",
        policy=policies.GIT,
    )
    if state.loaded.configuration is None:
        raise Refused(configuration_problem_comment(state.loaded.problems), on_check=True)


async def find_units(run: Run) -> None:
    """Check out the merge of head into base, and find what the pull request changes."""
    start, state = run.start, run.state
    assert state.loaded is not None
    checked_out = await call(
        Git.check_out,
        CheckOut(
            repository=start.repository,
            run_id=start.run_id,
            base_ref=start.pull_request.base_ref,
            head_commit=start.pull_request.head_commit,
            pull_request=start.pull_request.number,
        ),
        summary=f"{start.pull_request.head_commit[:7]} into {start.pull_request.base_ref}",
        policy=policies.GIT,
    )
    state.tree, state.new_rules = checked_out.tree, checked_out.new_rules
    state.discovery = await call(
        Units.discover,
        Discover(
            tree=checked_out.tree,
            changed_files=checked_out.changed_files,
            configuration=run.configuration,
            terrateam=state.loaded.terrateam,
        ),
        summary=f"{len(checked_out.changed_files)} changed files",
        policy=policies.GIT,
    )


async def look_at_deleted_units(run: Run) -> None:
    """What a deleted unit still owns is asked in the base branch's tree, which still has its folder."""
    deleted = [
        unit
        for unit in run.discovery.changed
        if unit.status is UnitStatus.DELETED and unit.environment in run.configuration.environments
    ][:DELETED_UNITS_LOOKED_AT]
    answers = await asyncio.gather(*(_owned(run, unit) for unit in deleted))
    run.state.still_owned = {
        unit.unit: answer.addresses for unit, answer in zip(deleted, answers, strict=True) if answer.known
    }


async def _owned(run: Run, unit: ChangedUnit) -> OwnedResources:
    assert unit.environment is not None
    tree = run.tree.model_copy(update={"run_id": base_tree_id(run), "tree_commit": run.tree.base_commit})
    try:
        return await call(
            Terragrunt.list_resources,
            UnitRequest(
                tree=tree,
                unit=unit.unit,
                environment_name=unit.environment,
                environment=run.configuration.environments[unit.environment],
                actor=run.start.actor,
                pull_request=run.start.pull_request.number,
            ),
            summary=unit.unit,
            policy=unit_policy(run, unit.environment),
        )
    except ActivityError as error:
        workflow.logger.warning("the state of %s could not be read: %s", unit.unit, error.cause)
        return OwnedResources(known=False)


def base_tree_id(run: Run) -> str:
    """The name of the work tree of the base branch, beside the run's own."""
    return f"{run.start.run_id}-base"
