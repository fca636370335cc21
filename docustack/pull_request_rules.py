"""When a pull request that changes the rules is judged anew: once its runs have ended, and with each review."""

from docustack.pull_request_actions import Action, JudgeRules
from docustack.pull_request_state import PullRequestState
from docustack.rules_guard import RulesVerdict, ShownRules
from docustack.runs import DONE, Operation, RunResult, RunStatus

_WHOLE_WAY = (RunStatus.SUCCEEDED, RunStatus.FAILED)


def take_rules(state: PullRequestState, result: RunResult, *, whole: bool) -> list[Action]:
    """A run has ended; `whole`: it planned everything that the pull request changes.

    A run that went its whole way through the gate has set the check itself; any other leaves it to us.
    """
    if result.operation is Operation.UNLOCK or state.facts is None or result.head_commit != state.facts.head_commit:
        return []
    if result.rules is None:
        if result.operation is Operation.PLAN and result.status in _WHOLE_WAY:
            state.rules = None
        state.rules_told = None
        return _judge(state)
    before = state.rules.unapplied if state.rules and state.rules.head_commit == result.head_commit else ()
    done = {outcome.unit for outcome in result.outcomes if outcome.phase in DONE}
    kept = () if whole else tuple(unit for unit in before if unit not in done)
    unapplied = tuple(sorted({*kept, *result.rules.unapplied}))
    state.rules = result.rules.model_copy(update={"unapplied": unapplied})
    if result.rules.base_ref != state.facts.base_ref:
        state.rules_told = None
        return take_new_base(state)
    if result.rules.decided and not state.rules_told_late:
        state.rules_told = RulesVerdict(approved=True, unapplied=unapplied)
        return []
    state.rules_told, state.rules_told_late = None, False
    return _judge(state)


def look_at_rules(state: PullRequestState) -> list[Action]:
    """A review was given or dismissed; while an apply runs, its own check speaks."""
    return [] if is_applying(state) else _judge(state)


def take_new_base(state: PullRequestState) -> list[Action]:
    """It is to another branch now: nobody has read what it changes of that one's rules."""
    if state.rules is None:
        return []
    state.rules = state.rules.model_copy(update={"shown": None})
    return look_at_rules(state)


def shown_rules(state: PullRequestState) -> ShownRules | None:
    """What people can read of the change by the present head."""
    guard, facts = state.rules, state.facts
    return guard.shown if guard and facts and guard.head_commit == facts.head_commit else None


def is_applying(state: PullRequestState) -> bool:
    return state.active is not None and state.active.operation is Operation.APPLY


def _judge(state: PullRequestState) -> list[Action]:
    guard, facts = state.rules, state.facts
    due = guard is not None and facts is not None and guard.head_commit == facts.head_commit and state.is_open
    return [JudgeRules()] if due else []
