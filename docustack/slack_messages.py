"""The messages of a run's Slack thread, with the deployment guide's texts (guide, "Slack Notifications")."""

import re
from collections.abc import Sequence
from datetime import datetime

from docustack.comment_text import counted, one_line, without_control
from docustack.plans import PlanSummary
from docustack.runs import Operation

MESSAGE_LIMIT = 3_000
"""Characters of a message. Slack cuts a text block there; a message may have 4,000 before it is split in two."""

_SHOWN_UNITS = 5
_ADDRESS = re.compile(r"^https?://[^\s<>|]+$")


def escaped(text: str) -> str:
    """Text of others: Slack knows three characters, and without them nothing is a link, a mention or `@channel`."""
    return without_control(text).replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")


def link(url: str, text: str) -> str:
    """A link, or only its text where there is no proper web address."""
    if not _ADDRESS.match(url):
        return escaped(text)
    address = url.replace("&", "&amp;")
    return f"<{address}|{escaped(text).replace('|', '¦')}>"


def units_text(units: Sequence[str]) -> str:
    """Units in a sentence: one or two by name, more as their common directory with their number, or the first few.

    `dev/us-east-1/vpc`, `dev/us-east-1/rds and dev/us-east-1/vpc`, `dev/us-east-1/... (7 units)`.
    """
    names = sorted(set(units))
    if not names:
        return "no units"
    if len(names) <= 2:
        return " and ".join(escaped(one_line(name, 200)) for name in names)
    directory = _common_directory(names)
    if directory:
        return f"{escaped(one_line(directory, 200))}/... ({counted(len(names), 'unit')})"
    shown = ", ".join(escaped(one_line(name, 120)) for name in names[:_SHOWN_UNITS])
    return f"{shown} and {len(names) - _SHOWN_UNITS:,} more" if len(names) > _SHOWN_UNITS else shown


def plan_started(units: Sequence[str]) -> str:
    return f"Plan started for {units_text(units)}"


def plan_completed(summary: PlanSummary) -> str:
    """`Plan completed: 3 to add, 1 to change`, with what is destroyed only where something is."""
    if summary.is_empty:
        return "Plan completed: no changes"
    text = f"Plan completed: {summary.add} to add, {summary.change} to change"
    return f"{text}, {summary.destroy} to destroy" if summary.destroy else text


def plan_failed(message: str) -> str:
    """Not in the guide's table, in its words: a plan that failed must not look as if it still ran."""
    return _with_message("Plan failed", message)


PLAN_CANCELLED = "Plan cancelled"
"""Not in the guide's table either: a push or a newer command has taken its place, and has a thread of its own."""


def apply_started(units: Sequence[str], operation: Operation = Operation.APPLY) -> str:
    """Of a destruction, a refresh, an import in their own words."""
    return f"{operation.value.capitalize()} started for {units_text(units)}"


def apply_completed(left: Sequence[str] = ()) -> str:
    """`left` are units of the pull request that still wait for their apply."""
    return "Apply completed successfully" + (f"; not applied yet: {units_text(left)}" if left else "")


def apply_failed(message: str) -> str:
    return _with_message("Apply failed", message)


def approval_reminder(units: Sequence[str], asked: datetime, gives_up: datetime) -> str:
    """Not in the guide's table, in its words: what waits for people, since when, and until when."""
    since, until = f"{asked:%Y-%m-%d %H:%M} UTC", f"{gives_up:%Y-%m-%d %H:%M} UTC"
    return f"Apply still waits for approval: {units_text(units)} (since {since}, until {until})"


def approval_expired(units: Sequence[str], days: int) -> str:
    return f"Apply ended: nobody approved {units_text(units)} within {counted(days, 'day')}"


def unit_failure(unit: str, message: str) -> str:
    """What failed of which unit, for `plan_failed` and `apply_failed`; what to do about it is told in the comment."""
    name = re.escape(unit)
    headline = re.sub(rf"^`[^`]+` failed for {name}: ", "", message.strip().partition("\n")[0])
    if not headline:
        return unit
    return headline if re.search(rf"(?<![\w/.-]){name}(?![\w/-])", headline) else f"{unit}: {headline}"


def drift_detected(units: Sequence[str]) -> str:
    return f"Drift detected in {units_text(units)}"


def thread_head(
    text: str, *, pull_request: int | None, pull_request_url: str = "", run_url: str, run_id: str = "", actor: str = ""
) -> str:
    """The first message of a run's thread: the guide's text, then where to look."""
    parts = [link(pull_request_url, f"PR #{pull_request}") if pull_request is not None else f"run {escaped(run_id)}"]
    if _ADDRESS.match(run_url):
        parts.append(link(run_url, "Temporal"))
    if actor:
        parts.append(f"by {escaped(one_line(actor, 60))}")
    return f"{_cut(text, MESSAGE_LIMIT - 1_000)}\n{' · '.join(parts)}"


def total(summaries: Sequence[PlanSummary]) -> PlanSummary:
    """The sum over a run's units, for `plan_completed`."""
    return PlanSummary(
        add=sum(summary.add for summary in summaries),
        change=sum(summary.change for summary in summaries),
        destroy=sum(summary.destroy for summary in summaries),
        outputs_changed=sum(summary.outputs_changed for summary in summaries),
        imported=sum(summary.imported for summary in summaries),
    )


def _with_message(event: str, message: str) -> str:
    lines = (" ".join(line.split()) for line in escaped(message).strip().split("\n"))
    text = "\n".join(line for line in lines if line) or "no reason was given"
    return _cut(f"{event}: {text}", MESSAGE_LIMIT)


def _cut(text: str, limit: int) -> str:
    """At most `limit` characters, and never half of an escaped character or of a link."""
    if len(text) <= limit:
        return text
    shorter = text[: limit - 1]
    shorter = re.sub(r"&[a-z]{0,3}$", "", shorter)
    opening, closing = shorter.rfind("<"), shorter.rfind(">")
    return (shorter[:opening] if opening > closing else shorter).rstrip() + "…"


def _common_directory(names: Sequence[str]) -> str:
    """The longest directory that holds all units; empty where they share none."""
    first, last = names[0].split("/")[:-1], names[-1].split("/")[:-1]
    common: list[str] = []
    for one, other in zip(first, last, strict=False):
        if one != other:
            break
        common.append(one)
    return "/".join(common)
