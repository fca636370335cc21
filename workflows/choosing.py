"""Which units a run works on: what changed, what a command names, what may be applied from here, what is left over."""

from temporalio import workflow

from workflows.reporting import Report
from workflows.run_state import Refused, Run

with workflow.unsafe.imports_passed_through():
    from docustack.access import decide_branch
    from docustack.checks import plan_only_check
    from docustack.modes import is_plan_only, plan_only_refusal, plan_only_remark
    from docustack.repository import ChangedUnit, UnitStatus
    from docustack.run_comments import nothing_to_apply_comment, refusal_comment, unknown_directory_comment
    from docustack.run_remarks import remarks
    from docustack.runs import Operation
    from docustack.units import UnknownDirectory, in_apply_order, select


def choose_units(run: Run) -> None:
    """The units of this run: what changed, narrowed to the directories of the command."""
    discovery = run.discovery
    warnings = run.state.loaded.warnings if run.state.loaded else ()
    run.state.remarks = remarks(discovery, warnings, still_owned=run.state.still_owned)
    present = [unit for unit in discovery.changed if is_workable(unit)]
    names = [unit.unit for unit in present]
    if run.configuration.pull_requests.plan_also_affected:
        names += [unit for unit in discovery.also_affected if run.configuration.environment_of(unit)]
    if run.start.directories:
        try:
            names = list(select(names, run.start.directories))
        except UnknownDirectory as unknown:
            raise Refused(unknown_directory_comment(unknown.directory, unknown.changed)) from None
    run.state.selected = in_apply_order(run.configuration, discovery.dependencies, names)
    if run.start.operation is Operation.PLAN:
        run.state.remarks += [plan_only_remark(found) for found in run.plan_only(run.state.selected)]


def is_workable(unit: ChangedUnit) -> bool:
    """A deleted unit is reported, never planned; one outside every environment has no rules to go by."""
    return unit.status is not UnitStatus.DELETED and unit.environment is not None


def choose_what_to_apply(run: Run, report: Report) -> None:
    """What has a plan or waits for one; what is never applied, or not from this branch, is left out.

    Raises:
        Refused: there is nothing to apply, or all of it is left out.
    """
    start, state = run.start, run.state
    wanted = [unit for unit in state.selected if unit in start.to_apply]
    never = _plan_only(run, wanted)
    elsewhere = _of_other_branches(run, [unit for unit in wanted if unit not in never])
    reasons = list(dict.fromkeys([*never.values(), *elsewhere.values()]))
    told = "\n\n".join(reasons)
    chosen = [unit for unit in wanted if unit not in never and unit not in elsewhere]
    if not chosen:
        check = plan_only_check(told) if never and not elsewhere and state.new_rules is None else None
        raise Refused(told or nothing_to_apply_comment(state.selected, start), on_check=bool(reasons), check=check)
    if reasons:
        report.say("left-out", refusal_comment(told))
    state.selected = chosen
    for plan in start.plans:
        if plan.unit in chosen:
            run.show_plan(plan)


def _plan_only(run: Run, units: list[str]) -> dict[str, str]:
    base_ref = run.start.pull_request.base_ref
    return {unit: plan_only_refusal(found, base_ref) for found in run.plan_only(units) for unit in found.units}


def _of_other_branches(run: Run, units: list[str]) -> dict[str, str]:
    base_ref = run.start.pull_request.base_ref
    decisions = {unit: decide_branch(run.configuration, run.environment_of(unit), base_ref) for unit in units}
    return {unit: decision.message for unit, decision in decisions.items() if not decision.allowed}


def left_to_plan(run: Run) -> list[str]:
    """Changed units of the pull request that neither this run nor an earlier one has planned."""
    start = run.start
    known = {plan.unit for plan in start.plans} | set(start.deferred) | set(start.applied)
    changed = {unit.unit for unit in run.discovery.changed if is_workable(unit)}
    return sorted(changed - set(run.state.outcomes) - known)


def left_to_apply(run: Run) -> list[str]:
    """Changed units of the pull request that have a plan, and that neither this run nor an earlier one applied.

    What is plan-only is not left over: it is never applied.
    """
    start = run.start
    left = start.to_apply - set(run.state.outcomes) - set(start.applied)
    return sorted(unit for unit in left if not is_plan_only(run.configuration, unit))
