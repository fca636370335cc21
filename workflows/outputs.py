"""Reads what units give to others (`docustack output`): changes nothing, asks nobody, takes no lock."""

import asyncio

from temporalio import workflow

from workflows.failures import failed_outcome
from workflows.hosts import near_unit
from workflows.planning import drop_what_may_not_be_planned
from workflows.reporting import Report
from workflows.run_state import Run
from workflows.together import together
from workflows.unit_calls import unit_policy, unit_request

with workflow.unsafe.imports_passed_through():
    from activities.terragrunt import Terragrunt
    from docustack.runs import UnitOutcome, UnitPhase


async def read_outputs(run: Run, report: Report) -> None:
    """Who may plan a unit may read its outputs: a plan of what depends on it shows them too."""
    await drop_what_may_not_be_planned(run)
    limit = asyncio.Semaphore(run.configuration.plan.parallelism)

    async def read_one(unit: str) -> None:
        async with limit:
            report.phase(unit, UnitPhase.PLANNING)
            outcome = await _outcome(run, unit)
        run.state.outcomes = {**run.state.outcomes, unit: outcome}

    await together(read_one(unit) for unit in run.state.selected)


async def _outcome(run: Run, unit: str) -> UnitOutcome:
    environment = run.environment_of(unit)
    try:
        found = await near_unit(
            run, Terragrunt.read_outputs, unit_request(run, unit), summary=unit, policy=unit_policy(run, environment)
        )
    except Exception as error:
        return failed_outcome(run, unit, error)
    return UnitOutcome(unit=unit, environment=environment, phase=UnitPhase.NO_CHANGES, text=found.model_dump_json())
