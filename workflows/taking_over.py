"""A merge that was not applied holds its units; who contains it takes them over, since its apply brings that along."""

from collections.abc import Sequence

from temporalio import workflow

from workflows import policies
from workflows.calls import call
from workflows.run_state import Run
from workflows.telling import tell

with workflow.unsafe.imports_passed_through():
    from activities.git import Git
    from activities.git_messages import AskContained
    from activities.github import GitHub
    from activities.github_messages import ReadPullRequest
    from docustack.events import pull_request_workflow_id
    from docustack.locks import Grant
    from docustack.pull_request_state import HandOver


async def ask_to_hand_over(run: Run, blocked_by: Sequence[Grant]) -> bool:
    """Ask for units of merged pull requests that this run contains; is all that blocks it asked for?

    Whether they give them is theirs to say: one that applies at this moment does not.
    """
    numbers = sorted({grant.pull_request for grant in blocked_by if grant.pull_request is not None})
    if run.start.number is None or any(grant.pull_request is None for grant in blocked_by):
        return False
    if not numbers or not all([await _is_contained(run, number) for number in numbers]):
        return False
    for number in numbers:
        units = tuple(grant.unit for grant in blocked_by if grant.pull_request == number)
        message = HandOver(units=units, to=run.start.number)
        await tell(pull_request_workflow_id(run.start.repository, number), "hand_over", message)
    return True


async def _is_contained(run: Run, number: int) -> bool:
    facts = await call(
        GitHub.read_pull_request,
        ReadPullRequest(repository=run.start.repository, pull_request=number),
        summary=f"#{number}",
        policy=policies.GITHUB,
    )
    if not facts.merged or not facts.merge_commit:
        return False
    answer = await call(
        Git.ask_contained,
        AskContained(tree=run.tree, commit=facts.merge_commit),
        summary=facts.merge_commit[:7],
        policy=policies.GIT,
    )
    return answer.contained
