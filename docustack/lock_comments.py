"""What a pull request says while it waits in line for units that others hold, and when units have come free."""

from collections.abc import Sequence
from datetime import datetime

from docustack.comment_limits import BODY_LIMIT, closed, head_of, size
from docustack.comment_text import code_list, counted, inline_code, moment, person
from docustack.lock_messages import UnitsFreed
from docustack.locks import Grant, LockAnswer

_SHOWN = 30


def in_line_comment(answer: LockAnswer, prefix: str = "terrateam") -> str:
    """Who holds what this one wants, by whom, since when, its place, and what comes after."""
    unlock = inline_code(f"{prefix} unlock")
    parts = [f"⏳ **{place_in_line(answer)}**", "\n".join(who_is_before(answer))]
    parts.append(
        f"Its turn comes once they are merged or closed, or somebody comments {unlock} there. The units are then "
        "planned again, and applied without another command if the new plans do no more than what was approved. "
        f"Nothing is held meanwhile; a push or {unlock} here leaves the line."
    )
    body = "\n\n".join(parts)
    return body if size(body) <= BODY_LIMIT else closed(head_of(body, BODY_LIMIT - 200)) + "\n\n…"


def place_in_line(answer: LockAnswer) -> str:
    """A title."""
    return f"Waiting in line for its units: number {answer.position:,}"


def turn_comment(units: Sequence[str], waited_since: datetime) -> str:
    """The end of the wait: the same comment says so."""
    return (
        f"✅ **Its turn has come**\n\nIn line since {moment(waited_since)}. {code_list(tuple(units))}: planned again "
        "on what is there now, then applied if the new plans do no more than what was approved."
    )


def left_line_comment(waited_since: datetime) -> str:
    """The wait has ended without a turn; why, is said in a comment of its own."""
    return f"**No longer in line.** It had waited since {moment(waited_since)}, and nothing was applied."


def waited_too_long(days: int, prefix: str = "terrateam") -> str:
    return (
        f"The units didn't come free within {days} days, so it left the line: nobody behind it has to wait for what "
        f"may not be wanted any more. Comment {inline_code(f'{prefix} apply')} to stand in line again."
    )


def freed_reason(freed: UnitsFreed, unit: str) -> str:
    """Why a unit was planned again though nobody asked for it, beside its new plan."""
    return (
        f"{inline_code(unit)} is free: {freed.holder_name}, which held it, {freed.how}. So it was "
        "planned again, on what is there now."
    )


def who_is_before(answer: LockAnswer) -> list[str]:
    """Who holds what it wants, and whose turn comes first: a list."""
    lines = [f"- {held_line(grant)}" for grant in answer.blocked_by[:_SHOWN]]
    if len(answer.blocked_by) > _SHOWN:
        lines.append(f"- and {len(answer.blocked_by) - _SHOWN:,} more units")
    if answer.ahead:
        more = f" and {len(answer.ahead) - _SHOWN:,} more" if len(answer.ahead) > _SHOWN else ""
        named = ", ".join(answer.ahead[:_SHOWN])
        lines.append(f"- before it in line: {counted(len(answer.ahead), 'other')} ({named}{more})")
    return lines


def held_meanwhile(grants: Sequence[Grant]) -> str:
    """For who is asked to approve an apply: it will have to wait for others, which hold its units now."""
    lines = [f"- {held_line(grant)}" for grant in grants[:_SHOWN]]
    if len(grants) > _SHOWN:
        lines.append(f"- and {len(grants) - _SHOWN:,} more units")
    return "\n".join(["🔒 Others hold units of it now; once approved, it stands in line for them:", "", *lines])


def held_line(grant: Grant) -> str:
    held = f"held by {grant.holder_name} ({person(grant.actor)})"
    return f"{inline_code(grant.unit)}: {held} since {moment(grant.since)}"
