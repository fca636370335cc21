"""What the pull request's workflow itself says: that a command waits, is superseded, or comes too late."""

from docustack.commands import Command
from docustack.comments import help_comment
from docustack.run_comments import refusal_comment
from docustack.runs import Operation

DRAFT = "This pull request is a draft. Mark it as ready for review, then comment `terrateam apply` again."

OUTDATED_BY_PUSH = "the pull request has changed since"
OUTDATED_BY_REOPENING = "the pull request is planned anew"
OUTDATED_BY_PLAN = "planned again since"
SUPERSEDED_BY_PUSH = "superseded by a push"
SUPERSEDED_BY_PLAN = "superseded by a later command"
SUPERSEDED_BY_UNLOCK = "ended by `unlock`"
SUPERSEDED_BY_CLOSE = "the pull request was closed"

FORK = (
    "This pull request comes from a fork. Planning it would run its code with cloud credentials, so it is not planned "
    "automatically. Somebody with push access who has read the change can comment `terrateam plan`."
)


def help_reply(prefix: str) -> str:
    return help_comment(prefix)


def no_push_access_reply(login: str, command: str) -> str:
    """Guide, "GitHub Access": push access to the repository is the prerequisite of every command."""
    return refusal_comment(
        f"@{login} may not `{command}`: that takes push access to the repository, which @{login} doesn't have. "
        "Nothing was started. Ask somebody who has it, or an owner of the repository for access."
    )


def queued_reply(wanted: Operation, running: Operation, run_id: str, position: int) -> str:
    """One command waits for another."""
    place = "is next" if position == 1 else f"is number {position} in line"
    return (
        f"Another run of this pull request is going ({running.value}, `{run_id}`). "
        f"Your `{wanted.value}` {place} and begins by itself when it has ended."
    )


def ended_reply(command: str, by: str, applier: str, run_id: str) -> str:
    """A command has ended an apply of somebody that waited: both read who did what."""
    return (
        f"`{command}` by @{by} has ended the apply of @{applier} that was waiting here (`{run_id}`). Nothing more of "
        "it is applied; comment `terrateam apply` to ask for it again."
    )


def left_line_reply(commands: int) -> str:
    """The pull request was closed while commands waited their turn."""
    waited = "a command in line was" if commands == 1 else f"{commands:,} commands in line were"
    return f"Closed, so {waited} not begun. After a reopening, comment again."


def moved_reply(operation: Operation, asked_at: str, head: str) -> str:
    """An apply, or the plan of a fork, that waited in line while the head moved on is not carried out."""
    if operation is Operation.PLAN:
        return (
            f"Your `plan` was for `{asked_at[:7]}`, and the head of this fork is now `{head[:7]}`. Nothing was "
            "planned; read the new change and comment `terrateam plan` again."
        )
    return (
        f"Your `apply` was for `{asked_at[:7]}`, and the head is now `{head[:7]}`, which nobody had seen planned when "
        "you asked. Nothing was applied; look at the new plan and comment `terrateam apply` again."
    )


def written_before_reply(operation: Operation, head: str) -> str:
    """A command from before the present head, which was delivered late: it was not meant for what is there now."""
    if operation is Operation.PLAN:
        return (
            f"This `plan` is older than `{head[:7]}`, the present head of this fork, so it can't be meant for its "
            "code. Nothing was planned; read the change and comment `terrateam plan` again."
        )
    return (
        f"This `apply` is older than `{head[:7]}`, the present head, so it can't be meant for its plans. Nothing was "
        "applied; look at the plan and comment `terrateam apply` again."
    )


def closed_reply(command: Command) -> str:
    return f"This pull request is closed, so `{command.kind.value}` does nothing here. Reopen it, or open a new one."


def lost_reply(operation: Operation, run_id: str) -> str:
    """A run was terminated, so it could not tell how it ended."""
    told = f"The run `{run_id}` ({operation.value}) was ended from outside and could not say what it had done."
    if operation is not Operation.APPLY:
        return f"{told} Comment `terrateam plan` to plan again."
    return (
        f"{told} A Terraform that it had begun may have changed infrastructure. Its plans are not applied as they are: "
        "the next `terrateam apply` plans each unit again first. If a state lock is left, `terrateam unlock` frees it."
    )


def not_started_reply(operation: Operation, reason: str) -> str:
    return f"Your `{operation.value}` could not be started: {reason}. Nothing was changed; please comment it again."
