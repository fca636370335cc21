"""GitHub's merge queue: the checks of a merge group, a commit of its own, say what those of the pull request say.

The group adds nothing that is planned: what is merged is planned again at the merge commit, and has to be covered then.
Without an answer the queue would wait for ever, so there is always one.
"""

from docustack.checks import Check, apply_check, refused_check
from docustack.comment_text import code_list, counted
from docustack.pull_request_actions import Action, ReportCheck
from docustack.pull_request_merge import knows_what_changes, left_by_merge
from docustack.pull_request_state import PullRequestState
from docustack.runs import Operation

_UNKNOWN = "The head of this pull request isn't planned. Comment `terrateam plan`, then add it to the queue again."
_RULES = "Changes the rules, and waits for an approval of who owns them."


def take_checks_requested(state: PullRequestState, group_commit: str) -> list[Action]:
    """Both checks of the group's commit."""
    checks = {Operation.PLAN: _plan(state), Operation.APPLY: _apply(state)}
    return [
        ReportCheck(
            head_commit=group_commit,
            operation=operation,
            check=check,
            external_id=f"queue-{group_commit[:12]}-{operation.value}",
        )
        for operation, check in checks.items()
    ]


def _plan(state: PullRequestState) -> Check:
    if not knows_what_changes(state):
        return refused_check(_UNKNOWN)
    known = {*state.plans, *state.deferred, *(unit for unit, head in state.applied.items() if head == state.known_head)}
    left = [unit for unit in state.changed if unit not in known]
    if left:
        return refused_check(f"{len(left)} of {counted(len(state.changed), 'unit')} not planned: {code_list(left)}")
    title = f"{counted(len(state.changed), 'unit')} planned in the pull request"
    return Check(status="completed", conclusion="success", title=title, summary=f"{title}.")


def _apply(state: PullRequestState) -> Check:
    if not knows_what_changes(state):
        return refused_check(_UNKNOWN)
    rules = state.rules
    if (
        rules is not None
        and rules.head_commit == state.known_head
        and not (state.rules_told and state.rules_told.approved)
    ):
        return refused_check(_RULES)
    standing = [unit for unit, plan in state.plans.items() if plan.destroy and not plan.summary.is_empty]
    return apply_check((), left=left_by_merge(state), not_destroyed=sorted(standing))
