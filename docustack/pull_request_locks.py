"""What follows when a pull request's units are its own no longer, and when those of another have come free."""

from collections.abc import Sequence

from docustack.comment_text import person
from docustack.lock_comments import freed_reason
from docustack.lock_messages import LocksHeld, UnitsFreed
from docustack.pull_request_actions import Action, SignalRun, TellFreed
from docustack.pull_request_base import look_at_base
from docustack.pull_request_state import PullRequestState
from docustack.runs import DONE, Operation, RunResult

_KNOWN = 50
"""Messages remembered, so that one that comes twice is taken once."""


def take_held(state: PullRequestState, held: LocksHeld) -> list[Action]:
    """The table of locks tells what is this pull request's own; others hear what somebody has given up of it.

    What a run has taken and given back without using it may have been taken over from a merge, which owes it again.
    """
    now = {grant.unit for grant in held.grants}
    unused = tuple(grant.unit for grant in state.held if grant.unit not in {*now, *held.freed})
    state.held = list(held.grants)
    told: list[Action] = []
    if held.freed:
        told.append(TellFreed(units=held.freed, how=f"was unlocked by {person(held.freed_by)}"))
    if unused and state.is_open:
        told.append(TellFreed(units=unused, how="has given it back without applying it", only_owed=True))
    return told


def give_up(state: PullRequestState, but_not: Sequence[str]) -> list[Action]:
    """It is closed or merged: what it held, beside what the merge still owes, is free for the others."""
    assert state.facts is not None
    freed = tuple(grant.unit for grant in state.held if grant.unit not in but_not)
    state.held = [grant for grant in state.held if grant.unit in but_not]
    merged = state.facts.merged
    return [TellFreed(units=freed, how="was merged" if merged else "was closed", merged=merged)] if freed else []


def take_units_freed(state: PullRequestState, freed: UnitsFreed) -> list[Action]:
    """What has a plan is planned again once nothing runs: the holder's apply has changed what that was made from."""
    units = [unit for unit in freed.units if unit in state.plans]
    if state.facts is None or not state.is_open or not units or freed.key in state.freed_known or freed.only_owed:
        return []
    if freed.pull_request == state.facts.number:
        return []
    state.freed_known = [*state.freed_known[-_KNOWN + 1 :], freed.key]
    state.freed |= {unit: freed_reason(freed, unit) for unit in units}
    if state.active is not None and state.active.operation is Operation.APPLY:
        return [SignalRun(run_id=state.active.run_id)]
    return look_at_base(state)


def forget_freed(state: PullRequestState, result: RunResult) -> None:
    """What this pull request has applied itself since needs no other plan."""
    if result.operation is Operation.APPLY:
        for outcome in result.outcomes:
            if outcome.phase in DONE:
                state.freed.pop(outcome.unit, None)
