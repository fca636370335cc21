"""What a pull request keeps of what its runs left: each unit's newest plan or apply, and the comments that show it."""

from collections.abc import Collection, Mapping

from docustack.orphans import keep_deletions
from docustack.pull_request_actions import Action, FoldComments
from docustack.pull_request_replies import OUTDATED_BY_PLAN, OUTDATED_BY_PUSH
from docustack.pull_request_state import ActiveRun, AppliedUnit, PullRequestState, RunWaits, SupersededRun
from docustack.runs import Operation, RunResult, RunStatus, UnitOutcome, UnitPhase
from docustack.shown_plans import first_shown, shown_plan

_ENDED_BY_ITSELF = (RunStatus.SUCCEEDED, RunStatus.FAILED)


def keep_result(state: PullRequestState, ended: ActiveRun, result: RunResult) -> list[Action]:
    """The newest outcome of each unit takes the place of the one before it, and its comment of the older comment.

    A plan of everything takes the place of all plans, also of units that are not changed any more; only what the actor
    may not plan, and the run left out, stays as it was.
    """
    whole = ended.plans_everything and result.status in _ENDED_BY_ITSELF
    if whole:
        state.plans = {unit: plan for unit, plan in state.plans.items() if unit in result.left_out}
        state.deferred = [unit for unit in state.deferred if unit in result.left_out]
    shows = {comment: result.comment_units.get(comment, ()) for comment in result.comments}
    folded = _fold_replaced(state, shows, _replaced_by(result), left_out=result.left_out if whole else None)
    if state.facts is not None and result.head_commit == state.facts.head_commit:
        for outcome in result.outcomes:
            _keep(state, outcome, result)
        keep_deletions(state, result)
    return folded


def keep_what_was_touched(state: PullRequestState, result: RunResult) -> None:
    """A superseded apply may have passed its gate just before: what it has begun is not applied from its plan again."""
    if state.facts is None or result.head_commit != state.facts.head_commit or result.operation is not Operation.APPLY:
        return
    for outcome in result.outcomes:
        kept = state.plans.get(outcome.unit)
        if outcome.phase is UnitPhase.APPLIED:
            _applied(state, outcome, result)
        if kept is not None and outcome.plan is not None and kept.binary == outcome.plan.binary:
            if outcome.phase is UnitPhase.APPLIED:
                del state.plans[outcome.unit]
            elif outcome.plan.spent:
                state.plans[outcome.unit] = outcome.plan


def take_shown(state: PullRequestState, run: ActiveRun | SupersededRun, waits: RunWaits) -> list[Action]:
    """Plans that an apply has made again at its gate take the place of those before, while it still waits."""
    if not waits.shows:
        return []
    if state.facts is None or run.head_commit != state.facts.head_commit:
        return [FoldComments(comment_ids=tuple(waits.shows), reason=OUTDATED_BY_PUSH)]
    return _fold_replaced(state, waits.shows, {unit for units in waits.shows.values() for unit in units})


def forget_other_heads(state: PullRequestState) -> list[Action]:
    """Plans are of the present head, even where the push itself has not been told yet: others are never applied."""
    if state.facts is None or state.facts.head_commit == state.known_head:
        return []
    state.known_head, state.head_since = state.facts.head_commit, state.facts.updated_at
    state.shown = {}
    state.plans = {unit: plan for unit, plan in state.plans.items() if plan.commit == state.known_head}
    state.deferred = []
    return fold_all(state, OUTDATED_BY_PUSH)


def fold_all(state: PullRequestState, reason: str) -> list[Action]:
    """The plans are dropped, so none of their comments counts."""
    old, state.plan_comments, state.comment_units = tuple(state.plan_comments), [], {}
    return [FoldComments(comment_ids=old, reason=reason)] if old else []


def _applied(state: PullRequestState, outcome: UnitOutcome, result: RunResult) -> None:
    state.applied[outcome.unit] = result.head_commit
    inputs = outcome.plan.inputs if outcome.plan is not None else ""
    state.applied_by[outcome.unit] = AppliedUnit(run_id=result.run_id, summary=outcome.summary, inputs=inputs)


def _keep(state: PullRequestState, outcome: UnitOutcome, result: RunResult) -> None:
    """Remember what a run left of a unit: its plan, or that it was applied; a plan that failed leaves neither."""
    unit = outcome.unit
    if outcome.phase is UnitPhase.APPLIED:
        state.plans.pop(unit, None)
        _applied(state, outcome, result)
    elif outcome.plan is not None:
        plan = state.plans[unit] = first_shown(outcome.plan, state.shown.get(unit))
        if plan.shown_at:
            state.shown[unit] = shown_plan(plan)
    if result.operation is Operation.PLAN and outcome.phase in _SAYS_ANEW:
        state.applied.pop(unit, None)
        state.applied_by.pop(unit, None)
        if outcome.plan is None:
            state.plans.pop(unit, None)
    if outcome.phase is UnitPhase.DEFERRED:
        state.deferred = sorted({*state.deferred, unit})
    elif outcome.plan is not None or outcome.phase is UnitPhase.APPLIED or unit not in state.plans:
        state.deferred = [waiting for waiting in state.deferred if waiting != unit]


_SAYS_ANEW = (UnitPhase.PLANNED, UnitPhase.DEFERRED, UnitPhase.FAILED, UnitPhase.UNKNOWN)
"""Ends of a plan after which an earlier plan or apply of the unit proves nothing any more."""


def _replaced_by(result: RunResult) -> set[str]:
    """Units whose newest comment of a run takes the place of those before.

    What an apply asks for in vain is not the plan that is kept.
    """
    if result.operation is Operation.PLAN:
        return {unit for units in result.comment_units.values() for unit in units}
    return {each.unit for each in result.outcomes if each.plan is not None or each.phase is UnitPhase.APPLIED}


def _fold_replaced(
    state: PullRequestState,
    shows: Mapping[int, tuple[str, ...]],
    replaced: Collection[str],
    *,
    left_out: Collection[str] | None = None,
) -> list[Action]:
    """A comment is outdated once each unit that it shows has a newer one.

    Args:
        state: with the comments before.
        shows: the new comments, with the units whose plans each of them shows.
        replaced: units of which the newest of these is the plan that counts.
        left_out: after a plan of everything, which takes the place of all others: what its actor may not plan.
    """
    shown_now: set[str] = set()
    outdated: list[int] = []
    newest_first = [*dict.fromkeys([*state.plan_comments, *shows])][::-1]
    for comment in newest_first:
        units = {*shows.get(comment, ()), *state.comment_units.get(comment, ())}
        is_new = comment in shows
        stays = units - shown_now if is_new or left_out is None else (units & set(left_out)) - shown_now
        if stays or (not units and (is_new or left_out is None)):
            state.comment_units[comment] = tuple(sorted(stays))
        else:
            outdated.append(comment)
            state.comment_units.pop(comment, None)
        if is_new:
            shown_now |= units & set(replaced)
    state.plan_comments = [comment for comment in newest_first[::-1] if comment not in outdated]
    return [FoldComments(comment_ids=tuple(outdated[::-1]), reason=OUTDATED_BY_PLAN)] if outdated else []
