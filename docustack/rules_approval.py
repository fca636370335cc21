"""Whether a change of the rules has the approval that it needs, and what the check says between runs."""

from collections.abc import Iterable, Sequence

from docustack.approvals import ApprovalDecision, count_team_approvals
from docustack.checks import Check, apply_check, refused_check
from docustack.gate_facts import Review

RULE = "rules_owners"


def decide_rules(owners: str, author: str, head_commit: str, reviews: Iterable[Review]) -> ApprovalDecision:
    """Has somebody of the team that owns the rules, who isn't the author, approved this commit?"""
    return count_team_approvals("The change of the rules", RULE, owners, author, head_commit, reviews)


def rules_check(decision: ApprovalDecision, unapplied: Sequence[str]) -> Check:
    """The check `docustack/apply` of such a pull request: green once it is approved and nothing is left to apply."""
    if not decision.satisfied:
        return refused_check(f"Changes the rules, and waits for an approval.\n\n{decision.message}")
    check = apply_check((), left=unapplied)
    return check.model_copy(update={"summary": f"{check.summary}\n\n{decision.message}"})
