"""The grammar of comment commands: from a comment's text to a command, to a helpful reply, or to nothing."""

import re
from collections.abc import Sequence
from enum import StrEnum

from docustack.command_lines import own_lines
from docustack.command_replies import (
    ONE_COMMAND_REPLY,
    OPTIONS_REPLY,
    SCHEDULE_REPLY,
    TAG_QUERY_REPLY,
    filler_reply,
    misspelt_option_reply,
    misspelt_reply,
    no_destroy_option_reply,
    several_commands_reply,
    unknown_action_reply,
    unsupported_reply,
)
from docustack.command_words import (
    ACTIONS,
    DESTROY_OPTION,
    UNSUPPORTED,
    is_misspelt_destroy,
    is_option,
    is_prose,
    looks_like_directory,
    misspelt_prefix,
    nearest_action,
    split_fillers,
)
from docustack.comment_text import without_control
from docustack.model import Model

DEFAULT_PREFIXES = ("terrateam", "docustack")
TERRATEAM_ALIASES = ("terraform", "tofu")
"""Terrateam answers to these as well: they are accepted beside `terrateam`, but only in a flawless command."""

_WORD = re.compile(r"""(?<![^\s,])(?:"[^"]+"|'[^']+')(?![^\s,])|(?:\{[^}]*\}|[^\s,])+""")
"""What stands between blanks and commas; those in quotation marks or in `{a,b}` belong to it."""


class CommandKind(StrEnum):
    PLAN = "plan"
    APPLY = "apply"
    UNLOCK = "unlock"
    DISMISS = "dismiss"  # what a merge has left owned by nobody, by name
    HELP = "help"


class Command(Model):
    """What a person asks for; no directories means everything that the pull request changes."""

    kind: CommandKind
    directories: tuple[str, ...] = ()
    destroy: bool = False  # of an apply: destroy the units that the pull request deletes, too

    def written(self, prefix: str = "terrateam") -> str:
        """The command as a person would type it."""
        directories = (f'"{name}"' if re.search(r"\s", name) else name for name in self.directories)
        return " ".join((prefix, self.kind.value, *((DESTROY_OPTION,) if self.destroy else ()), *directories))


class Misunderstood(Model):
    """A line that was meant as a command and isn't one: `reply` is markdown, `nearest` what to type instead."""

    text: str
    nearest: str | None
    reply: str


def parse(
    body: str, prefixes: Sequence[str] = DEFAULT_PREFIXES, bot_login: str | None = None
) -> Command | Misunderstood | None:
    """Read the one command of a comment; None where it holds none.

    A command begins a line that is the commenter's own: no quote, code, or hidden comment. Lines below it that are no
    commands are ignored, misspelt ones too. A comment whose only or first try is misspelt starts nothing and is
    answered, and so is one that holds two different commands.
    """
    lines = own_lines(body)
    if not lines:
        return None
    trigger = _trigger(prefixes, bot_login)
    lines[0] = _without_backticks(lines[0])
    if len(lines) == 1 and (corrected := _with_prefix(lines[0], prefixes)):
        meant = _read(corrected, trigger, prefixes, alone=True)
        if not isinstance(meant, Command):
            return None
        suggestion, typed = meant.written(corrected.split()[0]), lines[0].split()[0]
        return Misunderstood(text=lines[0], nearest=suggestion, reply=misspelt_reply(typed, suggestion))
    read = [_read(line, trigger, prefixes, alone=len(lines) == 1) for line in lines]
    answers = [result for result in read if isinstance(result, Misunderstood)]
    found = list(dict.fromkeys(result for result in read if isinstance(result, Command)))
    if answers and (not found or read[0] == answers[0]):
        return answers[0]
    if len(found) > 1:
        written = [command.written(prefixes[0] if prefixes else "terrateam") for command in found]
        return Misunderstood(text="\n".join(written), nearest=written[0], reply=several_commands_reply(written))
    return found[0] if found else None


def _with_prefix(line: str, prefixes: Sequence[str]) -> str | None:
    """A comment of one line in which our name is misspelt and the rest is a command."""
    words = line.split()
    known = misspelt_prefix(words[0], prefixes) if words[1:] and words[1].lower() in ACTIONS else None
    return " ".join((known, *words[1:])) if known else None


def normalize_directory(text: str) -> str:
    """A directory as units are named: no `./`, no double or trailing slash, no `terragrunt.hcl` at its end."""
    path = re.sub(r"/{2,}", "/", text.strip().strip("`'\""))
    while path.startswith("./"):
        path = path[2:]
    path = path.strip("/").removesuffix("/terragrunt.hcl").removesuffix("/.")
    return path or "."


def _trigger(prefixes: Sequence[str], bot_login: str | None) -> re.Pattern[str]:
    """Matches the word that addresses us, and what follows it."""
    words = list(prefixes)
    if any(prefix.lower() == "terrateam" for prefix in prefixes):
        words += TERRATEAM_ALIASES
    if bot := (bot_login or "").removesuffix("[bot]").removeprefix("@"):
        words.append(f"@{bot}")
    names = "|".join(re.escape(word) for word in sorted(words, key=len, reverse=True) if word)
    return re.compile(rf"@?(?P<word>{names or '(?!)'})(?:\[bot\])?[:,]?(?P<rest>\s.*|)", re.IGNORECASE | re.DOTALL)


def _without_backticks(line: str) -> str:
    """A line that is inline code as a whole, as copying from a code block makes it."""
    match = re.fullmatch(r"(`+)\s*([^`]+?)\s*\1", line)
    return match[2] if match else line


def _read(
    line: str, trigger: re.Pattern[str], prefixes: Sequence[str], *, alone: bool
) -> Command | Misunderstood | None:
    """One line; `alone` is a comment that is nothing but this line, so surely meant for us."""
    addressed = trigger.fullmatch(without_control(line).strip())
    if addressed is None:
        return None
    words = addressed["rest"].split()
    flawless_only = addressed["word"].lower() in TERRATEAM_ALIASES
    by_own_name = not flawless_only and not addressed["word"].startswith("@")
    prefix = addressed["word"].lower() if by_own_name else (*prefixes, *DEFAULT_PREFIXES)[0]
    if not words:
        return Command(kind=CommandKind.HELP) if alone and not flawless_only else None
    action = words[0].lower().rstrip(",")
    arguments = _arguments(addressed["rest"].strip()[len(words[0]) :])
    if action in ("help", "-h", "--help"):
        return Command(kind=CommandKind.HELP) if not is_prose(split_fillers(arguments)[0]) else None
    if action in ACTIONS:
        result = _command(CommandKind(action), arguments, line, prefix)
    else:
        result = _not_a_command(line, action, arguments, prefix, alone=alone)
    return None if flawless_only and isinstance(result, Misunderstood) else result


def _arguments(text: str) -> tuple[str, ...]:
    """Directories and globs, apart by blanks or commas."""
    words: list[str] = _WORD.findall(re.sub(r"(?<=[\"'])[.;!]+$", "", text.rstrip()))
    if words and len(words[-1]) > 1:
        words[-1] = words[-1].rstrip(".;!") or words[-1]
    return tuple(words)


def _command(kind: CommandKind, arguments: tuple[str, ...], line: str, prefix: str) -> Command | Misunderstood | None:
    destroy = kind is CommandKind.APPLY and DESTROY_OPTION in map(str.lower, arguments)
    if destroy:
        arguments = tuple(word for word in arguments if word.lower() != DESTROY_OPTION)
    if wrong := _wrong_option(kind, arguments, prefix):
        return Misunderstood(text=line, nearest=wrong.nearest, reply=wrong.reply)
    if reply := _wrong_argument(kind, arguments):
        return Misunderstood(text=line, nearest=f"{prefix} {kind}", reply=reply)
    if prefix in map(str.lower, arguments):
        return Misunderstood(text=line, nearest=f"{prefix} {kind}", reply=ONE_COMMAND_REPLY)
    words = tuple(word.removeprefix("dir:") for word in arguments if word.lower() != "or")
    directories, fillers = split_fillers(words)
    if is_prose(directories):
        return None
    named = tuple(dict.fromkeys(map(normalize_directory, directories)))
    command = Command(kind=kind, directories=named, destroy=destroy)
    if fillers:
        suggestion = command.written(prefix)
        return Misunderstood(text=line, nearest=suggestion, reply=filler_reply(" ".join(fillers), suggestion))
    return command


def _wrong_option(kind: CommandKind, arguments: tuple[str, ...], prefix: str) -> Misunderstood | None:
    """There is one option, and only `apply` has it; what looks like it is answered with it."""
    wrong = next((word for word in arguments if is_option(word)), None)
    if wrong is None:
        return None
    if not is_misspelt_destroy(wrong):
        return Misunderstood(text=wrong, nearest=f"{prefix} {kind}", reply=OPTIONS_REPLY)
    named = tuple(normalize_directory(word) for word in arguments if looks_like_directory(word))
    suggestion = Command(kind=CommandKind.APPLY, directories=named, destroy=True).written(prefix)
    reply = (
        misspelt_option_reply(wrong, suggestion) if kind is CommandKind.APPLY else no_destroy_option_reply(kind, prefix)
    )
    return Misunderstood(text=wrong, nearest=suggestion, reply=reply)


def _wrong_argument(kind: CommandKind, arguments: tuple[str, ...]) -> str | None:
    """What Terrateam or a command line would take here and this engine doesn't."""
    lowered = [word.lower() for word in arguments]
    if kind is CommandKind.APPLY and "at" in lowered and lowered[-1].endswith("z") and lowered[-1][:4].isdigit():
        return SCHEDULE_REPLY
    scoped = any(re.match(r"(?!dir:)\w+:\S", word) for word in lowered)
    if scoped or any(word.startswith(("(", ")")) for word in lowered) or lowered[-2:] == ["in", "dir"]:
        return TAG_QUERY_REPLY
    if any(word.startswith("dir:") for word in lowered) and {"and", "not"} & set(lowered):
        return TAG_QUERY_REPLY
    return None


def _not_a_command(
    line: str, action: str, arguments: tuple[str, ...], prefix: str, *, alone: bool
) -> Misunderstood | None:
    """Answer what was likely meant as a command; leave a sentence that merely begins with our name alone."""
    arguments = tuple(split_fillers(arguments)[0])
    short = alone and len(arguments) <= 2 and not is_prose((action, *arguments)) and nearest_action(action) is not None
    paths = short or all(looks_like_directory(word) for word in arguments)
    if action in UNSUPPORTED and not is_prose(arguments):
        return Misunderstood(text=line, nearest=None, reply=unsupported_reply(action, UNSUPPORTED[action]))
    if not paths:
        return None
    if nearest := nearest_action(action):
        suggestion = " ".join((prefix, nearest, *(normalize_directory(word) for word in arguments)))
        return Misunderstood(text=line, nearest=suggestion, reply=misspelt_reply(action, suggestion))
    if (alone or arguments) and not is_prose((action,)):
        return Misunderstood(text=line, nearest=None, reply=unknown_action_reply(action, prefix))
    return None
