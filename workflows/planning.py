"""Plans units: all at once within the limit, since a plan reads what its dependencies have and changes nothing."""

import asyncio

from temporalio import workflow

from workflows.failures import failed_outcome
from workflows.gate import read_person
from workflows.reporting import Report
from workflows.run_state import Refused, Run
from workflows.together import together
from workflows.unit_calls import plan_unit

with workflow.unsafe.imports_passed_through():
    from activities.messages import PlanAnswer
    from docustack.access import decide_access
    from docustack.deletion_texts import destroy_message, no_outputs_to_destroy_with
    from docustack.run_remarks import deferred_message, not_planned_remark
    from docustack.runs import Operation, UnitOutcome, UnitPhase


async def drop_what_may_not_be_planned(run: Run) -> None:
    """The automatic plan counts as its author's; what the actor may not plan is left out, and the reason told."""
    person = await read_person(run, run.start.actor)
    decisions = {name: decide_access(run.configuration, name, Operation.PLAN, person) for name in run.environments()}
    refusals = {name: decision for name, decision in decisions.items() if not decision.allowed}
    run.state.left_out = [unit for unit in run.state.selected if run.environment_of(unit) in refusals]
    run.state.selected = [unit for unit in run.state.selected if unit not in run.state.left_out]
    if not refusals:
        return
    told = [not_planned_remark(decision, automatic=run.start.automatic) for decision in refusals.values()]
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


def planned_outcome(run: Run, unit: str, answer: PlanAnswer) -> UnitOutcome:
    """A plan, a plan of nothing, or a unit that waits for its dependency's first apply."""
    environment = run.environment_of(unit)
    record = answer.record
    if record is None and run.destroys(unit):
        message = no_outputs_to_destroy_with(answer.waits_for)
        return UnitOutcome(unit=unit, environment=environment, phase=UnitPhase.FAILED, message=message)
    if record is None:
        message = deferred_message(answer.waits_for)
        return UnitOutcome(unit=unit, environment=environment, phase=UnitPhase.DEFERRED, message=message)
    nothing_to_do = record.summary.is_empty and not record.is_preview
    phase = UnitPhase.NO_CHANGES if nothing_to_do else UnitPhase.PLANNED
    message = ""
    if record.destroy:
        rules, prefix = run.configuration.environments[environment], run.configuration.comment_prefixes[0]
        message = destroy_message(run.deleted[unit], rules, prefix)
    return UnitOutcome(unit=unit, environment=environment, phase=phase, plan=record, log=record.log, message=message)
