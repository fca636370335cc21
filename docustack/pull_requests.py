"""What to do when something happens to a pull request: one pure function from state and event to actions."""

from docustack.events import EventKind, PullRequestEvent
from docustack.merge_queue import take_checks_requested
from docustack.orphans import settle_orphans
from docustack.pull_request_actions import (
    Action,
    EndCheck,
    FoldComments,
    FoldForgotten,
    Reply,
    SignalRun,
    StartRun,
)
from docustack.pull_request_base import keep_renewed, look_at_base
from docustack.pull_request_challenges import challenge_from_line, withdraw_challenger
from docustack.pull_request_comments import take_comment
from docustack.pull_request_drafts import keep_refusal_as_draft, look_whether_draft
from docustack.pull_request_locks import forget_freed
from docustack.pull_request_merge import after_close, keep_changed
from docustack.pull_request_plans import forget_other_heads, keep_result, keep_what_was_touched, take_shown
from docustack.pull_request_replies import (
    FORK,
    OUTDATED_BY_PUSH,
    OUTDATED_BY_REOPENING,
    SUPERSEDED_BY_CLOSE,
    SUPERSEDED_BY_PUSH,
    lost_reply,
    not_started_reply,
)
from docustack.pull_request_rules import look_at_rules, take_new_base, take_rules
from docustack.pull_request_state import (
    ActiveRun,
    Challenger,
    InboxEntry,
    PastRun,
    PullRequestState,
    RunToStart,
    RunWaits,
    SupersededRun,
)
from docustack.pull_request_turns import leave_line, look_for_superseded, next_run, plan_head, supersede
from docustack.runs import Operation, RunResult, RunStatus

SEEN_LIMIT = 2_000
"""Delivery ids remembered: GitHub redelivers what is at most three days old."""

RUNS_LIMIT = 50
"""Runs remembered for `docustack pr show`; all of them stay in Temporal."""

_STARTS_A_PLAN = {
    EventKind.OPENED,
    EventKind.REOPENED,
    EventKind.READY_FOR_REVIEW,
    EventKind.SYNCHRONIZE,
    EventKind.EDITED,
}


_PLANS_ANEW = (EventKind.EDITED, EventKind.READY_FOR_REVIEW)
"""Another base, or no draft any more: a plan of the same head that is being made is not the one that is wanted."""


def take_event(
    state: PullRequestState,
    event: PullRequestEvent,
    bot_login: str,
    *,
    may_command: bool = True,
    answered: bool = False,
) -> list[Action]:
    """One event of GitHub's, with `state.facts` as GitHub tells them now.

    `may_command`: its sender has push access. A run evaluates the code of the pull request before it knows which
    environments' rules to ask, and supersedes others, so without push access none is started.
    `answered`: it is a comment that we have answered before, perhaps before the pull request was closed and reopened.
    """
    ran_nothing = state.active is None and not state.runs and not state.superseded
    outdated = [*look_for_superseded(state), *forget_other_heads(state), *look_whether_draft(state)]
    kind = event.known_kind
    if kind is EventKind.COMMENT_CREATED:
        actions = take_comment(state, event, bot_login, may_command=may_command, answered=answered)
        begins = any(isinstance(action, StartRun) for action in actions)
        actions += _closed(state) if not state.is_open and not begins else []
    elif kind is EventKind.CLOSED or not state.is_open:
        actions = _closed(state, told=kind is EventKind.CLOSED)
    elif kind is EventKind.CHECKS_REQUESTED:
        actions = take_checks_requested(state, event)
    elif kind in (EventKind.REVIEW_SUBMITTED, EventKind.REVIEW_DISMISSED):
        actions = [*_look_again(state), *look_at_rules(state)]
    elif kind in _STARTS_A_PLAN and (kind is not EventKind.EDITED or event.base_changed):
        actions = [*_changed(state, kind), *(take_new_base(state) if kind is EventKind.EDITED else [])]
    else:
        actions = []
    begins = any(isinstance(action, StartRun) for action in actions)
    if begins and ran_nothing and kind is not EventKind.OPENED:
        outdated.append(FoldForgotten(before=state.head_since, reason=OUTDATED_BY_REOPENING))
    return [*outdated, *actions]


def take_run_end(state: PullRequestState, result: RunResult) -> list[Action]:
    """A run has ended: keep its plans, go on with what waited for it."""
    if result.comment_prefixes:
        state.comment_prefixes = result.comment_prefixes
    if state.challenger is not None and state.challenger.run_id == result.run_id:
        return _challenger_ended(state, state.challenger, result)
    if state.active is None or state.active.run_id != result.run_id:
        superseded = _forget_superseded(state, result.run_id)
        if superseded is not None:
            keep_renewed(state, result)
            keep_what_was_touched(state, result)
        old = result.comments
        folded = [FoldComments(comment_ids=old, reason=OUTDATED_BY_PUSH)] if old else []
        settled = settle_orphans(state, result, superseded.actor) if superseded else []
        return [*folded, *settled, *look_at_base(state)]
    ended, state.active = state.active, None
    outdated = [*look_for_superseded(state), *keep_result(state, ended, result)]
    keep_renewed(state, result)
    outdated += settle_orphans(state, result, ended.actor)
    keep_refusal_as_draft(state, ended, result)
    forget_freed(state, result)
    keep_changed(state, result)
    if ended.only_looks:
        state.looks += 1
    else:
        _remember_run(state, ended, result)
    outdated += withdraw_challenger(state, asked_again=state.is_open or bool(state.taken_up_merge))
    if not state.is_open:
        return [*outdated, *_go_on(state)]
    return [*outdated, *take_rules(state, result, whole=ended.plans_everything), *next_run(state)]


def _challenger_ended(state: PullRequestState, challenger: Challenger, result: RunResult) -> list[Action]:
    """It was refused, or broke: nothing has changed for the apply that waits."""
    state.challenger = None
    assert state.facts is not None
    ended = ActiveRun(
        run_id=result.run_id,
        operation=result.operation,
        head_commit=result.head_commit,
        actor=challenger.run.actor,
        directories=challenger.run.directories,
    )
    _remember_run(state, ended, result)
    return _go_on(state)


def _remember_run(state: PullRequestState, ended: ActiveRun, result: RunResult) -> None:
    past = PastRun(
        run_id=ended.run_id,
        operation=ended.operation,
        status=result.status,
        head_commit=ended.head_commit,
        actor=ended.actor,
    )
    state.runs = [*state.runs[-RUNS_LIMIT + 1 :], past]


def _go_on(state: PullRequestState) -> list[Action]:
    if state.active is not None:
        return challenge_from_line(state)
    return next_run(state) if state.is_open or state.queue else after_close(state, told=False)


def take_run_waits(state: PullRequestState, waits: RunWaits) -> list[Action]:
    """A run has come to its gate, or passed it; a plan or unlock that was queued behind it need not wait for it."""
    if state.active is None or state.active.run_id != waits.run_id:
        superseded = next((run for run in state.superseded if run.run_id == waits.run_id), None)
        return take_shown(state, superseded, waits) if superseded is not None else []
    state.active = state.active.model_copy(update={"waiting": waits.waiting})
    return [*take_shown(state, state.active, waits), *challenge_from_line(state)]


def hear_waits(state: PullRequestState, waits: RunWaits) -> None:
    """Before all that people ask: whether a run stands at its gate decides if it may be superseded."""
    first = next((index for index, entry in enumerate(state.inbox) if entry.waits is None), len(state.inbox))
    state.inbox.insert(first, InboxEntry(waits=waits))


def miss_run(state: PullRequestState, run_id: str) -> None:
    """A run could not be reached: unless its end is in the inbox, it was ended from outside and can tell nothing."""
    running = [run.run_id for run in (state.active, state.challenger) if run is not None]
    known = run_id in [*running, *(run.run_id for run in state.superseded)]
    heard = any(entry.lost == run_id or (entry.ended and entry.ended.run_id == run_id) for entry in state.inbox)
    if known and not heard:
        state.inbox.insert(0, InboxEntry(lost=run_id))


def take_run_lost(state: PullRequestState, run_id: str) -> list[Action]:
    """A run was terminated: what it did is not known, so no plan that it may have begun is applied again."""
    active, challenger = state.active, state.challenger
    if challenger is not None and challenger.run_id == run_id:
        state.challenger = None
        return [Reply(key=f"lost-{run_id}", body=lost_reply(challenger.run.operation, run_id)), *_go_on(state)]
    if active is None or active.run_id != run_id:
        superseded = _forget_superseded(state, run_id)
        return _end_lost_check(superseded, lost_reply(superseded.operation, run_id)) if superseded else []
    if active.operation is Operation.APPLY:
        state.plans = {unit: plan.model_copy(update={"spent": True}) for unit, plan in state.plans.items()}
    result = RunResult(
        run_id=run_id, operation=active.operation, status=RunStatus.CANCELLED, head_commit=active.head_commit
    )
    message = lost_reply(active.operation, run_id)
    told = [] if active.only_looks else [Reply(key=f"lost-{run_id}", body=message)]
    return [*told, *_end_lost_check(active, message), *take_run_end(state, result)]


def _end_lost_check(run: ActiveRun | SupersededRun, message: str) -> list[Action]:
    """At the commit that it was of, which need not be the head any more: no check stays pending there."""
    return [EndCheck(run_id=run.run_id, operation=run.operation, head_commit=run.head_commit, message=message)]


def _forget_superseded(state: PullRequestState, run_id: str) -> SupersededRun | None:
    found = next((run for run in state.superseded if run.run_id == run_id), None)
    state.superseded = [run for run in state.superseded if run.run_id != run_id]
    return found


def not_started(state: PullRequestState, run: RunToStart, reason: str) -> list[Action]:
    """A run could not even be started: nothing counts as running, and who asked for it is told."""
    if run.challenges:
        state.challenger = None
    else:
        state.active = None
        if run.plans_everything:
            state.planned_head = ""
    if run.only_looks:
        state.looks += 1
        return _go_on(state)
    told = Reply(key=f"not-started-{run.comment_id or run.head_commit}", body=not_started_reply(run.operation, reason))
    return [told, *_go_on(state)]


def remember(state: PullRequestState, delivery_id: str) -> bool:
    """Is this delivery new? An empty id (a signal sent by hand) always is."""
    if not delivery_id:
        return True
    if delivery_id in state.seen:
        return False
    state.seen = [*state.seen[-SEEN_LIMIT + 1 :], delivery_id]
    return True


def _changed(state: PullRequestState, kind: EventKind) -> list[Action]:
    """The pull request was opened, or its commits or its base are others now: plan it, unless it is planned already."""
    assert state.facts is not None
    if state.facts.from_fork:
        if state.told_fork:
            return []
        state.told_fork = True
        return [Reply(key="fork", body=FORK)]
    active = state.active
    planned = state.planned_head == state.facts.head_commit
    if planned and kind not in _PLANS_ANEW:
        return []
    if active is None:
        return plan_head(state)
    if active.operation is Operation.PLAN:
        return [*supersede(state, SUPERSEDED_BY_PUSH), *plan_head(state)]
    state.plan_again = True
    return [SignalRun(run_id=active.run_id)]


def _closed(state: PullRequestState, *, told: bool = False) -> list[Action]:
    """Closed or merged: nothing more of it as it was open begins. Reopened, it is planned anew."""
    active = state.active
    if state.taken_up_merge and active is not None:
        return [SignalRun(run_id=active.run_id)]
    state.plan_again = False
    withdrawn = [*leave_line(state), *withdraw_challenger(state, asked_again=False)]
    if active is None:
        state.planned_head = ""
        return [*withdrawn, *after_close(state, told=told)]
    if active.operation is not Operation.PLAN:
        return [*withdrawn, SignalRun(run_id=active.run_id)]
    state.planned_head = ""
    if state.merge_commit:  # often by GitHub itself, right after the green check: the end of the run is near
        return withdrawn
    return [*withdrawn, *supersede(state, SUPERSEDED_BY_CLOSE), *after_close(state, told=told)]


def _look_again(state: PullRequestState) -> list[Action]:
    """A review was given or dismissed: the run at its gate reads all reviews afresh."""
    if state.active is not None and state.active.operation is Operation.APPLY:
        return [SignalRun(run_id=state.active.run_id)]
    return []
