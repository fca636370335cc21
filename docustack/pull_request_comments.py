"""What a comment on a pull request says to us, and what follows from it."""

from docustack.commands import Command, CommandKind, Misunderstood, parse
from docustack.events import EventKind, PullRequestEvent
from docustack.pull_request_actions import Action, Reply, Sign
from docustack.pull_request_replies import help_reply, no_push_access_reply
from docustack.pull_request_state import PullRequestState, RunToStart
from docustack.pull_request_turns import take_command
from docustack.runs import Operation


def asks_for_a_run(state: PullRequestState, event: PullRequestEvent, bot_login: str) -> bool:
    """Is it a comment that commands a run? Then whoever wrote it needs push access, before anything follows from it."""
    command = read_comment(state, event, bot_login)
    return isinstance(command, Command) and command.kind is not CommandKind.HELP


def read_comment(state: PullRequestState, event: PullRequestEvent, bot_login: str) -> Command | Misunderstood | None:
    """What a comment says to us; what we have said ourselves says nothing."""
    if event.known_kind is not EventKind.COMMENT_CREATED or event.sender_is_bot or event.sender == bot_login:
        return None
    return parse(event.comment_body or "", state.comment_prefixes, bot_login)


def take_comment(
    state: PullRequestState, event: PullRequestEvent, bot_login: str, *, may_command: bool
) -> list[Action]:
    command = read_comment(state, event, bot_login)
    key = f"reply-{event.comment_id}"
    if command is None or event.comment_id is None:
        return []
    if isinstance(command, Misunderstood):
        return [Sign(comment_id=event.comment_id, content="confused"), Reply(key=key, body=command.reply)]
    if command.kind is CommandKind.HELP:
        prefix = state.comment_prefixes[0]
        return [Sign(comment_id=event.comment_id, content="eyes"), Reply(key=key, body=help_reply(prefix))]
    if not may_command:
        refusal = no_push_access_reply(event.sender, Operation(command.kind.value))
        return [Sign(comment_id=event.comment_id, content="-1"), Reply(key=key, body=refusal)]
    assert state.facts is not None
    run = RunToStart(
        operation=Operation(command.kind.value),
        actor=event.sender,
        directories=command.directories,
        comment_id=event.comment_id,
        head_commit=state.facts.head_commit,
        destroy=command.destroy,
    )
    return [Sign(comment_id=event.comment_id, content="eyes"), *take_command(state, run, key)]
