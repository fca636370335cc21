"""Sets a pull request's check on GitHub, for its runs and for what is judged between them."""

from temporalio import workflow

from workflows import policies
from workflows.calls import call

with workflow.unsafe.imports_passed_through():
    from activities.github import GitHub
    from activities.github_messages import CheckRun, SetCheck
    from docustack.checks import Check
    from docustack.repository import Repository
    from docustack.runs import Operation


async def set_check(
    repository: Repository,
    head_commit: str,
    operation: Operation,
    check: Check,
    *,
    external_id: str,
    details_url: str | None = None,
    check_run_id: int | None = None,
    only_existing: bool = False,
) -> CheckRun:
    """`docustack/plan` or `docustack/apply` of a commit; `external_id` keeps a retry from making a second one.

    `only_existing`: a run has made it before, or there is nothing to set.

    Raises:
        ActivityError: GitHub refuses it for good.
    """
    return await call(
        GitHub.set_check,
        SetCheck(
            repository=repository,
            head_commit=head_commit,
            name=f"docustack/{operation.value}",
            external_id=external_id,
            status=check.status,
            conclusion=check.conclusion,
            title=check.title,
            summary=check.summary,
            details_url=details_url,
            check_run_id=check_run_id,
            only_existing=only_existing,
        ),
        summary=check.title,
        policy=policies.GITHUB,
    )
