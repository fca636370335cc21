"""One comment for a run over many units: a table of all, and a fold for each as far as there is room."""

from collections import Counter
from collections.abc import Callable, Sequence

from docustack.comment_limits import BODY_LIMIT, closed, cut_middle, fair_shares, head_of, size
from docustack.comment_plan_text import plan_line
from docustack.comment_text import counted, fence, fold, html, inline_code, link, prose, table_code
from docustack.comments import NO_LINKS, Links, log_url, plan_output, preview_note, status, what_to_do
from docustack.deletion_texts import destroy_note
from docustack.plans import PlanSummary
from docustack.runs import ENDED_BADLY, UnitOutcome, UnitPhase
from docustack.slack_messages import total

_USELESS = 300
"""A fold with less room than this says nothing: then there is only the table."""

_TOO_MANY = "The plans and logs are too many for one comment; the run has them."

_WORDS = {
    UnitPhase.PLANNED: "planned",
    UnitPhase.NO_CHANGES: "without changes",
    UnitPhase.DEFERRED: "deferred",
    UnitPhase.APPLIED: "applied",
    UnitPhase.FAILED: "failed",
    UnitPhase.SKIPPED: "skipped",
    UnitPhase.UNKNOWN: "unknown",
}


def plans_summary_comment(
    outcomes: Sequence[UnitOutcome], *, links: Links = NO_LINKS, prefix: str = "terrateam"
) -> str:
    """All plans of a run."""
    planned = total([outcome.plan.summary for outcome in outcomes if outcome.plan])
    sums = plan_line(planned)
    return _summary("Plan", outcomes, sums, links, lambda outcome, room: _plan_fold(outcome, room, links, prefix))


def applies_summary_comment(
    outcomes: Sequence[UnitOutcome], *, links: Links = NO_LINKS, prefix: str = "terrateam"
) -> str:
    """The ends of all applies of a run."""
    done = total([outcome.summary for outcome in outcomes if outcome.summary])
    sums = f"Resources: {done.add} added, {done.change} changed, {done.destroy} destroyed."
    return _summary("Apply", outcomes, sums, links, lambda outcome, room: _apply_fold(outcome, room, links, prefix))


def tally(outcomes: Sequence[UnitOutcome]) -> str:
    """`12 planned, 2 failed`: how many units ended how, in a fixed order."""
    counts = Counter(outcome.phase for outcome in outcomes)
    return ", ".join(f"{counts[phase]:,} {word}" for phase, word in _WORDS.items() if counts[phase])


def units_table(outcomes: Sequence[UnitOutcome], room: int, links: Links = NO_LINKS) -> str:
    """Unit, end and counts of each, what went wrong first; rows beyond `room` bytes are only counted."""
    head = "| Unit | Result | Add | Change | Destroy |\n|---|---|--:|--:|--:|"
    ordered = _bad_first(outcomes)
    rows: list[str] = []
    used = size(head) + 100  # for the line that counts the rest
    for outcome in ordered:
        row = _row(outcome, links)
        used += size(row) + 1
        if used > room:
            break
        rows.append(row)
    table = "\n".join([head, *rows])
    left = len(ordered) - len(rows)
    return f"{table}\n\n… and {counted(left, 'more unit')}." if left else table


def _bad_first(outcomes: Sequence[UnitOutcome]) -> list[UnitOutcome]:
    return sorted(outcomes, key=lambda outcome: outcome.phase not in ENDED_BADLY)


def _row(outcome: UnitOutcome, links: Links) -> str:
    counts: PlanSummary | None = outcome.summary or (outcome.plan.summary if outcome.plan else None)
    numbers = (str(counts.add), str(counts.change), str(counts.destroy)) if counts else ("", "", "")
    plan = outcome.plan if outcome.phase is UnitPhase.PLANNED else None
    kind = " (destruction)" if plan and plan.destroy else " (preview)" if plan and plan.is_preview else ""
    result = link(status(outcome) + kind, log_url(outcome, links))
    return f"| {table_code(outcome.unit, 200)} | {result} | {' | '.join(numbers)} |"


def _summary(
    title: str,
    outcomes: Sequence[UnitOutcome],
    sums: str,
    links: Links,
    fold_of: Callable[[UnitOutcome, int], str],
) -> str:
    head = f"## Terrateam {title}\n\n**{counted(len(outcomes), 'unit')}:** {tally(outcomes)}\n\n{sums}"
    commits = {outcome.plan.commit for outcome in outcomes if outcome.plan}
    parts = [f"Commit {inline_code(next(iter(commits))[:7])}"] if len(commits) == 1 else []
    parts += [link("Run", links.run)] if links.run else []
    end = f"<sub>{' · '.join(parts)}</sub>" if parts else ""
    room = BODY_LIMIT - size(head) - size(end) - 200
    table = units_table(outcomes, room, links)
    ordered = _bad_first(outcomes)
    folds = _folds(ordered, room - size(table), fold_of)
    if folds is None:
        bad = [outcome for outcome in ordered if outcome.phase in ENDED_BADLY]
        folds = [*(_folds(bad, room - size(table), fold_of) or ()), _TOO_MANY]
    return "\n\n".join(part for part in (head, table, *folds, end) if part)


def _folds(outcomes: Sequence[UnitOutcome], room: int, fold_of: Callable[[UnitOutcome, int], str]) -> list[str] | None:
    """A fold for each unit that has something to show, each with its fair share; None where that is too little."""
    whole = [fold_of(outcome, BODY_LIMIT) for outcome in outcomes]
    told = [(outcome, text) for outcome, text in zip(outcomes, whole, strict=True) if text]
    shares = fair_shares([size(text) + 2 for _, text in told], room)
    folds: list[str] = []
    for (outcome, text), share in zip(told, shares, strict=True):
        if size(text) + 2 <= share:
            folds.append(text)
        elif share < _USELESS:
            return None
        else:
            folds.append(_shortened(outcome, share - 2, size(text), fold_of))
    return folds


def _shortened(outcome: UnitOutcome, share: int, whole: int, fold_of: Callable[[UnitOutcome, int], str]) -> str:
    """A unit's fold within its share: what stands around the text takes its part of it too."""
    frame = size(fold_of(outcome, 0))
    text = fold_of(outcome, max(share - frame, 0))
    while size(text) > share and frame < whole:
        frame += size(text) - share + 64
        text = fold_of(outcome, max(share - frame, 0))
    return text if size(text) <= share else closed(head_of(text, share - 60))


def _plan_fold(outcome: UnitOutcome, room: int, links: Links, prefix: str) -> str:
    unit = html(outcome.unit, 200)
    if outcome.phase in ENDED_BADLY or outcome.phase is UnitPhase.DEFERRED:
        return _told(outcome, room, "plan", links, prefix)
    if outcome.plan is None or outcome.plan.summary.is_empty:
        return ""
    body = plan_output(outcome.plan, room, log_url(outcome, links), folded=False)
    notes = [preview_note(outcome.plan), *_about_destruction(outcome)]
    return fold(f"<code>{unit}</code>", "\n\n".join(part for part in (*notes, body) if part))


def _about_destruction(outcome: UnitOutcome) -> list[str]:
    if outcome.plan is None or not outcome.plan.destroy:
        return []
    return [destroy_note(outcome.plan), prose(outcome.message)]


def _apply_fold(outcome: UnitOutcome, room: int, links: Links, prefix: str) -> str:
    if outcome.phase in ENDED_BADLY:
        return _told(outcome, room, "apply", links, prefix)
    text = outcome.text.strip()
    if not text:
        return ""
    return fold(f"<code>{html(outcome.unit, 200)}</code>", fence(cut_middle(text, room, log_url(outcome, links))))


def _told(outcome: UnitOutcome, room: int, action: str, links: Links, prefix: str) -> str:
    """What went wrong in one unit: its message, its last lines, what to do."""
    text = outcome.text.strip()
    lines = fence(cut_middle(text, room, log_url(outcome, links))) if text else ""
    reason = prose(outcome.message.strip().partition("\n")[0])
    todo = what_to_do(outcome, action, prefix) if outcome.phase is not UnitPhase.DEFERRED else ""
    body = "\n\n".join(part for part in (reason, lines, todo) if part)
    return fold(f"{status(outcome)} <code>{html(outcome.unit, 200)}</code>", body) if body else ""
