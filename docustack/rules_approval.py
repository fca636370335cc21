"""Whether a change of the rules has the approval that it needs, and what the check says between runs."""

from collections.abc import Iterable, Sequence

from docustack.approvals import ApprovalDecision, count_team_approvals
from docustack.checks import Check, apply_check, refused_check
from docustack.gate_facts import APPROVED, Review
from docustack.rules_guard import ShownRules

RULE = "rules_owners"

_SUBJECT = "The change of the rules"
_NOT_SHOWN = (
    "What it changes there has not been shown yet, so nobody can have approved it. It is shown beside the next plan; "
    "comment `terrateam plan` if none is on its way."
)


def decide_rules(
    owners: str, author: str, head_commit: str, reviews: Iterable[Review], shown: ShownRules | None
) -> ApprovalDecision:
    """Has somebody of the team that owns the rules, who isn't the author, approved this commit, and what it changes?

    Args:
        shown: the change as it is now, since people can read it; None where they can't yet.
    """
    if shown is not None:
        return count_team_approvals(_SUBJECT, RULE, owners, author, head_commit, reviews, [shown])
    others = [review for review in reviews if review.state != APPROVED]
    decision = count_team_approvals(_SUBJECT, RULE, owners, author, head_commit, others)
    return decision.model_copy(update={"message": f"{decision.message} {_NOT_SHOWN}"})


def rules_check(decision: ApprovalDecision, unapplied: Sequence[str]) -> Check:
    """The check `docustack/apply` of such a pull request: green once it is approved and nothing is left to apply."""
    if not decision.satisfied:
        return refused_check(f"Changes the rules, and waits for an approval.\n\n{decision.message}")
    check = apply_check((), left=unapplied)
    return check.model_copy(update={"summary": f"{check.summary}\n\n{decision.message}"})
