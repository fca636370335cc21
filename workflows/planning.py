"""Plans units: all at once within the limit, since a plan reads what its dependencies have and changes nothing."""

import asyncio

from temporalio import workflow

from workflows import policies
from workflows.calls import call
from workflows.failures import failed_outcome
from workflows.reporting import Report
from workflows.run_state import Refused, Run
from workflows.together import together

with workflow.unsafe.imports_passed_through():
    from activities.github import GitHub
    from activities.messages import PlanAnswer, PlanRequest, ReadPerson
    from activities.terragrunt import Terragrunt
    from docustack.access import decide_access
    from docustack.run_remarks import deferred_message, not_planned_remark
    from docustack.runs import Operation, UnitOutcome, UnitPhase


async def drop_what_may_not_be_planned(run: Run) -> None:
    """The automatic plan counts as its author's; what the actor may not plan is left out, and the reason told."""
    actor = run.start.actor
    person = await call(
        GitHub.read_person,
        ReadPerson(repository=run.start.repository, login=actor, teams=run.configuration.teams),
        summary=actor,
        policy=policies.GITHUB,
    )
    refusals = [
        decision
        for environment in run.environments()
        if not (decision := decide_access(run.configuration, environment, Operation.PLAN, person)).allowed
    ]
    refused = {
        environment
        for environment in run.environments()
        if not decide_access(run.configuration, environment, Operation.PLAN, person).allowed
    }
    left_out = [unit for unit in run.state.selected if run.environment_of(unit) in refused]
    run.state.selected = [unit for unit in run.state.selected if unit not in left_out]
    if not refusals:
        return
    told = [not_planned_remark(decision, automatic=run.start.automatic) for decision in refusals]
    if not run.state.selected and not run.start.automatic:
        raise Refused("\n\n".join(told))
    run.state.remarks.extend(told)


async def plan_units(run: Run, report: Report, units: list[str]) -> None:
    """Plan a batch; each unit's comment is posted as soon as it is there, one failure stops no other."""
    limit = asyncio.Semaphore(run.configuration.plan.parallelism)

    async def plan_one(unit: str) -> None:
        async with limit:
            report.phase(unit, UnitPhase.PLANNING)
            try:
                answer = await plan_unit(run, unit)
                outcome = planned_outcome(run, unit, answer)
            except Exception as error:  # whatever it is, it is told as this unit's, and the others go on
                outcome = failed_outcome(run, unit, error)
        if workflow.cancellation_reason() is None:  # a plan that ended after its run was cancelled is of no use
            report.planned(outcome)

    await together(plan_one(unit) for unit in units)


async def plan_unit(run: Run, unit: str) -> PlanAnswer:
    """One plan, on the workers that hold the environment's credentials."""
    environment = run.environment_of(unit)
    return await call(
        Terragrunt.plan_unit,
        plan_request(run, unit),
        summary=unit,
        policy=policies.plan_config(policies.environment_queue(environment), run.configuration.plan.timeout_minutes),
    )


def plan_request(run: Run, unit: str) -> PlanRequest:
    environment = run.environment_of(unit)
    return PlanRequest(
        tree=run.tree,
        unit=unit,
        environment_name=environment,
        environment=run.configuration.environments[environment],
        actor=run.start.actor,
        pull_request=run.start.pull_request.number,
        timeout_minutes=run.configuration.plan.timeout_minutes,
        text_limit=Report.text_limit(run),
    )


def planned_outcome(run: Run, unit: str, answer: PlanAnswer) -> UnitOutcome:
    """A plan, a plan of nothing, or a unit that waits for its dependency's first apply."""
    environment = run.environment_of(unit)
    record = answer.record
    if record is None:
        message = deferred_message(answer.waits_for)
        return UnitOutcome(unit=unit, environment=environment, phase=UnitPhase.DEFERRED, message=message)
    nothing_to_do = record.summary.is_empty and not record.is_preview
    phase = UnitPhase.NO_CHANGES if nothing_to_do else UnitPhase.PLANNED
    return UnitOutcome(unit=unit, environment=environment, phase=phase, plan=record, log=record.log)
