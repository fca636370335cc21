"""Sets the checks of a pull request on GitHub: each run's own, and what is judged between runs."""

import asyncio

from temporalio import workflow
from temporalio.exceptions import ActivityError

from workflows import policies
from workflows.calls import call
from workflows.links import links_of
from workflows.outbox import Outbox
from workflows.run_state import Run

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


class RunCheck:
    """The check of one run; a slow GitHub holds up nothing. A run without a pull request has none."""

    def __init__(self, run: Run, outbox: Outbox) -> None:
        self._run = run
        self._outbox = outbox
        self._setting: asyncio.Task[None] | None = None

    @property
    def is_there(self) -> bool:
        """Is there one that has to be completed?"""
        return self._setting is not None or self._run.state.check_run_id is not None

    def set(self, check: Check) -> None:
        """Create or update it, after what was told of it before.

        An unlock has none: nobody could ever turn it green again.
        """
        if self._run.start.operation is Operation.UNLOCK or self._run.start.pull_request is None:
            return
        self._setting = asyncio.ensure_future(self._set_after(self._setting, check))
        self._outbox.later(self._setting)

    async def _set_after(self, before: "asyncio.Task[None] | None", check: Check) -> None:
        if before is not None:
            await before
        state = self._run.state
        check_run_id = await self._set(self._run.start.operation, check, state.check_run_id)
        state.check_run_id = check_run_id or state.check_run_id

    def set_of_apply(self, check: Check) -> None:
        """A plan that leaves nothing to apply says so in the other check too, which branch protection may wait for."""
        if self._run.start.pull_request is not None:
            self._outbox.later(self._set(Operation.APPLY, check, None))

    async def _set(self, operation: Operation, check: Check, check_run_id: int | None) -> int | None:
        """Where GitHub refuses it for good the run goes on without."""
        start = self._run.start
        try:
            answer = await set_check(
                start.repository,
                self._run.head_commit,
                operation,
                check,
                external_id=start.run_id,
                details_url=links_of(self._run).run or None,
                check_run_id=check_run_id,
            )
        except ActivityError as error:
            workflow.logger.error("the check could not be set: %s", error.cause)
            return None
        return answer.check_run_id
