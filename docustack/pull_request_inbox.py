"""What follows from an entry of a pull request's inbox that GitHub didn't send: runs, base branch, locks."""

from docustack.base_moves import BaseMoved
from docustack.lock_messages import LocksHeld, UnitsFreed
from docustack.orphans import look_at_orphans
from docustack.pull_request_actions import Action
from docustack.pull_request_base import take_base_moved
from docustack.pull_request_challenges import take_may_begin
from docustack.pull_request_locks import take_held, take_units_freed
from docustack.pull_request_merge import take_back, take_hand_over
from docustack.pull_request_state import HandOver, InboxEntry, PullRequestState, RunMayBegin, RunWaits
from docustack.pull_request_turns import look_for_superseded
from docustack.pull_requests import take_run_end, take_run_lost, take_run_waits
from docustack.runs import RunResult
from docustack.unknown_signals import take_unknown_signal


def take_entry(state: PullRequestState, entry: InboxEntry) -> list[Action]:
    """Events of GitHub's are taken by `take_event`, which knows what GitHub says by now."""
    match entry:
        case InboxEntry(ended=RunResult() as result):
            return take_run_end(state, result)
        case InboxEntry(waits=RunWaits() as waits):
            return take_run_waits(state, waits)
        case InboxEntry(may_begin=RunMayBegin() as message):
            return take_may_begin(state, message)
        case InboxEntry(base_moved=BaseMoved() as moved):
            return take_base_moved(state, moved)
        case InboxEntry(hand_over=HandOver() as wanted):
            return take_hand_over(state, wanted)
        case InboxEntry(lost=str() as run_id):
            return take_run_lost(state, run_id)
        case InboxEntry(unknown_signal=str() as name):
            return take_unknown_signal(state, name)
        case InboxEntry(look_at_orphans=True):
            return look_at_orphans(state)
        case InboxEntry(look_around=True):
            return look_for_superseded(state) or look_at_orphans(state)
    return _take_news_of_locks(state, entry)


def _take_news_of_locks(state: PullRequestState, entry: InboxEntry) -> list[Action]:
    match entry:
        case InboxEntry(held=LocksHeld() as held):
            return take_held(state, held)
        case InboxEntry(freed=UnitsFreed() as freed):
            return take_units_freed(state, freed) if state.is_open else take_back(state, freed)
    return []
