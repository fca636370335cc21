"""Which units a run works on: what changed, what a command names, what may be applied from here, what is left over."""

from temporalio import workflow

from workflows.reporting import Report
from workflows.run_state import Refused, Run

with workflow.unsafe.imports_passed_through():
    from docustack.access import decide_branch
    from docustack.repository import ChangedUnit, UnitStatus
    from docustack.run_comments import nothing_to_apply_comment, refusal_comment, unknown_directory_comment
    from docustack.run_remarks import remarks
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


def is_workable(unit: ChangedUnit) -> bool:
    """A deleted unit is reported, never planned; one outside every environment has no rules to go by."""
    return unit.status is not UnitStatus.DELETED and unit.environment is not None


def choose_what_to_apply(run: Run, report: Report) -> None:
    """What has a plan or waits for one; what its environment doesn't take from this branch is left out.

    Raises:
        Refused: there is nothing to apply, or all of it is left out.
    """
    start, state = run.start, run.state
    chosen = [unit for unit in state.selected if unit in start.to_apply]
    refusals = {
        name: decision
        for name in run.environments()
        if not (decision := decide_branch(run.configuration, name, start.pull_request.base_ref)).allowed
    }
    left_out = [unit for unit in chosen if run.environment_of(unit) in refusals]
    chosen = [unit for unit in chosen if unit not in left_out]
    reasons = [refusals[name].message for name in dict.fromkeys(run.environment_of(unit) for unit in left_out)]
    if not chosen:
        raise Refused("\n\n".join(reasons) or nothing_to_apply_comment(state.selected, start), on_check=bool(reasons))
    if reasons:
        report.say("branch", refusal_comment("\n\n".join(reasons)))
    state.selected = chosen


def left_to_plan(run: Run) -> list[str]:
    """Changed units of the pull request that neither this run nor an earlier one has planned."""
    start = run.start
    known = {plan.unit for plan in start.plans} | set(start.deferred) | set(start.applied)
    changed = {unit.unit for unit in run.discovery.changed if is_workable(unit)}
    return sorted(changed - set(run.state.outcomes) - known)


def left_to_apply(run: Run) -> list[str]:
    """Changed units of the pull request that have a plan, and that neither this run nor an earlier one applied."""
    start = run.start
    return sorted(start.to_apply - set(run.state.outcomes) - set(start.applied))
