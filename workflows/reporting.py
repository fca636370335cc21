"""What a run tells the world while it goes on: comments, checks, Slack; none of it holds up what the run does."""

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from urllib.parse import quote

from temporalio import workflow
from temporalio.exceptions import ActivityError, is_cancelled_exception

from workflows import policies, search_attributes
from workflows.calls import call
from workflows.check_runs import set_check
from workflows.run_state import Run

with workflow.unsafe.imports_passed_through():
    from activities.github import GitHub
    from activities.github_messages import PostComment, PostedComment, React
    from activities.slack import PostMessage, Slack
    from docustack.checks import Check
    from docustack.comments import Links, apply_comment, plan_comment
    from docustack.runs import Operation, PullRequestRef, UnitOutcome, UnitPhase
    from docustack.slack_messages import thread_head
    from docustack.summary_comments import applies_summary_comment, plans_summary_comment
    from workflows.run_models import SlackMessage

ONE_COMMENT_EACH = 10
"""Up to this many units get a comment of their own; more become one table."""

TEXT_LIMIT = 150_000
"""Characters of a plan that travel to its own comment: more than fit, so that it is cut there and links to the rest."""

COMMENT_ROOM = 60_000
"""Characters of output that fit into one comment, shared by all units of a large run."""


MESSAGE_LIMIT = 300
"""Characters of what failed that each unit of a large run keeps: a thousand must fit into one continue-as-new."""


class Report:
    """The voice of one run. Slack goes its own way in the background; comments are awaited only at the end.

    Without a pull request there is nobody to comment to: then everything stands in the run's own state.
    """

    def __init__(self, run: Run) -> None:
        self._run = run
        self._comments: list[asyncio.Future[object]] = []
        self._standing: dict[str, asyncio.Task[None]] = {}
        self._checking: asyncio.Task[None] | None = None
        self._slack: asyncio.Task[None] | None = None

    @property
    def _pull_request(self) -> PullRequestRef | None:
        """Where comments and checks go; a run without one is looked at while it works, and in the record."""
        return self._run.start.pull_request

    @staticmethod
    def text_limit(run: Run) -> int:
        """How much output of one unit is wanted: its share of a comment."""
        units = max(1, len(run.state.selected))
        return TEXT_LIMIT if units <= ONE_COMMENT_EACH else COMMENT_ROOM // units

    @property
    def links(self) -> Links:
        installation = self._run.state.installation
        info = workflow.info()
        run_url = ""
        if installation.temporal_ui_url:
            workflow_id = quote(info.workflow_id, safe="")
            run_url = (
                f"{installation.temporal_ui_url.rstrip('/')}/namespaces/{info.namespace}"
                f"/workflows/{workflow_id}/{info.run_id}/history"
            )
        public = installation.public_url.rstrip("/")
        return Links(
            pull_request=self._pull_request.url if self._pull_request else "",
            run=run_url,
            log=lambda reference: f"{public}/logs/{quote(reference)}" if public else None,
        )

    # ---- units -----------------------------------------------------------------------------------------------------

    def phase(self, unit: str, phase: UnitPhase) -> None:
        """A unit moves on; Temporal's UI and `runs watch` see it."""
        self._run.state.phases[unit] = phase
        self.show()

    def show(self) -> None:
        state = self._run.state
        lines = [f"- `{unit}`: {state.phases.get(unit, UnitPhase.WAITING).value}" for unit in state.selected[:100]]
        workflow.set_current_details("\n".join([f"**{state.status.value}** {state.message}", "", *lines]))

    def planned(self, outcome: UnitOutcome) -> None:
        self._keep(outcome)
        if self._pull_request is None:
            self._shown([outcome.unit], workflow.now().isoformat())
        elif len(self._run.state.selected) <= ONE_COMMENT_EACH:
            reason = self._run.state.reasons.get(outcome.unit)
            body = plan_comment(outcome, links=self.links, next_steps=(reason,) if reason else (), prefix=self._prefix)
            self._later(self._comment_of_plan(f"{outcome.unit}:plan", body, [outcome.unit]))
        else:
            self._keep_text(outcome, outcome.plan.text_preview if outcome.plan else outcome.text)

    async def ask(self, outcome: UnitOutcome, question: str, *, key: str) -> str:
        """Show a new plan that wants a yes of its own, and say what it does beyond the approved one; since when."""
        body = plan_comment(outcome, links=self.links, next_steps=(question,), prefix=self._prefix)
        return await self._comment_of_plan(key, body, [outcome.unit])

    async def ask_of_many(self, outcomes: Sequence[UnitOutcome], *, key: str) -> str:
        """The same for more new plans than get a comment of their own."""
        room = COMMENT_ROOM // max(1, len(outcomes))
        shown = [with_text(each, each.plan.text_preview[:room]) if each.plan else each for each in outcomes]
        body = plans_summary_comment(shown, links=self.links, prefix=self._prefix)
        return await self._comment_of_plan(key, body, [])

    def applied(self, outcome: UnitOutcome, *, planned_again: bool) -> None:
        self._keep(outcome)
        if self._pull_request is None:
            return
        if len(self._run.state.selected) <= ONE_COMMENT_EACH:
            body = apply_comment(outcome, links=self.links, planned_again=planned_again, prefix=self._prefix)
            self._later(self._post(f"{outcome.unit}:apply", body))
        else:
            self._keep_text(outcome, outcome.text)

    def _keep(self, outcome: UnitOutcome) -> None:
        """Outcomes hold no texts: a thousand units must fit into one continue-as-new."""
        plan = outcome.plan.without_text() if outcome.plan else None
        message = outcome.message
        if len(self._run.state.selected) > ONE_COMMENT_EACH and len(message) > MESSAGE_LIMIT:
            message = f"{message[:MESSAGE_LIMIT]}…"
        self._run.state.outcomes[outcome.unit] = outcome.model_copy(
            update={"plan": plan, "text": "", "message": message}
        )
        self.phase(outcome.unit, outcome.phase)

    def _keep_text(self, outcome: UnitOutcome, text: str) -> None:
        """For the one comment at the end; of a failure the last lines are the useful ones."""
        limit = self.text_limit(self._run)
        failed = outcome.phase in (UnitPhase.FAILED, UnitPhase.UNKNOWN)
        self._run.state.texts[outcome.unit] = text[-limit:] if failed else text[:limit]

    # ---- comments --------------------------------------------------------------------------------------------------

    def say(self, key: str, body: str) -> None:
        """A comment of the run itself; it is in the pull request before the run ends, or among the run's own notes."""
        if self._pull_request is None:
            self._run.state.notes.append(body)
            return
        self._later(self._post(key, body))

    def say_why(self, key: str, body: str) -> None:
        """Why it ended: a run without a pull request shows its message itself."""
        if self._pull_request is not None:
            self.say(key, body)

    def say_with_plans(self, key: str, body: str) -> None:
        """A comment that is folded away with the plans beside which it stands."""
        self._later(self._comment_of_plan(key, body, ()))

    def say_again(self, key: str, text: Callable[[], str]) -> None:
        """A comment that stands once and is rewritten in place; `text` is asked for what it says by then."""
        if self._pull_request is None:
            return
        self._standing[key] = asyncio.ensure_future(self._rewrite(self._standing.get(key), key, text))
        self._later(self._standing[key])

    async def _rewrite(self, before: "asyncio.Task[None] | None", key: str, text: Callable[[], str]) -> None:
        if before is not None:
            await workflow.wait([before])
        if self._standing[key] is not asyncio.current_task():
            return  # whoever comes after says this too
        comments = self._run.state.standing_comments
        posted = await self._post(key, text(), comments.get(key))
        comments[key] = posted.comment_id

    async def _comment_of_plan(self, key: str, body: str, units: Sequence[str]) -> str:
        """Post it, and note since when its plans can be read: where GitHub takes it from nobody, since now."""
        shown_at = workflow.now().isoformat()
        if self._pull_request is None:
            return shown_at
        try:
            posted = await self._post(key, body)
            self._run.state.comments.append(posted.comment_id)
            self._run.state.comment_units[posted.comment_id] = tuple(units)
            shown_at = posted.updated_at or shown_at
        except ActivityError as error:
            workflow.logger.error("a plan could not be shown: %s", error.cause)
        self._shown(units, shown_at)
        return shown_at

    def _shown(self, units: Sequence[str], shown_at: str) -> None:
        """Since when people can read these plans."""
        outcomes = self._run.state.outcomes
        for unit in units:
            outcome = outcomes.get(unit)
            if outcome is not None and outcome.plan is not None:
                shown = outcome.plan.model_copy(update={"shown_at": shown_at})
                outcomes[unit] = outcome.model_copy(update={"plan": shown})

    async def _post(self, key: str, body: str, comment_id: int | None = None) -> PostedComment:
        start, pull_request = self._run.start, self._pull_request
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
        self._later(call(GitHub.react, react, summary=content, policy=policies.GITHUB))

    def summarize(self) -> None:
        """The one comment of a run over many units, once all have ended, however often it has continued as new."""
        state = self._run.state
        outcomes = [
            with_text(state.outcomes[unit], state.texts[unit]) for unit in state.selected if unit in state.texts
        ]
        if not outcomes:
            return
        if self._run.start.operation is Operation.PLAN:
            body = plans_summary_comment(outcomes, links=self.links, prefix=self._prefix)
            self._later(self._comment_of_plan("plans", body, [outcome.unit for outcome in outcomes]))
        else:
            body = applies_summary_comment(outcomes, links=self.links, prefix=self._prefix)
            self._later(self._post("applies", body))
        state.texts = {}

    def _later(self, work: Awaitable[object]) -> None:
        self._comments.append(asyncio.ensure_future(work))

    @property
    def is_talking(self) -> bool:
        """Is something on its way to GitHub?"""
        return bool(self._comments)

    async def flush(self) -> None:
        """Wait until every comment and check so far is posted; what GitHub refuses for good is logged, not raised.

        A cancellation ends the waiting, never the posting.
        """
        while self._comments:
            waiting = list(self._comments)
            await workflow.wait(waiting)
            self._comments = self._comments[len(waiting) :]
            for task in waiting:
                if not task.cancelled() and (error := task.exception()):
                    workflow.logger.error("GitHub was not told: %s", error)

    # ---- check -----------------------------------------------------------------------------------------------------

    @property
    def has_check(self) -> bool:
        """Is there a check that has to be completed?"""
        return self._checking is not None or self._run.state.check_run_id is not None

    def check(self, check: Check) -> None:
        """Create or update the run's own check, after what was told of it before; a slow GitHub holds up nothing.

        An unlock has none: nobody could ever turn it green again.
        """
        if self._run.start.operation is Operation.UNLOCK or self._pull_request is None:
            return
        self._checking = asyncio.ensure_future(self._check_after(self._checking, check))
        self._later(self._checking)

    async def _check_after(self, before: "asyncio.Task[None] | None", check: Check) -> None:
        if before is not None:
            await before
        state = self._run.state
        check_run_id = await self._set_check(self._run.start.operation, check, state.check_run_id)
        state.check_run_id = check_run_id or state.check_run_id

    def check_of_apply(self, check: Check) -> None:
        """A plan that leaves nothing to apply says so in the other check too, which branch protection may wait for."""
        if self._pull_request is not None:
            self._later(self._set_check(Operation.APPLY, check, None))

    async def _set_check(self, operation: Operation, check: Check, check_run_id: int | None) -> int | None:
        """Where GitHub refuses it for good the run goes on without."""
        start = self._run.start
        try:
            answer = await set_check(
                start.repository,
                self._run.head_commit,
                operation,
                check,
                external_id=start.run_id,
                details_url=self.links.run or None,
                check_run_id=check_run_id,
            )
        except ActivityError as error:
            workflow.logger.error("the check could not be set: %s", error.cause)
            return None
        return answer.check_run_id

    # ---- Slack -----------------------------------------------------------------------------------------------------

    def slack(self, text: str) -> None:
        """Queue a message of the run's thread; Slack may be down for hours meanwhile."""
        self._run.state.slack_queue.append(SlackMessage(key=str(workflow.uuid4()), text=text))
        self.speak()

    def speak(self) -> None:
        """Post what is queued, in order."""
        if self._run.state.slack_queue and (self._slack is None or self._slack.done()):
            self._slack = asyncio.create_task(self._post_to_slack())

    async def _post_to_slack(self) -> None:
        """A message stays in the queue until Slack has it, so that it outlives a continue-as-new."""
        state = self._run.state
        while state.slack_queue:
            message = state.slack_queue[0]
            try:
                posted = await call(
                    Slack.post_message, self._slack_message(message), summary=message.text[:60], policy=policies.SLACK
                )
            except ActivityError as error:
                if is_cancelled_exception(error):
                    return
                workflow.logger.warning("Slack was not told: %s", error.cause)
            else:
                state.slack_thread = state.slack_thread or posted.ts or None
            state.slack_queue.pop(0)

    def _slack_message(self, message: SlackMessage) -> PostMessage:
        start, thread, text = self._run.start, self._run.state.slack_thread, message.text
        if thread is None:
            text = thread_head(
                text,
                pull_request=start.number,
                pull_request_url=self.links.pull_request,
                run_url=self.links.run,
                run_id=start.run_id,
                actor=start.actor,
            )
        return PostMessage(channel=self._run.configuration.slack.channel, text=text, key=message.key, thread=thread)

    async def flush_slack(self) -> None:
        """Wait until Slack has heard everything, or has been asked for long enough."""
        self.speak()
        if self._slack is not None:
            await workflow.wait([self._slack])

    async def pause_slack(self) -> None:
        """Stop posting, so that the run can continue as new; what Slack hasn't taken stays in the queue."""
        if self._slack is not None:
            self._slack.cancel()
            await workflow.wait([self._slack])

    # ---- Temporal --------------------------------------------------------------------------------------------------

    def status(self) -> None:
        """Let Temporal's own UI find the run by what it does."""
        state = self._run.state
        workflow.upsert_search_attributes(
            [
                search_attributes.STATUS.value_set(state.status.value),
                *search_attributes.of_units(state.selected, self._environments()),
            ]
        )
        self.show()

    def _environments(self) -> set[str]:
        configuration = self._run.state.loaded.configuration if self._run.state.loaded else None
        found = {configuration.environment_of(unit) for unit in self._run.state.selected} if configuration else set()
        return {name for name in found if name is not None}

    @property
    def _prefix(self) -> str:
        return self._run.prefix


def with_text(outcome: UnitOutcome, text: str) -> UnitOutcome:
    """An outcome as its comment wants it: with its plan's text, or the output of what failed or was applied."""
    if outcome.plan is not None and outcome.phase in (UnitPhase.PLANNED, UnitPhase.NO_CHANGES):
        return outcome.model_copy(update={"plan": outcome.plan.model_copy(update={"text_preview": text})})
    return outcome.model_copy(update={"text": text})
