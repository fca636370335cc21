"""The comments on one unit's plan and apply, in the deployment guide's two formats."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from docustack.comment_advice import UNEXPECTED_CHANGES, advice
from docustack.comment_help import help_comment
from docustack.comment_limits import cut_middle, fitted
from docustack.comment_plan_text import NO_CHANGES, as_diff, essence, plan_line, without_plan_line
from docustack.comment_text import code_list, fence, fold, inline_code, link, prose
from docustack.deletion_texts import destroy_note
from docustack.errors import ErrorType
from docustack.plans import ArtifactRef, OutputsKind, PlanRecord
from docustack.runs import DONE, UnitOutcome, UnitPhase
from docustack.unwritten_states import PLAN_NOTE

__all__ = ["Links", "apply_comment", "help_comment", "plan_comment"]

LONG = 20
"""A text of more lines is folded."""


def _no_log(_: ArtifactRef) -> str | None:
    return None


@dataclass(frozen=True)
class Links:
    """Where a comment can point to; what is empty or None is left out."""

    pull_request: str = ""
    run: str = ""  # the run in Temporal's UI
    log: Callable[[ArtifactRef], str | None] = _no_log


NO_LINKS = Links()


def plan_comment(
    outcome: UnitOutcome, *, links: Links = NO_LINKS, next_steps: Sequence[str] = (), prefix: str = "terrateam"
) -> str:
    """One unit's plan (guide, "Review Auto-Generated Plan"); `next_steps` are sentences of markdown for its end."""
    head = ["## Terrateam Plan", f"**Directory:** {inline_code(outcome.unit)}"]
    match outcome.phase:
        case UnitPhase.FAILED | UnitPhase.UNKNOWN | UnitPhase.SKIPPED:
            return _ended_badly(outcome, head, "plan", links, prefix)
        case UnitPhase.DEFERRED:
            reason = prose(outcome.message) or "It waits for the first apply of a unit that it depends on."
            head.append(f"**Status:** ⏳ Deferred\n\n{reason}")
            head.append("It is planned by itself as soon as that is done.")
            return "\n\n".join([*head, *next_steps, footer(outcome, links)]).strip()
    if outcome.plan is None or outcome.phase is UnitPhase.NO_CHANGES or outcome.plan.summary.is_empty:
        notes = [note for note in (preview_note(outcome.plan), "### Plan Output", NO_CHANGES) if note]
        return "\n\n".join([*head, *notes, *next_steps, footer(outcome, links)]).strip()
    return _with_plan(outcome, outcome.plan, head, links, list(next_steps))


def apply_comment(
    outcome: UnitOutcome, *, links: Links = NO_LINKS, planned_again: bool = False, prefix: str = "terrateam"
) -> str:
    """How one unit's apply ended (guide, "Terrateam PR Comments").

    `planned_again`: it was planned once more on its dependencies' new outputs, and the approval covered that plan.
    """
    head = ["## Terrateam Apply", f"**Directory:** {inline_code(outcome.unit)}"]
    if outcome.phase not in DONE:
        return _ended_badly(outcome, head, "apply", links, prefix)
    head.append("**Status:** ✅ Success")
    if planned_again:
        head.append("Planned again before the apply: the new plan does nothing beyond what was approved.")
    if outcome.message:
        head.append(prose(outcome.message))
    head.append("### Apply Output")
    end = footer(outcome, links)
    text = outcome.text.strip() or (NO_CHANGES if outcome.phase is UnitPhase.NO_CHANGES else _apply_line(outcome))
    return fitted(lambda room: "\n\n".join([*head, _apply_output(text, room, log_url(outcome, links)), end]).strip())


def status(outcome: UnitOutcome) -> str:
    """The word and sign of a unit's end, the same in every comment, table and check."""
    if outcome.error_type == ErrorType.CANCELLED:
        return "🛑 Cancelled"
    return {
        UnitPhase.APPLIED: "✅ Success",
        UnitPhase.NO_CHANGES: "✅ No changes",
        UnitPhase.PLANNED: "✅ Planned",
        UnitPhase.FAILED: "❌ Failed",
        UnitPhase.SKIPPED: "⏭️ Skipped",
        UnitPhase.UNKNOWN: "⚠️ Unknown",
        UnitPhase.DEFERRED: "⏳ Deferred",
        UnitPhase.WAITING: "⏳ Waiting",
        UnitPhase.PLANNING: "⏳ Planning",
        UnitPhase.APPLYING: "⏳ Applying",
    }[outcome.phase]


def preview_note(plan: PlanRecord | None) -> str:
    """The mark of a plan that was made from mock outputs, or without what an apply has done; empty for any other."""
    if plan is not None and plan.state_unwritten:
        return PLAN_NOTE
    if plan is None or not plan.is_preview:
        return ""
    mocked = tuple(each.unit for each in plan.dependencies if each.kind is OutputsKind.MOCK)
    units = code_list(mocked)
    has = "has" if len(mocked) == 1 else "have"
    return (
        f"> **Preview:** made from mock outputs, since {units} {has} none yet. It will be planned again after {units}."
    )


def log_url(outcome: UnitOutcome, links: Links) -> str | None:
    """The whole log of a unit's end, else of its plan."""
    reference = outcome.log or (outcome.plan.log if outcome.plan else None)
    return links.log(reference) if reference else None


def footer(outcome: UnitOutcome, links: Links) -> str:
    """Small print: the commit, the whole log, the run."""
    parts = [f"Commit {inline_code(outcome.plan.commit[:7])}"] if outcome.plan and outcome.plan.commit else []
    if url := log_url(outcome, links):
        parts.append(link("Whole log", url))
    if links.run:
        parts.append(link("Run", links.run))
    return f"<sub>{' · '.join(parts)}</sub>" if parts else ""


def plan_output(plan: PlanRecord, room: int, url: str | None, *, folded: bool | None = None) -> str:
    """A plan's text as a coloured block, folded when long, and under it the line with the counts."""
    text, line = without_plan_line(essence(plan.text_preview))
    line = line or plan_line(plan.summary)
    if not text:
        return line
    block = fence(cut_middle(as_diff(text), room, url), "diff")
    is_long = text.count("\n") >= LONG if folded is None else folded
    return f"{fold('Show the plan', block) if is_long else block}\n\n{line}"


def _with_plan(outcome: UnitOutcome, plan: PlanRecord, head: list[str], links: Links, next_steps: list[str]) -> str:
    if note := preview_note(plan):
        head.append(note)
    if plan.destroy:
        head.append(destroy_note(plan))
    if outcome.message:
        head.append(prose(outcome.message))
    head.append("### Plan Output")
    if "Objects have changed outside of" in plan.text_preview:
        next_steps.append(UNEXPECTED_CHANGES)
    end = [*next_steps, footer(outcome, links)]
    url = log_url(outcome, links)
    return fitted(lambda room: "\n\n".join([*head, plan_output(plan, room, url), *end]).strip())


def _ended_badly(outcome: UnitOutcome, head: list[str], action: str, links: Links, prefix: str) -> str:
    """A unit that failed, was skipped or cancelled, or whose end isn't known: what, the last lines, what to do."""
    headline = outcome.message.strip().partition("\n")[0]
    parts = [*head, f"**Status:** {status(outcome)}", prose(headline) or _bare_reason(outcome, action)]
    after = [what_to_do(outcome, action, prefix), footer(outcome, links)]
    text = outcome.text.strip()

    def build(room: int) -> str:
        lines = (
            [fold("Last lines of the output", fence(cut_middle(text, room, log_url(outcome, links))))] if text else []
        )
        return "\n\n".join(part for part in (*parts, *lines, *after) if part)

    return fitted(build)


def what_to_do(outcome: UnitOutcome, action: str, prefix: str) -> str:
    """The next step after a bad end: as the failure itself tells it behind its first line, else as its type does.

    Empty where another unit's end decides.
    """
    told = prose(outcome.message.strip().partition("\n")[2])
    if outcome.phase is UnitPhase.UNKNOWN and outcome.error_type != ErrorType.UNWRITTEN_STATE:
        plan = inline_code(f"{prefix} plan {outcome.unit}")
        todo = f"It isn't known whether the state was written. Comment {plan} before anything else."
        return f"**What to do:** {todo}" + (f"\n\n{told}" if told else "")
    if told:
        return f"**What to do:** {told}"
    if outcome.phase is UnitPhase.SKIPPED and outcome.error_type is None:
        return ""
    todo = advice(outcome.error_type, unit=outcome.unit, environment=outcome.environment, action=action, prefix=prefix)
    return f"**What to do:** {todo}"


def _bare_reason(outcome: UnitOutcome, action: str) -> str:
    if outcome.phase is UnitPhase.SKIPPED:
        return "It was not started."
    return f"The {action} did not end as it should have." if outcome.phase is UnitPhase.FAILED else ""


def _apply_line(outcome: UnitOutcome) -> str:
    if outcome.summary is None:
        return "Apply complete!"
    counts = outcome.summary
    return f"Apply complete! Resources: {counts.add} added, {counts.change} changed, {counts.destroy} destroyed."


def _apply_output(text: str, room: int, url: str | None) -> str:
    if text == NO_CHANGES:
        return text
    block = fence(cut_middle(text, room, url))
    if text.count("\n") < LONG:
        return block
    first = next((line for line in text.split("\n") if line.startswith("Apply complete!")), "")
    return "\n\n".join(part for part in (prose(first), fold("Show the output", block)) if part)
