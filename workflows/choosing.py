"""Which units a run works on: what changed, what a command names, what may be applied from here, what is left over."""

from temporalio import workflow

from workflows.deletions import choose_destructions, undestroyed
from workflows.reporting import Report
from workflows.run_state import Refused, Run

with workflow.unsafe.imports_passed_through():
    from docustack.access import decide_branch
    from docustack.checks import apply_check, plan_only_check
    from docustack.deletion_texts import deletion_remark
    from docustack.destroy_order import destroy_waves
    from docustack.left_over import left_to_apply, left_to_plan, without_plan
    from docustack.modes import plan_only_refusal
    from docustack.repository import UnitStatus
    from docustack.run_comments import (
        no_plan_text,
        nothing_to_apply_comment,
        notice_comment,
        refusal_comment,
        unknown_directory_comment,
    )
    from docustack.run_remarks import remarks
    from docustack.runs import Operation
    from docustack.units import UnknownDirectory, in_apply_order, select


def choose_units(run: Run) -> None:
    """The units of this run: what changed, narrowed to the directories of the command."""
    discovery = run.discovery
    warnings = run.state.loaded.warnings if run.state.loaded else ()
    run.state.remarks = remarks(discovery, warnings, deleted=run.state.deleted)
    names = workable_units(run)
    if run.configuration.pull_requests.plan_also_affected:
        names += [unit for unit in discovery.also_affected if run.configuration.environment_of(unit)]
    if run.start.directories:
        try:
            names = list(select(names, run.start.directories))
        except UnknownDirectory as unknown:
            raise Refused(_no_such_directory(run, unknown)) from None
    destroyed = [unit for unit in names if run.deletes(unit)]
    applied = [unit for unit in names if unit not in destroyed]
    run.state.selected = [
        *in_apply_order(run.configuration, discovery.dependencies, applied),
        *(unit for wave in destroy_waves(run.configuration, run.order, destroyed) for unit in wave),
    ]
    if run.start.operation is Operation.PLAN:
        run.state.remarks += run.for_information(run.state.selected)


def workable_units(run: Run) -> list[str]:
    """What changes within the environments, deleted units as far as they are destroyed; an unlock wants all of them."""
    unlocks = run.start.operation is Operation.UNLOCK
    return [
        unit.unit
        for unit in run.discovery.changed
        if unit.environment is not None
        and (unit.status is not UnitStatus.DELETED or run.destroys(unit.unit) or (unlocks and run.deletes(unit.unit)))
    ]


def _no_such_directory(run: Run, unknown: UnknownDirectory) -> str:
    """Where a command names a deleted unit that is not destroyed, it is told why."""
    try:
        kept = select(run.deleted, [unknown.directory])
    except UnknownDirectory:
        return unknown_directory_comment(unknown, run.discovery.dependencies)
    return "\n\n".join(deletion_remark(run.deleted[unit]) for unit in kept)


def choose_what_to_apply(run: Run, report: Report) -> None:
    """What has a plan or waits for one; what is never applied, or not from this branch, is left out.

    Raises:
        Refused: there is nothing to apply, or all of it is left out.
    """
    start, state = run.start, run.state
    wanted = [unit for unit in state.selected if unit in start.to_apply]
    kept = not_applied_from_here(run, wanted)
    unplanned = without_plan(state.selected, start)
    reasons = list(dict.fromkeys(kept.values()))
    if unplanned and wanted:
        reasons.append(no_plan_text(unplanned, start))
    told = "\n\n".join(reasons)
    chosen = [unit for unit in wanted if unit not in kept]
    chosen, standing = choose_destructions(run, chosen)
    if standing and not chosen:
        still = apply_check((), not_destroyed=undestroyed(run))
        raise Refused("\n\n".join([*reasons, *standing]), check=still)
    if not chosen:
        only_plans = bool(kept) and not unplanned and state.new_rules is None
        check = plan_only_check(told) if only_plans else None
        raise Refused(told or nothing_to_apply_comment(state.selected, start), on_check=bool(reasons), check=check)
    if reasons:
        report.say("left-out", refusal_comment(told))
    take_chosen(run, report, chosen, standing)


def take_chosen(run: Run, report: Report, chosen: list[str], standing: list[str]) -> None:
    """These are what the run applies, and their plans what an approval has to be of; `standing` is why some stay."""
    if standing:
        report.say("not-destroyed", notice_comment(standing))
    run.state.selected = chosen
    for plan in run.start.plans:
        if plan.unit in chosen:
            run.show_plan(plan)


def not_applied_from_here(run: Run, units: list[str]) -> dict[str, str]:
    """Those of the units that are plan-only, or of another branch, and why."""
    never = _plan_only(run, units)
    return never | _of_other_branches(run, [unit for unit in units if unit not in never])


def _plan_only(run: Run, units: list[str]) -> dict[str, str]:
    base_ref = run.base_ref
    return {unit: plan_only_refusal(found, base_ref) for found in run.plan_only(units) for unit in found.units}


def _of_other_branches(run: Run, units: list[str]) -> dict[str, str]:
    base_ref = run.base_ref
    decisions = {unit: decide_branch(run.configuration, run.environment_of(unit), base_ref) for unit in units}
    return {unit: decision.message for unit, decision in decisions.items() if not decision.allowed}


def applied_from_here(run: Run) -> list[str]:
    """What the base branch promises once the pull request is merged: not what is plan-only or of another branch.

    Nor what is destroyed: a merge promises nothing of that.
    """
    placed = run.configuration.environment_of  # asked anew: the rules may have moved on since the units were found
    units = [unit for unit in workable_units(run) if placed(unit) and not run.deletes(unit)]
    return [unit for unit in units if run.is_applied_from_here(unit)]


def not_planned_yet(run: Run) -> list[str]:
    """Changed units of the pull request that neither this run nor an earlier one has planned."""
    return left_to_plan(workable_units(run), run.start, run.state.outcomes)


def not_applied_yet(run: Run) -> list[str]:
    """Units of the pull request that neither this run nor an earlier one applied.

    What is never applied from here is not left over. Nor are deleted units: `undestroyed` has them.
    """
    if run.state.owed is not None:
        return [unit for unit in run.state.owed if unit not in run.state.outcomes]
    destroyed = {plan.unit for plan in run.start.plans if plan.destroy}
    left = left_to_apply(workable_units(run), run.start, run.state.outcomes)
    left = [unit for unit in left if unit not in destroyed and not run.destroys(unit)]
    return [unit for unit in left if run.is_applied_from_here(unit)]
