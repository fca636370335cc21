"""Cuts Terraform's texts down to what a person reads in a comment."""

import re

from docustack.plans import PlanSummary

_PLAN_STARTS = (
    "Terraform will perform",
    "OpenTofu will perform",
    "No changes.",
    "Changes to Outputs:",
    "Terraform has",
)
_APPLIED = re.compile(
    r"Apply complete! Resources: (?:(?P<imported>\d+) imported, )?(?P<added>\d+) added, (?P<changed>\d+) changed, "
    r"(?P<destroyed>\d+) destroyed"
)


def plan_text(shown: str) -> str:
    """A shown plan from where it says what it does; the legend of symbols before that tells nobody anything."""
    lines = shown.strip("\n").splitlines()
    for index, line in enumerate(lines):
        if line.startswith(_PLAN_STARTS):
            return "\n".join(lines[index:]).strip("\n")
    return "\n".join(lines)


def apply_text(output: str) -> str:
    """The output of an apply from `Apply complete!` on, outputs included."""
    at = output.rfind("Apply complete!")
    return output[at:].strip("\n") if at >= 0 else output.strip("\n")


def applied_summary(output: str) -> PlanSummary | None:
    """What was added, changed and destroyed; None where the apply didn't complete."""
    match = None
    for match in _APPLIED.finditer(output):  # noqa: B007 - the last one counts
        pass
    if match is None:
        return None
    return PlanSummary(
        add=int(match["added"]),
        change=int(match["changed"]),
        destroy=int(match["destroyed"]),
        imported=int(match["imported"] or 0),
    )


def cut_middle(text: str, limit: int) -> str:
    """At most `limit` characters: the beginning and the end stay, and what is missing is said."""
    if len(text) <= limit:
        return text
    note = "\n\n… {} lines left out; the artifact has the whole text …\n\n"
    room = max(limit - len(note) - 10, 0)
    head, tail = text[: room * 2 // 3], text[len(text) - room // 3 :]
    head, tail = head.rpartition("\n")[0] or head, tail.partition("\n")[2] or tail
    left_out = text.count("\n") - head.count("\n") - tail.count("\n") - 1
    return (head + note.format(max(left_out, 1)) + tail)[:limit]
