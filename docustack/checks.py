"""The check runs `docustack/plan` and `docustack/apply`: green only when every unit they speak of succeeded."""

import re
from collections.abc import Collection, Sequence

from docustack.comment_limits import closed, head_of, size
from docustack.comment_text import code_list, counted, inline_code, one_line, prose
from docustack.comments import NO_LINKS, Links
from docustack.errors import ErrorType
from docustack.model import Model
from docustack.runs import DONE, Operation, UnitOutcome, UnitPhase
from docustack.summary_comments import tally, units_table

TITLE_LIMIT = 255
SUMMARY_LIMIT = 65_535

_ENDED_WELL = (UnitPhase.PLANNED, UnitPhase.NO_CHANGES, UnitPhase.APPLIED, UnitPhase.DEFERRED)


class Check(Model):
    """A check run's state; a conclusion is there exactly when it is completed."""

    status: str  # in_progress, completed
    conclusion: str | None = None  # success, failure, neutral, cancelled, action_required
    title: str
    summary: str


def running_check(operation: Operation, units: int) -> Check:
    """A run that works."""
    doing = {Operation.PLAN: "Planning", Operation.APPLY: "Applying", Operation.UNLOCK: "Unlocking"}[operation]
    title = f"{doing} {counted(units, 'unit')}"
    return Check(status="in_progress", title=title, summary=f"{title}.")


def waiting_check(message: str, held: str = "") -> Check:
    """A run that waits for approvals: pending only as long as it lives, since every end of it sets the check anew.

    `held`: who else holds its units, as Markdown.
    """
    summary = "\n\n".join(part for part in (prose(message), held) if part)
    return Check(status="in_progress", title="Waiting for approval", summary=_cut(summary))


def in_line_check(place: str, comment: str) -> Check:
    """A run that waits for units that others hold; as above."""
    return Check(status="in_progress", title=one_line(place, TITLE_LIMIT), summary=_cut(comment))


def refused_check(message: str, *, cancelled: bool = False, failed: bool = False) -> Check:
    """A run that changed nothing: a rule said no (a person has to act), it was cancelled, or it broke."""
    if cancelled:
        return _completed("cancelled", f"Cancelled: {_plain(message)}", prose(message))
    if failed:
        return _completed("failure", f"Failed: {_plain(message)}", prose(message))
    return _completed("action_required", _plain(message) or "Refused", prose(message))


def ready_check(prefix: str) -> Check:
    """An apply was refused since the pull request was a draft, and it is none any more."""
    return _completed(
        "action_required", "Not applied yet", f"It is ready for review now. Comment {inline_code(f'{prefix} apply')}."
    )


def lost_check(operation: Operation, message: str) -> Check:
    """A run that was ended from outside and can't say how; after an apply somebody has to look."""
    conclusion = "failure" if operation is Operation.APPLY else "cancelled"
    return _completed(conclusion, "Ended from outside", prose(message))


def plan_check(outcomes: Sequence[UnitOutcome], left: Collection[str] = (), links: Links = NO_LINKS) -> Check:
    """All plans of a run; `left` are changed units that no plan has reached yet: they keep the check from being green.

    A deferred unit can be planned only after an apply, so it must not hold up the merge, but is no success either:
    `neutral`, which branch protection lets pass.
    """
    if not outcomes and not left:
        return _completed("success", "No unit to plan", "This pull request changes no unit that is planned here.")
    table = _table(outcomes, links) if outcomes else ""
    waiting = f"Not planned yet: {code_list(sorted(left), 50)}." if left else ""
    summary = "\n\n".join(part for part in (waiting, table) if part)
    if bad := _bad_end(outcomes, left, "planned"):
        return _completed(*bad, summary)
    if left:
        title = f"{len(outcomes):,} of {counted(len(outcomes) + len(left), 'unit')} planned"
        return _completed("action_required", title, summary)
    deferred = [outcome.unit for outcome in outcomes if outcome.phase is UnitPhase.DEFERRED]
    if deferred:
        title = f"{tally(outcomes)}: {counted(len(deferred), 'unit')} can be planned only after another was applied"
        return _completed("neutral", title, table)
    return _completed("success", f"{counted(len(outcomes), 'unit')}: {tally(outcomes)}", table)


def apply_check(
    outcomes: Sequence[UnitOutcome],
    left: Collection[str] = (),
    links: Links = NO_LINKS,
    *,
    not_destroyed: Collection[str] = (),
) -> Check:
    """All applies of a run; `left` are changed units that no apply has reached yet.

    Deleted units that are `not_destroyed` don't hold up the merge, since it may be meant so, but are no success either:
    `neutral`.
    """
    if not outcomes and not left and not not_destroyed:
        return _completed("success", "Nothing to apply", "No unit of this pull request has changes to apply.")
    table = _table(outcomes, links) if outcomes else ""
    waiting = f"Not applied yet: {code_list(sorted(left), 50)}." if left else ""
    standing = f"Deleted here and not destroyed: {code_list(sorted(not_destroyed), 50)}." if not_destroyed else ""
    summary = "\n\n".join(part for part in (waiting, standing, table) if part)
    if bad := _bad_end(outcomes, left, "applied"):
        return _completed(*bad, summary)
    done = [outcome for outcome in outcomes if outcome.phase in DONE]
    everything = len(outcomes) + len(left)
    title = f"{len(done):,} of {counted(everything, 'unit')} applied"
    if len(done) != everything:
        return _completed("action_required", title, summary)
    if not_destroyed:
        are = "is" if len(not_destroyed) == 1 else "are"
        stands = f"{counted(len(not_destroyed), 'deleted unit')} {are} not destroyed"
        return _completed("neutral", f"{title}; {stands}" if everything else stands, summary)
    return _completed("success", title, summary)


def plan_only_check(message: str) -> Check:
    """Nothing of it may be applied here: `neutral`, since nobody has to act, and branch protection lets it pass."""
    return _completed("neutral", "Plan only: nothing is applied", prose(message))


def noted(check: Check, notes: Sequence[str], mark: str) -> Check:
    """A check that says something beside how its units ended: `mark` in its title, the notes in its summary."""
    if not notes:
        return check
    told = "\n\n".join(prose(note) for note in notes)
    title = one_line(f"{check.title} ({mark})", TITLE_LIMIT)
    return check.model_copy(update={"title": title, "summary": _cut(f"{told}\n\n{check.summary}")})


def with_still_needed(check: Check, remarks: Sequence[str]) -> Check:
    """Deleted units on which others still depend: merged so, those could not even be planned any more."""
    if not remarks:
        return check
    are = "is" if len(remarks) == 1 else "are"
    told = noted(check, remarks, f"{counted(len(remarks), 'deleted unit')} {are} still needed")
    good = check.status == "completed" and check.conclusion in ("success", "neutral")
    return told.model_copy(update={"conclusion": "action_required"}) if good else told


def _bad_end(outcomes: Sequence[UnitOutcome], left: Collection[str], done: str) -> tuple[str, str] | None:
    """Conclusion and title where some unit did not end well; a failure outweighs a cancellation.

    What is left counts as not done here as well: all titles count the same units.
    """
    bad = [outcome for outcome in outcomes if outcome.phase not in _ENDED_WELL]
    if not bad:
        return None
    everything = counted(len(outcomes) + len(left), "unit")
    cancelled = [outcome for outcome in bad if outcome.error_type == ErrorType.CANCELLED]
    if len(cancelled) == len(bad):
        return "cancelled", f"Cancelled: {len(outcomes) - len(bad):,} of {everything} {done}"
    named = f": {one_line(bad[0].unit, 120)}" if len(bad) + len(left) == 1 else ""
    return "failure", f"{len(bad) + len(left):,} of {everything} not {done}{named}"


def _table(outcomes: Sequence[UnitOutcome], links: Links) -> str:
    reasons = [
        f"- {inline_code(outcome.unit)}: {prose(outcome.message.strip().partition(chr(10))[0], 500)}"
        for outcome in outcomes
        if outcome.message
    ]
    listed = _cut("\n".join(reasons[:50]), SUMMARY_LIMIT // 3)
    table = units_table(outcomes, SUMMARY_LIMIT - size(listed) - 10_000, links)
    return f"{table}\n\n{listed}" if listed else table


def _completed(conclusion: str, title: str, summary: str) -> Check:
    return Check(status="completed", conclusion=conclusion, title=one_line(title, TITLE_LIMIT), summary=_cut(summary))


def _cut(summary: str, limit: int = SUMMARY_LIMIT) -> str:
    return summary if size(summary) <= limit else closed(head_of(summary, limit - 200)) + "\n\n…"


def _plain(message: str) -> str:
    """What a message says first, as a phrase for a title, where markdown means nothing; the summary has all of it."""
    first_line = message.strip().partition("\n")[0].replace("`", "")
    return re.split(r"[.:;] | \(|, so ", first_line, maxsplit=1)[0].rstrip(".:;")
