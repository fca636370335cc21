"""A run of a pull request that changes the rules: marked, approved by who owns the rules, judged by the old ones."""

from temporalio import workflow

from workflows.choosing import not_planned_yet
from workflows.reporting import Report
from workflows.run_state import Run

with workflow.unsafe.imports_passed_through():
    from docustack.checks import Check, noted
    from docustack.gate_facts import GateFacts
    from docustack.rule_changes import NewRules, digest_of_rules
    from docustack.rules_approval import decide_rules
    from docustack.rules_comments import INVALID_MARK, MARK, rules_comment, rules_note
    from docustack.rules_guard import RulesGuard, ShownRules
    from docustack.runs import DONE, Operation, RunStatus


def mark_new_rules(run: Run, report: Report) -> None:
    """Beside the plans: what the pull request changes of the rules, and whose approval that needs."""
    new = run.state.new_rules
    if new is not None and ((not run.start.directories and not run.start.only_outdated) or known_rules(run) is None):
        report.outbox.later(_show(run, report, new))


async def show_other_rules(run: Run, report: Report) -> None:
    """Before anybody is asked: what people can't have read, since the base branch has moved, or no plan has told it."""
    new = run.state.new_rules
    if new is not None and known_rules(run) is None:
        await _show(run, report, new)


def known_rules(run: Run) -> ShownRules | None:
    """The change of the rules as it is now, if people can read it: shown by this run, or by one before."""
    new = run.state.new_rules
    if new is None:
        return None
    digest = digest_of_rules(new, run.base_ref)
    known = (run.state.shown_rules, run.start.shown_rules)
    return next((shown for shown in known if shown and (shown.commit, shown.digest) == (run.head_commit, digest)), None)


async def _show(run: Run, report: Report, new: NewRules) -> None:
    """One that says the same as before counts as shown since then."""
    before, digest = known_rules(run), digest_of_rules(new, run.base_ref)
    body = rules_comment(new, base_ref=run.base_ref, owners=run.configuration.rules_owners)
    shown_at = await report.outbox.post_plans(f"rules:{digest[-8:]}", body, ())
    run.state.shown_rules = before or ShownRules(
        commit=run.head_commit, digest=digest, shown_at=shown_at, number=1 + run.plans_shown
    )


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
    owners, shown = run.configuration.rules_owners, known_rules(run)
    decision = decide_rules(owners, facts.author, facts.head_commit, facts.reviews, shown)
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
    is_apply = start.operation is Operation.APPLY
    ended = state.status in (RunStatus.SUCCEEDED, RunStatus.FAILED)
    shown = known_rules(run)
    return RulesGuard(
        head_commit=run.head_commit,
        base_ref=run.base_ref,
        # A run counts what it has shown for itself: in the next one it has been there from the beginning.
        shown=shown.model_copy(update={"number": 0}) if shown is not None else None,
        owners=owners,
        slug=run.configuration.known_teams()[owners],
        unapplied=tuple(sorted(unit for unit in unapplied if run.is_applied_from_here(unit))),
        decided=is_apply and state.gate_passed and ended and shown is not None and shown.digest == state.approved_rules,
    )
