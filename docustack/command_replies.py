"""What is answered to a comment that was meant as a command and isn't one."""

from collections.abc import Sequence

from docustack.comment_text import inline_code

OPTIONS_REPLY = (
    "There is no such option, so nothing was started. A command takes directories, such as "
    "`terrateam plan dev/us-east-1/vpc`, and `terrateam apply` has the one option `--destroy`."
)
SCHEDULE_REPLY = (
    "An apply can't be scheduled from a comment, so nothing was started. Comment `terrateam apply` when it is time."
)
ONE_COMMAND_REPLY = "One command a comment, please: this line holds two, so nothing was started."
TAG_QUERY_REPLY = (
    "Tag queries are not supported, so nothing was started. Name directories or globs instead, such as "
    "`terrateam plan dev/us-east-1/vpc` or `terrateam plan dev/**`."
)


def misspelt_option_reply(option: str, suggestion: str) -> str:
    return (
        f"{inline_code(option, 60)} is not an option, so nothing was started. Did you mean {inline_code(suggestion)}?"
    )


def misspelt_reply(action: str, suggestion: str) -> str:
    return (
        f"{inline_code(action, 60)} is not a command, so nothing was started. Did you mean {inline_code(suggestion)}?"
    )


def no_destroy_option_reply(action: str, prefix: str) -> str:
    """`plan --destroy` and the like: what the pull request deletes is planned for destruction by itself."""
    return (
        f"Only `apply` has the option `--destroy`, and {inline_code(action)} hasn't, so nothing was started. What the "
        "pull request deletes is planned for destruction by itself; "
        f"{inline_code(prefix + ' apply --destroy')} carries it out."
    )


def filler_reply(filler: str, suggestion: str) -> str:
    typed, meant = inline_code(filler, 60), inline_code(suggestion)
    return f"A command takes directories only, and {typed} is none, so nothing was started. Did you mean {meant}?"


def unknown_action_reply(action: str, prefix: str) -> str:
    return (
        f"{inline_code(action, 60)} is not a command, so nothing was started. There are `plan`, `apply`, `unlock`, "
        f"`dismiss` and `help`; comment {inline_code(prefix + ' help')} to see what they do."
    )


def unsupported_reply(action: str, instead: str) -> str:
    return f"{inline_code(action, 60)} is not supported here, so nothing was started. {instead}"


def several_commands_reply(written: Sequence[str]) -> str:
    listed = "\n".join(f"- {inline_code(command)}" for command in written[:10])
    return f"One command a comment, please: this one holds {len(written)}, so nothing was started.\n\n{listed}"
