"""What to do when something happens to a pull request: one pure function from state and event to actions."""

from docustack.approvals import first_shown, shown_plan
from docustack.commands import Command, parse
from docustack.events import EventKind, PullRequestEvent
from docustack.orphans import keep_deletions, tell_orphans
from docustack.pull_request_actions import (
    Action,
    FoldComments,
    ReleaseAllLocks,
    Reply,
    SignalRun,
)
from docustack.pull_request_comments import take_comment
from docustack.pull_request_replies import (
    FORK,
    OUTDATED_BY_PLAN,
    OUTDATED_BY_PUSH,
    SUPERSEDED_BY_CLOSE,
    SUPERSEDED_BY_PUSH,
    closed_reply,
    lost_reply,
    not_started_reply,
)
from docustack.pull_request_rules import look_at_rules, take_rules
from docustack.pull_request_state import (
    ActiveRun,
    AppliedUnit,
    InboxEntry,
    PastRun,
    PullRequestState,
    RunToStart,
    RunWaits,
)
from docustack.pull_request_turns import fold_old, next_run, plan_head, supersede, take_command
from docustack.runs import Operation, RunResult, RunStatus, UnitOutcome, UnitPhase

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


_ENDED_BY_ITSELF = {RunStatus.SUCCEEDED, RunStatus.FAILED}


def take_event(
    state: PullRequestState, event: PullRequestEvent, bot_login: str, *, may_command: bool = True
) -> list[Action]:
    """One event of GitHub's, with `state.facts` as GitHub tells them now.

    `may_command`: its sender has push access. A run evaluates the code of the pull request before it knows which
    environments' rules to ask, and supersedes others, so without push access none is started.
    """
    kind = event.known_kind
    _forget_other_heads(state)
    if kind is EventKind.CLOSED or (state.facts is not None and state.facts.state == "closed"):
        return _closed(state, event)
    if kind is EventKind.COMMENT_CREATED:
        return take_comment(state, event, bot_login, may_command=may_command)
    if kind in (EventKind.REVIEW_SUBMITTED, EventKind.REVIEW_DISMISSED):
        return [*_look_again(state), *look_at_rules(state)]
    if kind in _STARTS_A_PLAN and (kind is not EventKind.EDITED or event.base_changed):
        return _changed(state, kind)
    return []


def take_run_end(state: PullRequestState, result: RunResult) -> list[Action]:
    """A run has ended: keep its plans, go on with what waited for it."""
    if result.comment_prefixes:
        state.comment_prefixes = result.comment_prefixes
    if state.active is None or state.active.run_id != result.run_id:
        if result.run_id in state.superseded:
            state.superseded.remove(result.run_id)
            _keep_what_was_touched(state, result)
        old = result.comments
        return [FoldComments(comment_ids=old, reason=OUTDATED_BY_PUSH)] if old else []
    ended, state.active = state.active, None
    outdated = _replace_plans(state, ended, result)
    state.plan_comments.extend(comment for comment in result.comments if comment not in state.plan_comments)
    state.runs = [
        *state.runs[-RUNS_LIMIT + 1 :],
        PastRun(
            run_id=ended.run_id,
            operation=ended.operation,
            status=result.status,
            head_commit=ended.head_commit,
            actor=ended.actor,
        ),
    ]
    if state.facts is not None and result.head_commit == state.facts.head_commit:
        for outcome in result.outcomes:
            _keep(state, outcome, result)
        keep_deletions(state, result)
    if not state.is_open:
        return [*outdated, *tell_orphans(state), ReleaseAllLocks()]
    whole = ended.operation is Operation.PLAN and not ended.directories
    return [*outdated, *take_rules(state, result, whole=whole), *next_run(state)]


def take_run_waits(state: PullRequestState, waits: RunWaits) -> list[Action]:
    """A run has come to its gate, or passed it; a plan or unlock that was queued behind it need not wait for it."""
    if state.active is None or state.active.run_id != waits.run_id:
        return []
    state.active = state.active.model_copy(update={"waiting": waits.waiting})
    ready = next((run for run in state.queue if run.operation is not Operation.APPLY), None)
    if not waits.waiting or ready is None:
        return []
    state.queue.remove(ready)
    return take_command(state, ready, key=f"reply-{ready.comment_id}")


def hear_waits(state: PullRequestState, waits: RunWaits) -> None:
    """Before all that people ask: whether a run stands at its gate decides if it may be superseded."""
    first = next((index for index, entry in enumerate(state.inbox) if entry.waits is None), len(state.inbox))
    state.inbox.insert(first, InboxEntry(waits=waits))


def miss_run(state: PullRequestState, run_id: str) -> None:
    """A run could not be reached: unless its end is in the inbox, it was ended from outside and can tell nothing."""
    known = (state.active is not None and state.active.run_id == run_id) or run_id in state.superseded
    heard = any(entry.lost == run_id or (entry.ended and entry.ended.run_id == run_id) for entry in state.inbox)
    if known and not heard:
        state.inbox.insert(0, InboxEntry(lost=run_id))


def take_run_lost(state: PullRequestState, run_id: str) -> list[Action]:
    """A run was terminated: what it did is not known, so no plan that it may have begun is applied again."""
    active = state.active
    if active is None or active.run_id != run_id:
        state.superseded = [other for other in state.superseded if other != run_id]
        return []
    if active.operation is Operation.APPLY:
        state.plans = {unit: plan.model_copy(update={"spent": True}) for unit, plan in state.plans.items()}
    result = RunResult(
        run_id=run_id, operation=active.operation, status=RunStatus.CANCELLED, head_commit=active.head_commit
    )
    told = Reply(key=f"lost-{run_id}", body=lost_reply(active.operation, run_id))
    return [told, *take_run_end(state, result)]


def _replace_plans(state: PullRequestState, ended: ActiveRun, result: RunResult) -> list[Action]:
    """A plan of everything takes the place of all plans before it, unless it was refused or cut off."""
    if ended.operation is not Operation.PLAN or ended.directories or result.status not in _ENDED_BY_ITSELF:
        return []
    state.plans, state.deferred = {}, []
    return fold_old(state, OUTDATED_BY_PLAN)


def started(state: PullRequestState, run_id: str, run: RunToStart) -> None:
    """A run was started: it is the one that counts from now on."""
    assert state.facts is not None, "a run starts only once the pull request is known"
    state.active = ActiveRun(
        run_id=run_id,
        operation=run.operation,
        head_commit=state.facts.head_commit,
        actor=run.actor,
        directories=run.directories,
        destroy=run.destroy,
    )
    if run.operation is Operation.PLAN and not run.directories:
        state.planned_head, state.plan_again = state.facts.head_commit, False
        if run.automatic:  # head or base are others now; a commanded plan takes the old ones' place once it is made
            state.plans, state.deferred = {}, []


def not_started(state: PullRequestState, run: RunToStart, reason: str) -> list[Action]:
    """A run could not even be started: nothing counts as running, and who asked for it is told."""
    state.active = None
    if run.operation is Operation.PLAN and not run.directories:
        state.planned_head = ""
    told = Reply(key=f"not-started-{run.comment_id or run.head_commit}", body=not_started_reply(run.operation, reason))
    return [told, *next_run(state)]


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
    if active is None:
        return [] if planned and kind is EventKind.SYNCHRONIZE else plan_head(state)
    if planned and kind not in _PLANS_ANEW:
        return []
    if active.operation is Operation.PLAN:
        return [*supersede(state, SUPERSEDED_BY_PUSH), *plan_head(state)]
    state.plan_again = True
    return [SignalRun(run_id=active.run_id)]


def _forget_other_heads(state: PullRequestState) -> None:
    """Plans are of the present head, even where the push itself has not been told yet: others are never applied."""
    if state.facts is not None and state.facts.head_commit != state.known_head:
        state.known_head = state.facts.head_commit
        state.shown = {}
        state.plans = {unit: plan for unit, plan in state.plans.items() if plan.commit == state.known_head}
        state.deferred = []


def _closed(state: PullRequestState, event: PullRequestEvent) -> list[Action]:
    """Closed or merged: nothing new begins; locks go once nothing runs."""
    state.queue, state.plan_again = [], False
    actions: list[Action] = []
    if event.known_kind is EventKind.COMMENT_CREATED and not event.sender_is_bot and event.comment_id is not None:
        command = parse(event.comment_body or "", state.comment_prefixes)
        if isinstance(command, Command):
            actions.append(Reply(key=f"reply-{event.comment_id}", body=closed_reply(command)))
    active = state.active
    if active is None:
        return [*actions, *tell_orphans(state), ReleaseAllLocks()]
    if active.operation is Operation.PLAN:
        return [*actions, *supersede(state, SUPERSEDED_BY_CLOSE), *tell_orphans(state), ReleaseAllLocks()]
    return [*actions, SignalRun(run_id=active.run_id)]


def _look_again(state: PullRequestState) -> list[Action]:
    """A review was given or dismissed: the run at its gate reads all reviews afresh."""
    if state.active is not None and state.active.operation is Operation.APPLY:
        return [SignalRun(run_id=state.active.run_id)]
    return []


def _keep_what_was_touched(state: PullRequestState, result: RunResult) -> None:
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


def _applied(state: PullRequestState, outcome: UnitOutcome, result: RunResult) -> None:
    state.applied[outcome.unit] = result.head_commit
    state.applied_by[outcome.unit] = AppliedUnit(run_id=result.run_id, summary=outcome.summary)


def _keep(state: PullRequestState, outcome: UnitOutcome, result: RunResult) -> None:
    """Remember what a run left of a unit: its plan, or that it was applied."""
    unit = outcome.unit
    if outcome.phase is UnitPhase.APPLIED:
        state.plans.pop(unit, None)
        _applied(state, outcome, result)
    elif outcome.plan is not None:
        plan = state.plans[unit] = first_shown(outcome.plan, state.shown.get(unit))
        if plan.shown_at:
            state.shown[unit] = shown_plan(plan)
    if outcome.phase is UnitPhase.DEFERRED:
        state.deferred = sorted({*state.deferred, unit})
    elif outcome.plan is not None or outcome.phase is UnitPhase.APPLIED:
        state.deferred = [waiting for waiting in state.deferred if waiting != unit]
