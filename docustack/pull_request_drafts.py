"""An apply that was refused since the pull request was a draft: its check says so only as long as that is true."""

from docustack.checks import ready_check
from docustack.pull_request_actions import Action, ReportCheck
from docustack.pull_request_replies import DRAFT
from docustack.pull_request_state import ActiveRun, PastRun, PullRequestState
from docustack.runs import Operation, RunResult


def keep_refusal_as_draft(state: PullRequestState, ended: ActiveRun, result: RunResult) -> None:
    """The last apply is the one whose check stands."""
    if result.operation is not Operation.APPLY:
        return
    state.refused_as_draft = None
    if result.message == DRAFT:
        state.refused_as_draft = PastRun(
            run_id=result.run_id,
            operation=result.operation,
            status=result.status,
            head_commit=result.head_commit,
            actor=ended.actor,
        )


def look_whether_draft(state: PullRequestState) -> list[Action]:
    """With each event, since one may be made ready while it is closed. Where it changes the rules, these are judged."""
    refused, facts = state.refused_as_draft, state.facts
    if refused is None or facts is None or facts.draft or not state.is_open:
        return []
    state.refused_as_draft = None
    if refused.head_commit != facts.head_commit or state.rules is not None:
        return []
    check = ready_check(state.comment_prefixes[0])
    external_id = f"ready-{refused.run_id}"
    return [ReportCheck(head_commit=facts.head_commit, operation=Operation.APPLY, check=check, external_id=external_id)]
