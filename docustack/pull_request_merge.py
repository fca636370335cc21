"""What follows from a merge: what was not applied before is applied now, or owed until somebody does it."""

from docustack.apply_order_comments import closed_unmerged_comment
from docustack.lock_messages import UnitsFreed
from docustack.merge_comments import taken_back_comment, taken_over_comment
from docustack.orphans import tell_orphans
from docustack.pull_request_actions import Action, ReleaseAllLocks, Reply, StartRun
from docustack.pull_request_locks import give_up
from docustack.pull_request_state import HandOver, PullRequestState, RunToStart
from docustack.runs import DONE, Operation, RunResult
from docustack.shown_plans import could_be_read


def keep_changed(state: PullRequestState, result: RunResult) -> None:
    """What a run has found that the pull request changes, and after a merge what of it is still owed."""
    if state.facts is None or result.head_commit != state.facts.head_commit:
        return
    if result.changed is not None:
        state.changed, state.changed_head = list(result.changed), result.head_commit
    done = {outcome.unit for outcome in result.outcomes if outcome.phase in DONE}
    if result.owed is not None and result.operation is Operation.UNLOCK:
        state.owed = [unit for unit in state.owed if unit in result.owed]
    elif result.owed is not None:
        state.owed = list(result.owed)
    state.owed = [unit for unit in state.owed if unit not in done]


def after_close(state: PullRequestState, *, told: bool) -> list[Action]:
    """Once it is closed and nothing of it runs: the locks go, but for what a merge has left unapplied.

    `told`: GitHub has just said so. A workflow that has only now begun to live knows nothing of this pull request, and
    takes no old merge for a new one.
    """
    orphans = tell_orphans(state)
    if state.merge_commit and state.taken_up_merge != state.merge_commit and (told or state.runs):
        state.taken_up_merge = state.merge_commit
        state.owed = left_by_merge(state)
        _forget_what_nobody_had_read(state)
        if state.owed or not knows_what_changes(state):
            return [*orphans, StartRun(run=apply_of_merge(state))]
    left = _tell_what_no_branch_has(state) if told else []
    return [*orphans, *left, ReleaseAllLocks(but_not=tuple(state.owed)), *give_up(state, state.owed)]


def _tell_what_no_branch_has(state: PullRequestState) -> list[Action]:
    """Applied, and closed without a merge: whoever is in the pull request now is the one who can settle it."""
    facts = state.facts
    if facts is None or facts.merged or not state.applied:
        return []
    return [Reply(key=f"unmerged-{facts.head_commit}", body=closed_unmerged_comment([*state.applied], facts.base_ref))]


def _forget_what_nobody_had_read(state: PullRequestState) -> None:
    """A merge says yes to the plans that could be read when it was made, not to one that was still being made."""
    merged_at = state.facts.closed_at if state.facts else None
    if merged_at:
        state.plans = {
            unit: plan
            for unit, plan in state.plans.items()
            if not plan.shown_at or could_be_read(plan.shown_at, merged_at)
        }


def take_hand_over(state: PullRequestState, wanted: HandOver) -> list[Action]:
    """What is owed goes to a pull request that contains this merge, unless it is being applied at this moment."""
    given = tuple(unit for unit in state.owed if unit in wanted.units)
    if state.active is not None or not given:
        return []
    state.owed = [unit for unit in state.owed if unit not in given]
    state.handed_over |= dict.fromkeys(given, wanted.to)
    told = Reply(key=f"taken-over-{wanted.to}-{len(state.owed)}", body=taken_over_comment(given, wanted.to))
    return [told, ReleaseAllLocks(but_not=tuple(state.owed))]


def take_back(state: PullRequestState, freed: UnitsFreed) -> list[Action]:
    """Who took over what is owed has given the units up: with its merge that is settled, else it is looked at anew.

    Whether anybody has applied them meanwhile is found by that run on record.
    """
    mine = [unit for unit in freed.units if unit in state.handed_over]
    back = [] if freed.merged else [unit for unit in mine if state.handed_over[unit] == freed.pull_request]
    settled = {*back, *(mine if freed.merged else ())}
    state.handed_over = {unit: to for unit, to in state.handed_over.items() if unit not in settled}
    if not back:
        return []
    state.owed += [unit for unit in back if unit not in state.owed]
    told = Reply(key=f"taken-back-{freed.key}", body=taken_back_comment(back, freed))
    if state.active is None:
        return [told, StartRun(run=apply_of_merge(state))]
    state.queue.append(apply_of_merge(state))
    return [told]


def apply_of_merge(state: PullRequestState) -> RunToStart:
    """The run that looks what is owed, applies what may be applied by the merge alone, and tells of the rest."""
    assert state.facts is not None
    return RunToStart(
        operation=Operation.APPLY,
        actor=state.facts.merged_by or state.facts.author,
        automatic=True,
        head_commit=state.facts.head_commit,
        merge_commit=state.merge_commit,
    )


def left_by_merge(state: PullRequestState) -> list[str]:
    """What the last head changes, and no run has applied or found to need nothing."""
    if not knows_what_changes(state):
        return []
    return [unit for unit in state.changed if not _is_done(state, unit)]


def knows_what_changes(state: PullRequestState) -> bool:
    """Has a run looked at the present head?"""
    return state.facts is not None and state.changed_head == state.facts.head_commit


def _is_done(state: PullRequestState, unit: str) -> bool:
    plan = state.plans.get(unit)
    if plan is not None:
        return plan.summary.is_empty and not plan.is_preview
    return state.applied.get(unit) == state.changed_head and unit not in state.deferred
