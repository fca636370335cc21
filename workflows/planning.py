"""Plans units: all at once within the limit, since a plan reads what its dependencies have and changes nothing."""

import asyncio

from temporalio import workflow

from workflows.gate import read_person
from workflows.reporting import Report
from workflows.run_state import Refused, Run
from workflows.together import together
from workflows.unit_calls import plan_outcome

with workflow.unsafe.imports_passed_through():
    from docustack.access import decide_access
    from docustack.run_remarks import not_planned_remark
    from docustack.runs import Operation, UnitPhase


async def drop_what_may_not_be_planned(run: Run) -> None:
    """The automatic plan counts as its author's; what the actor may not plan is left out, and the reason told.

    A plan that is only made again, of the same head, was commanded by somebody who may.
    """
    if run.start.only_outdated:
        return
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
    (run.state.notes if run.start.manual is not None else run.state.remarks).extend(told)


async def plan_units(run: Run, report: Report, units: list[str]) -> None:
    """Plan a batch; each unit's comment is posted as soon as it is there, one failure stops no other."""
    limit = asyncio.Semaphore(run.configuration.plan.parallelism)

    async def plan_one(unit: str) -> None:
        async with limit:
            report.phase(unit, UnitPhase.PLANNING)
            outcome = await plan_outcome(run, unit)
        if workflow.cancellation_reason() is None:  # a plan that ended after its run was cancelled is of no use
            report.planned(outcome)

    await together(plan_one(unit) for unit in units)
