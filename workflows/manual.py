"""A run without a pull request: a person's own order, or a step of another workflow (guide, "Manual Deployment").

It plans what it names, and goes on with what the plans would change through the same gate, locks and applies.
"""

import asyncio

from temporalio import workflow

from workflows import policies
from workflows.applying import all_waves
from workflows.calls import call
from workflows.deletions import look_at_deletions, state_of
from workflows.reporting import Report
from workflows.run_state import Refused, Run
from workflows.telling import tell_locks

with workflow.unsafe.imports_passed_through():
    from activities.open_pull_requests import OpenPullRequestWorkflows
    from docustack.comment_text import code_list
    from docustack.deleted_units import Fate
    from docustack.destroy_order import destroy_waves
    from docustack.lock_messages import ReleaseLocks, UnitsFreed
    from docustack.manual_runs import (
        cannot_be_planned,
        kept_because,
        never_applied,
        no_unit_there,
        nothing_to_do,
        of_other_branches,
        outside_environments,
        units_to_change,
        what_is_left,
        what_was_done,
        without_free_dependants,
    )
    from docustack.modes import plan_only_refusal
    from docustack.orders import working_copy_refused
    from docustack.plans import PlanSummary
    from docustack.runs import DONE, ENDED_BADLY, ManualOrder, Operation, UnitOutcome, UnitPhase
    from docustack.slack_messages import apply_completed, apply_failed, total, unit_failure
    from docustack.units import DependencyCycle, UnknownDirectory, in_apply_order, select


def choose_ordered_units(run: Run, order: ManualOrder) -> None:
    """All units that the order names, in the order in which they are worked on.

    Raises:
        Refused: a path without a unit, units outside of all environments, a dependency cycle, several units with
            targets.
    """
    found, start, state = run.discovery, run.start, run.state
    if not found.changed:
        raise Refused(_nothing_named(run, order))
    outside = [unit.unit for unit in found.changed if unit.environment is None]
    inside = [unit.unit for unit in found.changed if unit.environment is not None]
    if outside and (start.directories or not inside):
        raise Refused(outside_environments(outside))
    if (order.targets or order.address) and len(inside) != 1:
        what = "Targets are" if order.targets else "A resource to import is"
        raise Refused(f"{what} of one unit, and this names {len(inside)}: {code_list(tuple(inside))}.")
    state.remarks = [*found.warnings, *(state.loaded.warnings if state.loaded else ())]
    state.notes += state.remarks
    state.selected = inside
    if start.operation is Operation.DESTROY:
        return  # what their states hold is looked at once it is known that this person may have them destroyed
    try:
        state.selected = in_apply_order(run.configuration, found.dependencies, inside)
        all_waves(run)
    except DependencyCycle as cycle:
        raise Refused(str(cycle)) from None


def _nothing_named(run: Run, order: ManualOrder) -> str:
    units, commit = run.discovery.dependencies, run.tree.tree_commit
    for directory in run.start.directories:
        try:
            select(units, [directory])
        except UnknownDirectory:
            return no_unit_there(directory, units.keys(), commit)
    left_out = f" once {code_list(order.without)} {'is' if len(order.without) == 1 else 'are'} left out"
    return f"There is no unit to work on{left_out if order.without else f' at `{commit[:7]}`'}."


async def look_at_destruction(run: Run) -> None:
    """What each of them owns, and whether something that stays still uses it.

    Raises:
        Refused: something still does, it can't be told, or a dependency cycle.
    """
    state, selected = run.state, set(run.state.selected)
    staying = sorted({unit for each in run.discovery.deletions for unit in each.needed_by if unit not in selected})
    placed = [unit for unit in staying if run.configuration.environment_of(unit) is not None]
    limit = asyncio.Semaphore(run.configuration.plan.parallelism)

    async def uses(unit: str) -> bool:
        async with limit:
            owned = await state_of(run, unit)
        return not owned.known or owned.count > 0

    answers = await asyncio.gather(*map(uses, placed))
    in_use = {unit for unit, used in zip(placed, answers, strict=True) if used}
    deletions = without_free_dependants(run.discovery.deletions, selected, in_use)
    state.discovery = run.discovery.model_copy(update={"deletions": deletions})
    await look_at_deletions(run)
    kept = [each for each in state.deleted if each.fate not in (Fate.DESTROY, Fate.NOTHING_LEFT)]
    if kept:
        raise Refused("Nothing is destroyed.\n\n" + "\n\n".join(kept_because(each) for each in kept))
    destroyed = [each.unit for each in state.deleted if each.fate is Fate.DESTROY]
    try:
        state.selected = [unit for wave in destroy_waves(run.configuration, run.order, destroyed) for unit in wave]
    except DependencyCycle as cycle:
        raise Refused(str(cycle)) from None


def refuse_what_is_never_applied(run: Run) -> None:
    """Units in plan-only mode, of environments whose truth is another branch, and working copies where none is wanted.

    Raises:
        Refused: with where that is set.
    """
    units, base_ref = run.state.selected, run.base_ref
    told = [plan_only_refusal(found, base_ref) for found in run.plan_only(units)]
    told += filter(None, [of_other_branches(run.configuration, run.start, base_ref, units)])
    if run.start.manual is not None and run.start.manual.working_copy:
        rules = run.configuration.environments
        told += [working_copy_refused(name) for name in run.environments() if not rules[name].apply_working_copies]
    if told:
        raise Refused("\n\n".join(told))


def put_off_plans(run: Run) -> None:
    """Where nobody looks at the plans, and none of the units has been applied yet as far as is known, those that depend
    on others are not even looked at before their turn."""
    order = run.start.manual
    assert order is not None
    if not order.late or not run.asks_nobody:
        return
    selected, dependencies = set(run.state.selected), run.discovery.dependencies
    for unit in run.state.selected:
        if selected & {*dependencies.get(unit, ())}:
            environment = run.environment_of(unit)
            run.state.outcomes[unit] = UnitOutcome(unit=unit, environment=environment, phase=UnitPhase.DEFERRED)


def settle_plans(run: Run) -> bool:
    """What the plans would change becomes what is asked for and applied; False where that is nothing.

    Raises:
        Refused: a unit could not be planned, or waits for one that this order doesn't apply.
    """
    start, state = run.start, run.state
    state.planned = True
    failed = [outcome for outcome in state.outcomes.values() if outcome.phase is UnitPhase.FAILED]
    if failed:
        for unit, outcome in state.outcomes.items():
            if outcome not in failed:
                waits = outcome.model_copy(update={"phase": UnitPhase.SKIPPED, "message": cannot_be_planned(failed)})
                state.outcomes = {**state.outcomes, unit: waits}
        state.message = cannot_be_planned(failed)
        return False
    wanted = units_to_change(start.operation, state.outcomes, run.discovery)
    makes = start.operation in (Operation.APPLY, Operation.IMPORT)
    if makes and (missing := never_applied(state.outcomes.values(), wanted)):
        raise Refused("\n\n".join(missing))
    if not wanted:
        state.message = nothing_to_do(start.operation, start.manual.targets if start.manual else ())
        return False
    plans = [outcome.plan for unit, outcome in state.outcomes.items() if unit in wanted and outcome.plan is not None]
    deferred = [unit for unit, outcome in state.outcomes.items() if outcome.phase is UnitPhase.DEFERRED]
    run.start = start.model_copy(update={"plans": tuple(plans), "deferred": tuple(deferred)})
    state.selected = [unit for unit in state.selected if unit in wanted]
    state.outcomes = {unit: outcome for unit, outcome in state.outcomes.items() if unit not in wanted}
    state.phases = {unit: phase for unit, phase in state.phases.items() if unit not in wanted}
    for plan in plans:
        if not plan.summary.is_empty or plan.is_preview:
            run.show_plan(plan)
    return True


def changed_by(run: Run) -> PlanSummary:
    """All that it has changed, summed up."""
    return total([outcome.summary for outcome in run.state.outcomes.values() if outcome.summary is not None])


async def let_go(run: Run) -> None:
    """At the end: nobody is there to keep the units for; pull requests with plans for what has changed plan again."""
    if run.start.manual is None or not run.state.tokens:
        return
    await tell_locks(run.start.repository, "release", ReleaseLocks(holder=run.holder, actor=run.start.actor))
    changed = tuple(unit for unit, one in run.state.outcomes.items() if one.phase in DONE and one.summary is not None)
    if not changed:
        return
    freed = UnitsFreed(
        repository=run.start.repository,
        holder=run.holder,
        units=changed,
        how=f"has ended: {run.start.operation.value} by {run.start.actor}",
        key=run.start.run_id,
    )
    try:
        await call(OpenPullRequestWorkflows.tell_freed, freed, summary=f"{len(changed)} units", policy=policies.LOCKS)
    except Exception as error:
        workflow.logger.warning("open pull requests were not told: %s", error)


def tell_what_is_left(run: Run) -> None:
    """Of one that was cut off: beside why, what it has done, and what not."""
    if run.start.manual is not None and run.state.gate_passed:
        run.state.message = f"{run.state.message}\n{_what_became_of_it(run)}"


def _what_became_of_it(run: Run) -> str:
    done = what_was_done(run.start.operation, changed_by(run))
    left = what_is_left(run.state.outcomes, run.state.selected)
    return f"{done}\n{left}" if left else done


def conclude_order(run: Run, report: Report) -> None:
    """Its last word, beside what became of each unit; a plan changes nothing, and Slack need not know of it."""
    state = run.state
    if state.message or not state.gate_passed:
        return
    state.message = _what_became_of_it(run)
    failed = next((outcome for outcome in state.outcomes.values() if outcome.phase in ENDED_BADLY), None)
    report.slack.say(apply_failed(unit_failure(failed.unit, failed.message)) if failed else apply_completed())
