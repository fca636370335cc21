"""What a run says beyond its units: refusals, approvals it waits for, locks of others, what was unlocked.

The texts are for `prose`: inline code and plain words. `refusal_comment` makes a comment of one.
"""

from collections.abc import Collection, Mapping, Sequence
from datetime import datetime
from typing import Protocol

from docustack.comment_limits import BODY_LIMIT, closed, head_of, size
from docustack.comment_text import code_list, fold, inline_code, moment, prose
from docustack.left_over import without_plan
from docustack.plans import Change
from docustack.runs import RunInput
from docustack.units import UnknownDirectory

_SHOWN = 30


class FreedLock(Protocol):
    """What was found of Terraform's own lock on one unit's state."""

    @property
    def locked(self) -> bool: ...
    @property
    def freed(self) -> bool: ...
    @property
    def who(self) -> str | None: ...
    @property
    def since(self) -> str | None: ...
    @property
    def message(self) -> str: ...


def refusal_comment(message: str) -> str:
    """A rule said no: the reason, and that nothing was changed where the message doesn't say so itself."""
    told = prose(message, 20_000)
    return _within(f"⛔ {told}")


def notice_comment(told: Sequence[str]) -> str:
    """Something that a person should know of a run that goes on."""
    return _within("⚠️ " + "\n\n".join(prose(message) for message in told))


def configuration_problem_comment(problems: Sequence[str]) -> str:
    """`docustack.yaml` of the base branch is wrong, so no rule can be read, and nothing is started."""
    listed = [f"- {' '.join(problem.split())}" for problem in problems[:_SHOWN]]
    if len(problems) > _SHOWN:
        listed.append(f"- and {len(problems) - _SHOWN} more")
    head = "The configuration of the base branch is not valid, so nothing was started:"
    return "\n".join([head, "", *listed, "", "`docustack config check` shows the same on your machine."])


def unknown_directory_comment(unknown: UnknownDirectory, units: Collection[str]) -> str:
    """A command named a directory in which nothing changes; `units` are all that there are."""
    directory, changed = unknown.directory, unknown.changed
    if not changed:
        return f"Nothing was started: this pull request changes no unit, so there is none in {inline_code(directory)}."
    listed = [f"- {inline_code(unit)}" for unit in changed[:_SHOWN]]
    if len(changed) > _SHOWN:
        listed.append(f"- and {len(changed) - _SHOWN:,} more")
    meant = f" Did you mean {inline_code(unknown.nearest)}?" if unknown.nearest else ""
    if directory in units:
        is_there = "is a unit that this pull request doesn't change."
    elif unknown.is_in(units):
        is_there = "holds units, but none that this pull request changes."
    else:
        is_there = "is no unit of this repository."
    head = f"Nothing was started: {inline_code(directory)} {is_there}{meant} It changes:"
    return "\n".join([head, "", *listed])


def waiting_for_approval_comment(missing: Sequence[str], run_id: str = "", held: str = "") -> str:
    """Which approvals are missing; the run waits and goes on by itself.

    Args:
        missing: one message an environment.
        run_id: where the server takes approvals too.
        held: who else holds units of it, as Markdown.
    """
    told = "\n\n".join(prose(message) for message in missing)
    how = f"Approve in a review here, or with {inline_code(f'docustack approve {run_id}')}. " if run_id else ""
    begins = f"{how}The apply {'goes on' if held else 'begins'} by itself once they are there."
    return _within("\n\n".join(part for part in ("⏳ **Waiting for approval**", told, begins, held) if part))


def reminder_comment(message: str, asked: datetime, gives_up: datetime, now: datetime) -> str:
    """Nobody has answered for a while; until when the apply waits."""
    return _within(
        f"🔔 **Still waiting for approval**, since {moment(asked, now)}\n\n{prose(message)}\n\n"
        f"The apply waits until {moment(gives_up)}."
    )


def more_than_approved(unit: str, beyond: Sequence[Change], prefix: str = "terrateam", run_id: str = "") -> str:
    """A new plan does more than the approved one: what, and how it may go on; `run_id` is of an order."""
    lines = [
        f"- {change.action} {inline_code(change.address)}"
        + (f": {inline_code(change.attribute)}" if change.attribute else "")
        for change in beyond[:_SHOWN]
    ]
    if len(beyond) > _SHOWN:
        lines.append(f"- and {len(beyond) - _SHOWN:,} more")
    head = f"{inline_code(unit)} was planned again, and the new plan does more than was approved" + (
        ":" if lines else "."
    )
    command = inline_code(f"docustack approve {run_id}" if run_id else f"{prefix} apply {unit}")
    how = f": {command}" if run_id else f", or comments {command}"
    end = f"Nothing of it is applied before somebody has read it and approves again{how}."
    return "\n".join([head, "", *lines, *([""] if lines else []), end])


def nothing_to_apply_comment(selected: Sequence[str], start: RunInput) -> str:
    """An apply for which there is no plan with changes."""
    if not selected:
        return "Nothing to apply: this pull request changes no unit."
    unplanned = without_plan(selected, start)
    if len(unplanned) == len(selected):
        return f"Nothing to apply: {no_plan_text(unplanned, start)}"
    applied = [unit for unit in selected if unit in start.applied]
    unchanged = [unit for unit in selected if unit not in applied and unit not in unplanned]
    parts = []
    if applied:
        are = "is" if len(applied) == 1 else "are"
        parts.append(f"{code_list(applied)} {are} applied already, at this commit.")
    if unchanged:
        plans = "plan" if len(unchanged) == 1 else "plans"
        parts.append(f"The {plans} of {code_list(unchanged)} {'has' if len(unchanged) == 1 else 'have'} no changes.")
    if unplanned:
        parts.append(no_plan_text(unplanned, start))
    return "Nothing to apply: " + " ".join(parts)


def no_plan_text(units: Sequence[str], start: RunInput) -> str:
    """Units that can't be applied, since none of their plans counts: why, and what to do."""
    head = inline_code(start.pull_request.head_commit[:7] if start.pull_request is not None else "this commit")
    if not start.plans and not start.deferred and not start.applied:
        return f"there is no plan of {head} yet. Comment `terrateam plan`, look at the plans, then apply."
    have = "has" if len(units) == 1 else "have"
    plan = inline_code(f"terrateam plan {units[0]}") if len(units) == 1 else "`terrateam plan`"
    return (
        f"{code_list(tuple(units))} {have} no plan at {head} that could be applied: it was not planned, or its last "
        f"plan failed. Comment {plan} if you may plan there, look at the plan, then apply."
    )


def unlock_comment(units: Sequence[str], found: Mapping[str, FreedLock]) -> str:
    """That nothing is held any more, whether or not it was, and what `unlock` found of Terraform's own locks."""
    if not units:
        return "Nothing to unlock: this pull request changes no unit."
    stuck = [unit for unit, lock in found.items() if lock.locked and not lock.freed]
    head = f"🔓 This pull request holds no lock of {code_list(tuple(units))} any more."
    if stuck:
        head = f"{head.replace('🔓', '⚠️')} The Terraform state of {code_list(tuple(stuck))} stays locked."
    lines = [f"- {inline_code(unit)}: {_state_lock(lock)}" for unit, lock in found.items()]
    body = "\n".join(lines) if len(lines) <= 10 else fold(f"Terraform's own locks ({len(lines):,})", "\n".join(lines))
    return _within("\n\n".join(part for part in (head, body) if part))


def _state_lock(lock: FreedLock) -> str:
    if lock.freed:
        left = f" It was left by {inline_code(lock.who)}" if lock.who else ""
        since = f" since {prose(lock.since, 60)}" if lock.since and left else ""
        return f"Terraform's state lock was freed.{left}{since}{'.' if left else ''}"
    if lock.locked:
        holder = f" by {inline_code(lock.who)}" if lock.who else ""
        told = prose(lock.message) or "it isn't ours to free."
        return f"the state is still locked{holder}: {told}"
    return prose(lock.message)


def _within(body: str) -> str:
    return body if size(body) <= BODY_LIMIT else closed(head_of(body, BODY_LIMIT - 200)) + "\n\n…"
