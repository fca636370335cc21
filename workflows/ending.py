"""The end of a run, whatever has brought it about: told, put together for who waits for it, and cleaned up."""

from temporalio import workflow
from temporalio.exceptions import is_cancelled_exception

from workflows.choosing import applied_from_here
from workflows.concluding import conclude
from workflows.decisions import cancelled_by
from workflows.deletions import what_was_seen_of_deletions
from workflows.failures import message_of
from workflows.hosts import remove_work_trees
from workflows.locking import LockAnswers
from workflows.manual import conclude_order, let_go, tell_what_is_left
from workflows.merging import still_owed, tell_what_is_owed
from workflows.preparing import trees_beside
from workflows.renewing import end_quietly
from workflows.reporting import Report
from workflows.rules import rules_guard
from workflows.run_state import Refused, Run
from workflows.telling import tell_pull_request

with workflow.unsafe.imports_passed_through():
    from docustack.checks import refused_check
    from docustack.repository import UnitStatus
    from docustack.run_comments import refusal_comment
    from docustack.runs import ENDED_BADLY, Operation, RunResult, RunStatus, UnitOutcome, UnitPhase
    from docustack.slack_messages import PLAN_CANCELLED, apply_failed, plan_failed


async def end_run(run: Run, report: Report, locks: LockAnswers, problem: BaseException | None) -> RunResult:
    """Post what is left, tell the pull request, clean up: all of it, whatever has happened before."""
    start, state = run.start, run.state
    try:
        _say_how_it_ended(run, report, problem)
    except Exception as error:
        state.status, state.message = RunStatus.FAILED, message_of(problem or error)
        report.say_why("failed", refusal_comment(state.message))
        report.check.set(refused_check(state.message, failed=True))
    await tell_what_is_owed(run, report, locks)
    await report.outbox.flush()
    report.status()
    outcomes = tuple(state.outcomes.values())
    result = RunResult(
        run_id=start.run_id,
        operation=start.operation,
        status=state.status,
        head_commit=run.head_commit,
        outcomes=outcomes,
        message=state.message,
        comments=tuple(state.comments),
        comment_units=state.comment_units,
        left_out=tuple(state.left_out),
        renewed=run.renewed_plans(),
        comment_prefixes=tuple(run.configuration.comment_prefixes)
        if state.loaded and state.loaded.configuration
        else (),
        rules=rules_guard(run),
        deleted=what_was_seen_of_deletions(run),
        changed=tuple(applied_from_here(run)) if state.discovery else None,
        owed=still_owed(run),
        slack_channel=run.configuration.slack.channel if state.loaded and state.loaded.configuration else "",
        dependencies=run.discovery.dependencies if start.manual is not None and state.discovery else {},
    )
    await tell_pull_request(start, "run_ended", result)
    await let_go(run)
    await _remove_work_trees(run)
    return result


def _say_how_it_ended(run: Run, report: Report, problem: BaseException | None) -> None:
    if run.state.quiet:
        end_quietly(run, problem)
    elif isinstance(problem, Refused):
        _refused(run, report, problem)
    elif problem is not None:
        _broken(run, report, problem)
    else:
        run.state.status = _end_status(run)
        if run.start.manual is not None:
            conclude_order(run, report)
        else:
            conclude(run, report)


def _end_status(run: Run) -> RunStatus:
    bad = any(outcome.phase in ENDED_BADLY for outcome in run.state.outcomes.values())
    return RunStatus.FAILED if bad else RunStatus.SUCCEEDED


def _refused(run: Run, report: Report, refused: Refused) -> None:
    state = run.state
    state.status, state.message = refused.status, refused.message
    report.outbox.react("-1")
    quiet = run.start.draft and run.start.automatic
    if not quiet:
        report.say_why("refused", refusal_comment(refused.message))
    if refused.check or refused.on_check or report.check.is_there:
        cancelled = refused.status is RunStatus.CANCELLED
        report.check.set(refused.check or refused_check(refused.message, cancelled=cancelled))


def _broken(run: Run, report: Report, error: BaseException) -> None:
    """Cancelled, or something outside of any unit failed for good: say what is known."""
    state = run.state
    cancelled = is_cancelled_exception(error)
    state.status = RunStatus.CANCELLED if cancelled else RunStatus.FAILED
    state.message = message_of(error)
    if cancelled and (login := cancelled_by(run)):
        state.message = f"The run was cancelled by @{login}."
    for unit in state.selected:
        if unit not in state.outcomes and run.start.operation is not Operation.UNLOCK:
            _unfinished(run, report, unit, state.message)
    report.summarize()
    told_of = report.check.is_there or not cancelled
    changes = run.start.operation.changes
    if changes and state.gate_passed:
        report.slack.say(apply_failed(state.message))
    elif not changes and run.start.manual is None and state.selected and told_of:
        report.slack.say(PLAN_CANCELLED if cancelled else plan_failed(state.message))
    harmless = cancelled and not (changes and state.gate_passed)
    report.outbox.react("-1" if harmless else "confused")
    if not cancelled:
        report.say_why("failed", refusal_comment(state.message))
    if report.check.is_there or not cancelled:
        report.check.set(refused_check(state.message, cancelled=cancelled, failed=not cancelled))
    tell_what_is_left(run)


def _unfinished(run: Run, report: Report, unit: str, message: str) -> None:
    """An apply that was cut off is always told of; a plan that was cut off is made again by who cut it off."""
    outcome = UnitOutcome(unit=unit, environment=run.environment_of(unit), phase=UnitPhase.SKIPPED, message=message)
    if run.start.operation.changes and run.state.gate_passed:
        report.applied(outcome, planned_again=False)
    else:
        run.state.outcomes[unit] = outcome


async def _remove_work_trees(run: Run) -> None:
    if run.state.tree is None:
        return
    folders = [run.start.run_id]
    if run.state.discovery and any(unit.status is UnitStatus.DELETED for unit in run.discovery.changed):
        folders += trees_beside(run)
    await remove_work_trees(run, folders)
