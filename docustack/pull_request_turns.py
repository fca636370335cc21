"""Whose turn it is in a pull request: which run begins, waits in line, is superseded, or is woken at its gate."""

from docustack.pull_request_actions import Action, CancelRun, Reply, Sign, SignalRun, StartRun
from docustack.pull_request_base import look_at_base
from docustack.pull_request_plans import fold_all
from docustack.pull_request_replies import (
    OUTDATED_BY_PUSH,
    SUPERSEDED_BY_PLAN,
    left_line_reply,
    moved_reply,
    queued_reply,
)
from docustack.pull_request_state import ActiveRun, PullRequestState, RunToStart, SupersededRun
from docustack.runs import Operation


def plan_head(state: PullRequestState) -> list[Action]:
    assert state.facts is not None
    run = RunToStart(
        operation=Operation.PLAN, actor=state.facts.author, automatic=True, head_commit=state.facts.head_commit
    )
    return [*fold_all(state, OUTDATED_BY_PUSH), StartRun(run=run)]


def is_for_one_head(state: PullRequestState, operation: Operation) -> bool:
    """An apply is of the plans that were seen; the plan of a fork runs its code, and is a yes to what was read."""
    assert state.facts is not None
    return operation is Operation.APPLY or (operation is Operation.PLAN and state.facts.from_fork)


def take_command(state: PullRequestState, run: RunToStart, key: str) -> list[Action]:
    """A command begins, waits its turn, supersedes what runs, or wakes a run at its gate; it is never an error."""
    active = state.active
    if active is None:
        return [StartRun(run=run)]
    if active.operation is Operation.APPLY and active.waiting:
        if _is_the_same_apply(active, run):
            return [SignalRun(run_id=active.run_id, actor=run.actor)]
        if state.challenger is None:
            return [StartRun(run=run.model_copy(update={"challenges": active.run_id}))]
    elif active.only_looks or _plans_the_same(active, run):
        return [*supersede(state, SUPERSEDED_BY_PLAN), StartRun(run=run)]
    state.queue.append(run)
    waits = Reply(key=key, body=queued_reply(run.operation, active.operation, active.run_id, len(state.queue)))
    return [waits, SignalRun(run_id=active.run_id)]  # a run that is no more is found by not reaching it


def _plans_the_same(active: ActiveRun, run: RunToStart) -> bool:
    return active.operation is Operation.PLAN and run.operation is Operation.PLAN and not run.directories


def _is_the_same_apply(active: ActiveRun, run: RunToStart) -> bool:
    """A yes to what waits, not another command: no less is named in it, and it destroys no more and no less."""
    within = set(run.directories) <= set(active.directories or run.directories)
    return run.operation is Operation.APPLY and within and run.destroy == active.destroy


def next_run(state: PullRequestState) -> list[Action]:
    """What begins now that nothing runs: the plan of a new head first, then who waits in line."""
    assert state.facts is not None
    if state.plan_again and not state.facts.from_fork:
        state.plan_again = False
        return plan_head(state)
    while state.queue:
        run = state.queue.pop(0)
        if is_for_one_head(state, run.operation) and run.head_commit != state.facts.head_commit:
            return [*_refuse_moved(run, state.facts.head_commit), *next_run(state)]
        return [StartRun(run=run)]
    return look_at_base(state)


def _refuse_moved(run: RunToStart, head: str) -> list[Action]:
    told = Reply(key=f"moved-{run.comment_id}", body=moved_reply(run.operation, run.head_commit, head))
    return [told] if run.comment_id is None else [Sign(comment_id=run.comment_id, content="-1"), told]


def leave_line(state: PullRequestState) -> list[Action]:
    """It was closed: the commands that still waited get their sign, so that none seems to be at work for ever."""
    waited, state.queue = [run.comment_id for run in state.queue if run.comment_id is not None], []
    if not waited:
        return []
    told = Reply(key=f"left-line-{waited[0]}", body=left_line_reply(len(waited)))
    return [*(Sign(comment_id=comment_id, content="-1") for comment_id in waited), told]


def supersede(state: PullRequestState, reason: str) -> list[Action]:
    assert state.active is not None
    run = state.active
    state.superseded.append(
        SupersededRun(run_id=run.run_id, operation=run.operation, head_commit=run.head_commit, actor=run.actor)
    )
    state.active = None
    return [CancelRun(run_id=run.run_id, reason=reason)]


def look_for_superseded(state: PullRequestState) -> list[Action]:
    """Those that have not told their end: one that was terminated is found by not reaching it.

    A signal finds that out; to cancel a workflow that is no more is no error.
    """
    return [SignalRun(run_id=run.run_id) for run in state.superseded]
