"""What a comment on a pull request says to us, and what follows from it."""

from datetime import datetime

from docustack.commands import Command, CommandKind, Misunderstood, parse
from docustack.events import EventKind, PullRequestEvent
from docustack.orphans import dismiss
from docustack.pull_request_actions import Action, Reply, Sign
from docustack.pull_request_replies import closed_reply, help_reply, no_push_access_reply, written_before_reply
from docustack.pull_request_state import PullRequestState, RunToStart
from docustack.pull_request_turns import is_for_one_head, take_command
from docustack.runs import Operation

ANSWERED_LIMIT = 2_000
"""Comments remembered as taken; older ones are known by the sign that they got."""


def asks_for_a_run(state: PullRequestState, event: PullRequestEvent, bot_login: str) -> bool:
    """Is it a comment that commands a run? Then whoever wrote it needs push access, before anything follows from it."""
    command = read_comment(state, event, bot_login)
    return isinstance(command, Command) and command.kind is not CommandKind.HELP


def wants_an_answer(state: PullRequestState, event: PullRequestEvent, bot_login: str) -> bool:
    """Is it a comment to us? Then it is answered once, however often and however late it is delivered."""
    return event.comment_id not in state.answered and read_comment(state, event, bot_login) is not None


def read_comment(state: PullRequestState, event: PullRequestEvent, bot_login: str) -> Command | Misunderstood | None:
    """What a comment says to us; what we have said ourselves says nothing."""
    if event.known_kind is not EventKind.COMMENT_CREATED or event.comment_id is None:
        return None
    if event.sender_is_bot or event.sender == bot_login:
        return None
    return parse(event.comment_body or "", state.comment_prefixes, bot_login)


def take_comment(
    state: PullRequestState, event: PullRequestEvent, bot_login: str, *, may_command: bool, answered: bool = False
) -> list[Action]:
    """What follows from a comment; `answered`: a sign of ours is at it, so it was taken before, in another life."""
    command = read_comment(state, event, bot_login)
    if command is None or event.comment_id is None or answered or event.comment_id in state.answered:
        return []
    state.answered = [*state.answered[-ANSWERED_LIMIT + 1 :], event.comment_id]
    key = f"reply-{event.comment_id}"
    if isinstance(command, Misunderstood):
        return _answer(event, "confused", command.reply)
    if command.kind is CommandKind.HELP:
        return _answer(event, "eyes", help_reply(state.comment_prefixes[0]))
    if command.kind is CommandKind.DISMISS:
        return _dismiss(state, event, command, may_command=may_command)
    operation = Operation(command.kind.value)
    if not state.is_open and (not state.merge_commit or operation is Operation.PLAN):
        return _answer(event, "-1", closed_reply(command))
    if not may_command:
        return _answer(event, "-1", no_push_access_reply(event.sender, operation.value))
    assert state.facts is not None
    if is_for_one_head(state, operation) and _is_before(event.comment_created_at, state.head_since):
        return _answer(event, "-1", written_before_reply(operation, state.facts.head_commit))
    run = RunToStart(
        operation=operation,
        actor=event.sender,
        directories=command.directories,
        comment_id=event.comment_id,
        head_commit=state.facts.head_commit,
        destroy=command.destroy,
        merge_commit=state.merge_commit,  # what a merge has left can still be applied, or given up
    )
    return [Sign(comment_id=event.comment_id, content="eyes"), *take_command(state, run, key)]


def _dismiss(state: PullRequestState, event: PullRequestEvent, command: Command, *, may_command: bool) -> list[Action]:
    if not may_command:
        return _answer(event, "-1", no_push_access_reply(event.sender, command.kind.value))
    done, told = dismiss(state, command.directories, event.sender)
    return _answer(event, "+1" if done else "confused", told)


def _answer(event: PullRequestEvent, sign: str, body: str) -> list[Action]:
    assert event.comment_id is not None
    return [Sign(comment_id=event.comment_id, content=sign), Reply(key=f"reply-{event.comment_id}", body=body)]


def _is_before(written: str | None, moment: str) -> bool:
    """Whether a comment is older than a moment; where GitHub tells none, nobody can say so."""
    try:
        return bool(written and moment) and datetime.fromisoformat(written or "") < datetime.fromisoformat(moment)
    except (ValueError, TypeError):
        return False
