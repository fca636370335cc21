"""What a run asks of one unit, on the workers that hold the credentials of its environment."""

from temporalio import workflow
from temporalio.workflow import ActivityConfig

from workflows import policies
from workflows.failures import failed_outcome
from workflows.hosts import near_unit
from workflows.reporting import Report
from workflows.run_state import Run

with workflow.unsafe.imports_passed_through():
    from activities.terragrunt import Terragrunt
    from activities.terragrunt_messages import (
        CoverageAnswer,
        CoverageRequest,
        FreeStateLock,
        PlanAnswer,
        PlanRequest,
        PlanShape,
        StateLockAnswer,
        UnitRequest,
    )
    from docustack.deletion_texts import destroy_message, no_outputs_to_destroy_with
    from docustack.manual_runs import imports_nothing
    from docustack.plans import PlanRecord
    from docustack.run_remarks import deferred_message
    from docustack.runs import Operation, UnitOutcome, UnitPhase


def unit_policy(run: Run, environment: str) -> ActivityConfig:
    """For everything that changes nothing: simply done again after a lost worker."""
    return policies.plan_config(policies.environment_queue(environment), run.configuration.plan.timeout_minutes)


def unit_request(run: Run, unit: str) -> UnitRequest:
    """In the run's tree, or in the one beside it that has the unit."""
    environment = run.environment_of(unit)
    return UnitRequest(
        tree=run.tree_of(unit),
        unit=unit,
        environment_name=environment,
        environment=run.configuration.environments[environment],
        actor=run.start.actor,
        pull_request=run.start.number,
        timeout_minutes=run.configuration.plan.timeout_minutes,
        text_limit=Report.text_limit(run),
        destroy=run.destroys(unit),
        shape=_shape(run),
    )


def _shape(run: Run) -> PlanShape:
    order = run.start.manual
    if order is None:
        return PlanShape()
    return PlanShape(
        targets=order.targets,
        refresh_only=run.start.operation is Operation.REFRESH,
        address=order.address,
        resource_id=order.resource_id,
    )


def plan_request(run: Run, unit: str) -> PlanRequest:
    return PlanRequest(**dict(unit_request(run, unit)), previews=not run.asks_nobody)


async def plan_unit(run: Run, unit: str) -> PlanAnswer:
    """One plan; its record says what it was made from."""
    made_from = {"inputs": run.discovery.inputs.get(unit, ""), "base_commit": run.tree.base_commit}
    answer = await near_unit(
        run,
        Terragrunt.plan_unit,
        plan_request(run, unit),
        summary=unit,
        policy=unit_policy(run, run.environment_of(unit)),
    )
    if answer.record is None:
        return answer
    return answer.model_copy(update={"record": answer.record.model_copy(update=made_from)})


async def plan_coverage(run: Run, approved: PlanRecord, new: PlanRecord) -> CoverageAnswer:
    """Does the approval of one plan of a unit cover another?"""
    return await near_unit(
        run,
        Terragrunt.plan_coverage,
        CoverageRequest(approved=approved, new=new),
        summary=new.unit,
        policy=unit_policy(run, run.environment_of(new.unit)),
    )


async def free_state_lock(run: Run, unit: str) -> StateLockAnswer:
    """Free a state lock that a dead process of ours has left; any other is only told of."""
    return await near_unit(
        run,
        Terragrunt.free_state_lock,
        FreeStateLock(**dict(unit_request(run, unit))),
        summary=unit,
        policy=unit_policy(run, run.environment_of(unit)),
    )


async def plan_outcome(run: Run, unit: str) -> UnitOutcome:
    """One plan and how it ended; whatever goes wrong is told as this unit's, so that the others go on."""
    try:
        return _planned_outcome(run, unit, await plan_unit(run, unit))
    except Exception as error:
        return failed_outcome(run, unit, error)


def _planned_outcome(run: Run, unit: str, answer: PlanAnswer) -> UnitOutcome:
    """A plan, a plan of nothing, or a unit that waits for its dependency's first apply."""
    environment = run.environment_of(unit)
    record = answer.record
    if record is None and run.destroys(unit):
        message = no_outputs_to_destroy_with(answer.waits_for)
        return UnitOutcome(unit=unit, environment=environment, phase=UnitPhase.FAILED, message=message)
    if record is None:
        message = deferred_message(answer.waits_for)
        return UnitOutcome(
            unit=unit,
            environment=environment,
            phase=UnitPhase.DEFERRED,
            message=message,
            waits_for=answer.waits_for,
        )
    if imports_nothing(run.start.operation, record.summary):
        return UnitOutcome(unit=unit, environment=environment, phase=UnitPhase.NO_CHANGES, log=record.log)
    nothing_to_do = record.summary.is_empty and not record.is_preview
    phase = UnitPhase.NO_CHANGES if nothing_to_do else UnitPhase.PLANNED
    message = ""
    if record.destroy and run.start.pull_request is not None:
        rules, prefix = run.configuration.environments[environment], run.configuration.comment_prefixes[0]
        message = destroy_message(run.deleted[unit], rules, prefix)
    return UnitOutcome(unit=unit, environment=environment, phase=phase, plan=record, log=record.log, message=message)
