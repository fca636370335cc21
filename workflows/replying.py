"""The voice of a pull request between its runs: replies, signs, folded comments, checks, words to its neighbours."""

import asyncio
from collections.abc import Awaitable

from temporalio import workflow
from temporalio.exceptions import ActivityError

from workflows import policies
from workflows.calls import call
from workflows.check_runs import set_check

with workflow.unsafe.imports_passed_through():
    from activities.github import GitHub
    from activities.github_messages import MarkForgotten, MarkOutdated, PostComment, React
    from activities.open_pull_requests import OpenPullRequestWorkflows
    from activities.slack import PostMessage, Slack
    from docustack.checks import lost_check
    from docustack.lock_messages import UnitsFreed
    from docustack.pull_request_actions import (
        Announce,
        EndCheck,
        FoldComments,
        FoldForgotten,
        Reply,
        ReportCheck,
        Sign,
        TellFreed,
    )
    from docustack.repository import Repository

ToGitHub = Sign | Reply | FoldComments | FoldForgotten | EndCheck | ReportCheck


class Replies:
    """All of it beside the loop, so that a slow GitHub holds up no event; what is refused for good is logged."""

    def __init__(self, repository: Repository, number: int) -> None:
        self._repository = repository
        self._number = number
        self._doing: list[asyncio.Task[None]] = []

    def tell(self, action: ToGitHub | Announce | TellFreed) -> None:
        match action:
            case Announce():
                self.beside(self._announce(action))
            case TellFreed():
                self.beside(self._tell_freed(action))
            case _:
                self.beside(self.tell_github(action))

    def beside(self, work: Awaitable[None]) -> None:
        """Begin what nobody waits for before the workflow ends or continues as new."""
        self._doing = [task for task in self._doing if not task.done()]
        self._doing.append(asyncio.ensure_future(work))

    async def flush(self) -> None:
        """Wait until everything is said."""
        await asyncio.gather(*self._doing, return_exceptions=True)
        self._doing = []

    async def tell_github(self, action: ToGitHub) -> None:
        try:
            await self._call_github(action)
        except ActivityError as error:
            workflow.logger.error("GitHub was not told: %s", error.cause)

    def _call_github(self, action: ToGitHub) -> Awaitable[object]:
        repository, number = self._repository, self._number
        match action:
            case Sign(comment_id=comment_id, content=content):
                sign = React(repository=repository, comment_id=comment_id, content=content)
                return call(GitHub.react, sign, summary=content, policy=policies.GITHUB)
            case Reply(key=key, body=body):
                comment = PostComment(repository=repository, pull_request=number, key=key, body=body)
                return call(GitHub.post_comment, comment, summary=key, policy=policies.GITHUB)
            case FoldComments(comment_ids=ids, reason=reason):
                fold = MarkOutdated(repository=repository, pull_request=number, comment_ids=ids, reason=reason)
                return call(GitHub.mark_outdated, fold, summary=reason, policy=policies.GITHUB)
            case FoldForgotten(before=before, reason=reason):
                order = MarkForgotten(repository=repository, pull_request=number, before=before, reason=reason)
                return call(GitHub.mark_forgotten, order, summary=reason, policy=policies.GITHUB)
            case EndCheck(head_commit=commit, operation=operation, message=message, run_id=run_id):
                check = lost_check(operation, message)
                return set_check(repository, commit, operation, check, external_id=run_id, only_existing=True)
            case ReportCheck(head_commit=commit, operation=operation, check=check, external_id=external_id):
                return set_check(repository, commit, operation, check, external_id=external_id)

    async def _announce(self, action: Announce) -> None:
        message = PostMessage(channel=action.channel, text=action.text, key=action.key)
        try:
            await call(Slack.post_message, message, summary=action.key, policy=policies.SLACK)
        except ActivityError as error:
            workflow.logger.warning("Slack was not told: %s", error.cause)

    async def _tell_freed(self, action: TellFreed) -> None:
        """The workflows of other open pull requests."""
        freed = UnitsFreed(
            repository=self._repository,
            pull_request=self._number,
            units=action.units,
            how=action.how,
            merged=action.merged,
            only_owed=action.only_owed,
            key=str(workflow.uuid4()),
        )
        try:
            await call(
                OpenPullRequestWorkflows.tell_freed, freed, summary=f"{len(action.units)} units", policy=policies.LOCKS
            )
        except ActivityError as error:
            workflow.logger.error("other pull requests were not told of free units: %s", error.cause)
