"""A run of a pull request that changes the rules: marked, approved by who owns the rules, judged by the old ones."""

from temporalio import workflow

from workflows.choosing import not_planned_yet
from workflows.reporting import Report
from workflows.run_state import Run

with workflow.unsafe.imports_passed_through():
    from docustack.checks import Check, noted
    from docustack.gate_facts import GateFacts
    from docustack.rules_approval import decide_rules
    from docustack.rules_comments import INVALID_MARK, MARK, rules_comment, rules_note
    from docustack.rules_guard import RulesGuard
    from docustack.runs import DONE, Operation, RunStatus


def mark_new_rules(run: Run, report: Report) -> None:
    """Beside the plans: what the pull request changes of the rules, and whose approval that needs."""
    new = run.state.new_rules
    if new is not None and not run.start.directories and not run.start.only_outdated:
        owners, base_ref = run.configuration.rules_owners, run.base_ref
        report.say_with_plans("rules", rules_comment(new, base_ref=base_ref, owners=owners))


def with_new_rules(run: Run, check: Check) -> Check:
    """The check of the plan: red where the new rules are not valid, since merging them would stop everything."""
    new = run.state.new_rules
    if new is None:
        return check
    notes = [rules_note(new, run.configuration.rules_owners)]
    if new.problems:
        return noted(check.model_copy(update={"conclusion": "failure"}), notes, INVALID_MARK)
    return noted(check, notes, MARK)


def missing_rules_approval(run: Run, facts: GateFacts) -> list[str]:
    """Empty where nothing of the kind is needed, or it is there."""
    if run.state.new_rules is None:
        return []
    decision = decide_rules(run.configuration.rules_owners, facts.author, facts.head_commit, facts.reviews)
    return [] if decision.satisfied else [decision.message]


def rules_guard(run: Run) -> RulesGuard | None:
    """What the pull request has to know, which judges the check between runs; None where the rules stay."""
    state, start = run.state, run.start
    if state.new_rules is None or start.operation is Operation.UNLOCK:
        return None
    owners = run.configuration.rules_owners
    unapplied = {unit for unit, outcome in state.outcomes.items() if outcome.phase not in DONE}
    if start.operation is Operation.PLAN:
        unapplied |= set(not_planned_yet(run))
    ended = state.status in (RunStatus.SUCCEEDED, RunStatus.FAILED)
    return RulesGuard(
        head_commit=run.head_commit,
        owners=owners,
        slug=run.configuration.known_teams()[owners],
        unapplied=tuple(sorted(unit for unit in unapplied if run.is_applied_from_here(unit))),
        decided=start.operation is Operation.APPLY and state.gate_passed and ended,
    )
