"""How the end of a run that went its whole way is told: in its check, in Slack, and by a sign at its command."""

from collections.abc import Collection

from temporalio import workflow

from workflows.choosing import not_applied_yet, not_planned_yet, workable_units
from workflows.deletions import still_needed, undestroyed
from workflows.reporting import Report
from workflows.rules import with_new_rules
from workflows.run_state import Run

with workflow.unsafe.imports_passed_through():
    from docustack.checks import Check, apply_check, noted, plan_check, plan_only_check, with_still_needed
    from docustack.comment_text import code_list, counted
    from docustack.runs import ENDED_BADLY, Operation, UnitOutcome, UnitPhase
    from docustack.slack_messages import (
        apply_completed,
        apply_failed,
        plan_completed,
        plan_failed,
        total,
        unit_failure,
    )


def conclude(run: Run, report: Report) -> None:
    """Tell how it ended."""
    place = {unit: number for number, unit in enumerate(run.state.selected)}
    outcomes = tuple(sorted(run.state.outcomes.values(), key=lambda one: place.get(one.unit, len(place))))
    failed = next((outcome for outcome in outcomes if outcome.phase in ENDED_BADLY), None)
    why = unit_failure(failed.unit, failed.message) if failed else ""
    match run.start.operation:
        case Operation.PLAN:
            _conclude_plan(run, report, outcomes, why)
        case Operation.APPLY:
            left = not_applied_yet(run)
            check = apply_check(outcomes, left=left, not_destroyed=undestroyed(run))
            check = _with_earlier(
                check, set(run.start.applied) & set(workable_units(run)) - {*run.state.outcomes}, "applied"
            )
            check = with_still_needed(_with_plan_only(run, check, run.start.to_apply), still_needed(run))
            report.check.set(check)
            report.slack.say(apply_failed(why) if failed else apply_completed(left))
            report.outbox.react("confused" if failed else "rocket")
        case Operation.UNLOCK:
            report.outbox.react("+1")


def _conclude_plan(run: Run, report: Report, outcomes: tuple[UnitOutcome, ...], why: str) -> None:
    left = not_planned_yet(run)
    check = noted(plan_check(outcomes, left=left), list(run.state.reasons.values()), "planned again")
    check = _with_earlier(check, set(workable_units(run)) - {*run.state.outcomes, *left}, "planned")
    check = with_still_needed(_with_plan_only(run, check, run.state.outcomes), still_needed(run))
    report.check.set(with_new_rules(run, check))
    report.outbox.react("confused" if why else "+1")
    partial = run.start.directories or run.start.only_outdated
    if not partial and not left and run.state.new_rules is None:
        _conclude_what_is_never_applied(run, report, outcomes)
    summaries = [outcome.plan.summary for outcome in outcomes if outcome.plan]
    if outcomes:
        report.slack.say(plan_failed(why) if why else plan_completed(total(summaries)))


def _with_earlier(check: Check, units: Collection[str], done: str) -> Check:
    """The check speaks of all units of the pull request, and the run only of its own: the others are named beside."""
    if not units:
        return check
    return noted(
        check, [f"{done.capitalize()} before: {code_list(sorted(units), 50)}."], f"{len(units):,} {done} before"
    )


def _conclude_what_is_never_applied(run: Run, report: Report, outcomes: tuple[UnitOutcome, ...]) -> None:
    """Nothing has changes but what is only planned here, or deleted: maybe no apply comes to set the other check."""
    to_apply = [outcome.unit for outcome in outcomes if outcome.phase is not UnitPhase.NO_CHANGES]
    to_apply += [unit for unit in run.state.left_out if unit in run.start.to_apply]
    if all(run.destroys(unit) for unit in to_apply):
        report.check.set_of_apply(with_still_needed(apply_check((), not_destroyed=to_apply), still_needed(run)))
    elif not any(run.is_applied_from_here(unit) for unit in to_apply):
        report.check.set_of_apply(plan_only_check("\n\n".join(run.for_information(to_apply))))


def _with_plan_only(run: Run, check: Check, units: Collection[str]) -> Check:
    kept = [unit for unit in units if not run.is_applied_from_here(unit)]
    mark = "plan only" if len(kept) == len(units) else f"{counted(len(kept), 'unit')} plan only"
    return noted(check, run.for_information(kept), mark)
