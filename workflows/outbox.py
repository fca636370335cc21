"""What a run sends to GitHub beside its work: each comment once, signs; all of it is there before the run ends."""

import asyncio
from collections.abc import Awaitable, Callable, Sequence

from temporalio import workflow
from temporalio.exceptions import ActivityError

from workflows import policies
from workflows.calls import call
from workflows.run_state import Run

with workflow.unsafe.imports_passed_through():
    from activities.github import GitHub
    from activities.github_messages import PostComment, PostedComment, React


class Outbox:
    """A run without a pull request posts nothing: it is only noted since when its plans can be read."""

    def __init__(self, run: Run) -> None:
        self._run = run
        self._sending: list[asyncio.Future[object]] = []
        self._standing: dict[str, asyncio.Task[None]] = {}

    def later(self, work: Awaitable[object]) -> None:
        """Begin what is to be done by the end of the run, and is waited for only there."""
        self._sending.append(asyncio.ensure_future(work))

    @property
    def is_talking(self) -> bool:
        """Is something on its way to GitHub?"""
        return bool(self._sending)

    async def flush(self) -> None:
        """Wait until every comment and check so far is posted; what GitHub refuses for good is logged, not raised.

        A cancellation ends the waiting, never the posting.
        """
        while self._sending:
            waiting = list(self._sending)
            await workflow.wait(waiting)
            self._sending = self._sending[len(waiting) :]
            for task in waiting:
                if not task.cancelled() and (error := task.exception()):
                    workflow.logger.error("GitHub was not told: %s", error)

    def rewrite(self, key: str, text: Callable[[], str]) -> None:
        """A comment that stands once and is rewritten in place; `text` is asked for what it says by then."""
        self._standing[key] = asyncio.ensure_future(self._rewrite(self._standing.get(key), key, text))
        self.later(self._standing[key])

    async def _rewrite(self, before: "asyncio.Task[None] | None", key: str, text: Callable[[], str]) -> None:
        if before is not None:
            await workflow.wait([before])
        if self._standing[key] is not asyncio.current_task():
            return  # whoever comes after says this too
        comments = self._run.state.standing_comments
        posted = await self.post(key, text(), comments.get(key))
        comments[key] = posted.comment_id

    async def post_plans(self, key: str, body: str, units: Sequence[str]) -> str:
        """Post it, and note since when its plans can be read: where GitHub takes it from nobody, since now."""
        shown_at = workflow.now().isoformat()
        if self._run.start.pull_request is None:
            return shown_at
        try:
            posted = await self.post(key, body)
            self._run.state.comments.append(posted.comment_id)
            self._run.state.comment_units[posted.comment_id] = tuple(units)
            shown_at = posted.updated_at or shown_at
        except ActivityError as error:
            workflow.logger.error("a plan could not be shown: %s", error.cause)
        self.shown(units, shown_at)
        return shown_at

    def take_plan_comments(self) -> dict[int, tuple[str, ...]]:
        """Those posted so far, with their units, for who tells the pull request of them before the run ends."""
        state = self._run.state
        shows = {comment: state.comment_units.pop(comment) for comment in state.comments}
        state.comments = []
        return shows

    def shown(self, units: Sequence[str], shown_at: str) -> None:
        """Since when people can read these plans."""
        outcomes = self._run.state.outcomes
        for unit in units:
            outcome = outcomes.get(unit)
            if outcome is not None and outcome.plan is not None:
                shown = outcome.plan.model_copy(update={"shown_at": shown_at})
                outcomes[unit] = outcome.model_copy(update={"plan": shown})

    async def post(self, key: str, body: str, comment_id: int | None = None) -> PostedComment:
        start, pull_request = self._run.start, self._run.start.pull_request
        assert pull_request is not None
        return await call(
            GitHub.post_comment,
            PostComment(
                repository=start.repository,
                pull_request=pull_request.number,
                key=f"{start.run_id}:{key}",
                body=body,
                comment_id=comment_id,
            ),
            summary=key,
            policy=policies.GITHUB,
        )

    def react(self, content: str) -> None:
        """Answer the command's comment with a sign."""
        if self._run.start.comment_id is None:
            return
        react = React(repository=self._run.start.repository, comment_id=self._run.start.comment_id, content=content)
        self.later(call(GitHub.react, react, summary=content, policy=policies.GITHUB))
