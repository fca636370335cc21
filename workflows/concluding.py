"""How the end of a run that went its whole way is told: in its check, in Slack, and by a sign at its command."""

from temporalio import workflow

from workflows.choosing import left_to_apply, left_to_plan
from workflows.reporting import Report
from workflows.run_state import Run

with workflow.unsafe.imports_passed_through():
    from docustack.checks import apply_check, plan_check
    from docustack.runs import ENDED_BADLY, Operation, UnitOutcome, UnitPhase
    from docustack.slack_messages import apply_completed, apply_failed, plan_completed, plan_failed, total


def conclude(run: Run, report: Report) -> None:
    """Tell how it ended."""
    outcomes = tuple(run.state.outcomes.values())
    failed = next((outcome for outcome in outcomes if outcome.phase in ENDED_BADLY), None)
    why = f"{failed.unit}: {failed.message}" if failed else ""
    match run.start.operation:
        case Operation.PLAN:
            _conclude_plan(run, report, outcomes, why)
        case Operation.APPLY:
            report.check(apply_check(outcomes, left=left_to_apply(run)))
            report.slack(apply_failed(why) if failed else apply_completed())
            report.react("confused" if failed else "rocket")
        case Operation.UNLOCK:
            report.react("+1")


def _conclude_plan(run: Run, report: Report, outcomes: tuple[UnitOutcome, ...], why: str) -> None:
    left = left_to_plan(run)
    report.check(plan_check(outcomes, left=left))
    nothing_to_apply = all(outcome.phase is UnitPhase.NO_CHANGES for outcome in outcomes)
    if not run.start.directories and not left and nothing_to_apply:
        report.check_of_apply(apply_check(()))
    summaries = [outcome.plan.summary for outcome in outcomes if outcome.plan]
    if outcomes:
        report.slack(plan_failed(why) if why else plan_completed(total(summaries)))
