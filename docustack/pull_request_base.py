"""What follows for a pull request when its base branch has moved: plans that this outdates are made again."""

from docustack.base_moves import BaseMoved
from docustack.pull_request_actions import Action, SignalRun, StartRun
from docustack.pull_request_state import PullRequestState, RunToStart
from docustack.runs import Operation, RunResult
from docustack.shown_plans import first_shown, shown_plan


def take_base_moved(state: PullRequestState, moved: BaseMoved) -> list[Action]:
    """An apply at its gate looks for itself; else the plans are looked at once nothing runs."""
    if not state.is_open or state.facts is None or state.facts.base_ref != moved.base_ref:
        return []
    state.base_has_moved = True
    if state.active is not None and state.active.operation is Operation.APPLY:
        return [SignalRun(run_id=state.active.run_id)]
    return look_at_base(state)


def look_at_base(state: PullRequestState) -> list[Action]:
    """Once nothing runs and nobody waits: a run that plans again what is outdated, and says nothing if nothing is.

    An apply that was superseded at its gate may have planned some of it, and is still to tell.
    """
    busy = state.active is not None or state.superseded
    news = state.base_has_moved or state.freed
    if not news or state.facts is None or busy or not state.is_open:
        return []
    freed = {unit: why for unit, why in state.freed.items() if unit in state.plans}
    has_moved, state.base_has_moved, state.freed = state.base_has_moved, False, {}
    if not state.plans or not (has_moved or freed):
        return []
    run = RunToStart(
        operation=Operation.PLAN,
        actor=state.facts.author,
        automatic=True,
        only_outdated=True,
        freed=freed,
        head_commit=state.facts.head_commit,
    )
    return [StartRun(run=run)]


def keep_renewed(state: PullRequestState, result: RunResult) -> None:
    """An apply that came to no end has made plans again at its gate: people have read them, so they are what counts."""
    if state.facts is None or result.head_commit != state.facts.head_commit:
        return
    for renewed in result.renewed:
        known = state.plans.get(renewed.unit)
        if known is None or known.spent or known.inputs == renewed.inputs:
            continue
        plan = state.plans[renewed.unit] = first_shown(renewed, state.shown.get(renewed.unit))
        if plan.shown_at:
            state.shown[renewed.unit] = shown_plan(plan)
