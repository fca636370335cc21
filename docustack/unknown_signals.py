"""A signal that a pull request's workflow doesn't know: on record, and answered once a name in the pull request."""

from docustack.comment_text import inline_code, one_line
from docustack.pull_request_actions import Action, Reply
from docustack.pull_request_state import PullRequestState
from docustack.signed_approvals import SIGNALS

_KEPT = 20
_TOLD = 10


def take_unknown_signal(state: PullRequestState, name: str) -> list[Action]:
    """Somebody has sent it from Temporal's own UI or CLI; who, nobody knows, but they read the pull request."""
    shown = one_line(name, 60)
    state.rejected = [*state.rejected[-_KEPT + 1 :], f"signal of unknown name {shown!r}"]
    if shown in state.told_signals or len(state.told_signals) >= _TOLD:
        return []
    state.told_signals = [*state.told_signals, shown]
    return [Reply(key=f"signal-{len(state.told_signals)}", body=unknown_signal_reply(state, shown))]


def unknown_signal_reply(state: PullRequestState, name: str) -> str:
    """What it was, and where it belongs if it is one of a run's."""
    head = f"⚠️ The signal {inline_code(name)} was sent to the workflow of this pull request from Temporal."
    if name not in SIGNALS:
        return f"{head} There is no such signal, so nothing followed from it."
    active = state.active
    if active is None or not active.waiting:
        return f"{head} It belongs to a run that waits for approval, and none does, so nothing followed from it."
    return (
        f"{head} It belongs to the run that waits, {inline_code(f'run:{active.run_id}')}, so nothing followed from it."
    )
