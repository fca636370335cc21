"""How a pull request stands, in the words of the search attribute `DocustackStatus` and of the command line."""

from docustack.pull_request_state import PullRequestState


def status_of(state: PullRequestState) -> str:
    """`idle`, `running`, `waiting` (at its gate); after its close `owed`, `orphans`, `taken-over` or `closed`."""
    if not state.is_open:
        return left_behind(state) or "closed"
    if state.active is None:
        return "idle"
    return "waiting" if state.active.waiting else "running"


def left_behind(state: PullRequestState) -> str:
    """What keeps a merged pull request on record, in the words of its status; empty where nothing does."""
    if state.owed:
        return "owed"
    return "orphans" if state.orphans else "taken-over" if state.handed_over else ""
