"""What a run tells the world while it goes on: comments, checks, Slack; none of it holds up what the run does."""

from collections.abc import Callable, Sequence

from temporalio import workflow

from workflows import search_attributes
from workflows.check_runs import RunCheck
from workflows.links import links_of
from workflows.outbox import Outbox
from workflows.run_state import Run
from workflows.slack_thread import SlackThread

with workflow.unsafe.imports_passed_through():
    from docustack.comments import apply_comment, plan_comment
    from docustack.runs import Operation, PullRequestRef, UnitOutcome, UnitPhase
    from docustack.slack_messages import thread_head
    from docustack.summary_comments import applies_summary_comment, plans_summary_comment

ONE_COMMENT_EACH = 10
"""Up to this many units get a comment of their own; more become one table."""

TEXT_LIMIT = 150_000
"""Characters of a plan that travel to its own comment: more than fit, so that it is cut there and links to the rest."""

COMMENT_ROOM = 60_000
"""Characters of output that fit into one comment, shared by all units of a large run."""


MESSAGE_LIMIT = 300
"""Characters of what failed that each unit of a large run keeps: a thousand must fit into one continue-as-new."""


class RunThread(SlackThread):
    """A run's thread, whose head says of which pull request and run it is."""

    def __init__(self, run: Run) -> None:
        super().__init__(run.state, lambda: run.configuration.slack.channel)
        self._run = run

    def _head(self, text: str) -> str:
        start, links = self._run.start, links_of(self._run)
        return thread_head(
            text,
            pull_request=start.number,
            pull_request_url=links.pull_request,
            run_url=links.run,
            run_id=start.run_id,
            actor=start.actor,
        )


class Report:
    """The voice of one run. Slack goes its own way in the background; what GitHub is told is awaited only at the end.

    Without a pull request there is nobody to comment to: then everything stands in the run's own state.
    """

    def __init__(self, run: Run) -> None:
        self._run = run
        self.outbox = Outbox(run)
        self.check = RunCheck(run, self.outbox)
        self.slack = RunThread(run)

    @property
    def _pull_request(self) -> PullRequestRef | None:
        """Where comments and checks go; a run without one is looked at while it works, and in the record."""
        return self._run.start.pull_request

    @staticmethod
    def text_limit(run: Run) -> int:
        """How much output of one unit is wanted: its share of a comment."""
        units = max(1, len(run.state.selected))
        return TEXT_LIMIT if units <= ONE_COMMENT_EACH else COMMENT_ROOM // units

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
            self.outbox.shown([outcome.unit], workflow.now().isoformat())
        elif len(self._run.state.selected) <= ONE_COMMENT_EACH:
            reason = self._run.state.reasons.get(outcome.unit)
            body = plan_comment(
                outcome, links=links_of(self._run), next_steps=(reason,) if reason else (), prefix=self._run.prefix
            )
            self.outbox.later(self.outbox.post_plans(f"{outcome.unit}:plan", body, [outcome.unit]))
        else:
            self._keep_text(outcome, outcome.plan.text_preview if outcome.plan else outcome.text)

    async def ask(self, outcome: UnitOutcome, question: str, *, key: str) -> str:
        """Show a new plan that wants a yes of its own, and say what it does beyond the approved one; since when."""
        body = plan_comment(outcome, links=links_of(self._run), next_steps=(question,), prefix=self._run.prefix)
        return await self.outbox.post_plans(key, body, [outcome.unit])

    async def ask_of_many(self, outcomes: Sequence[UnitOutcome], *, key: str) -> str:
        """The same for more new plans than get a comment of their own."""
        room = COMMENT_ROOM // max(1, len(outcomes))
        shown = [with_text(each, each.plan.text_preview[:room]) if each.plan else each for each in outcomes]
        body = plans_summary_comment(shown, links=links_of(self._run), prefix=self._run.prefix)
        return await self.outbox.post_plans(key, body, [outcome.unit for outcome in outcomes])

    def applied(self, outcome: UnitOutcome, *, planned_again: bool) -> None:
        self._keep(outcome)
        if self._pull_request is None:
            return
        if len(self._run.state.selected) <= ONE_COMMENT_EACH:
            body = apply_comment(
                outcome, links=links_of(self._run), planned_again=planned_again, prefix=self._run.prefix
            )
            self.outbox.later(self.outbox.post(f"{outcome.unit}:apply", body))
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
        self.outbox.later(self.outbox.post(key, body))

    def say_why(self, key: str, body: str) -> None:
        """Why it ended: a run without a pull request shows its message itself."""
        if self._pull_request is not None:
            self.say(key, body)

    def say_again(self, key: str, text: Callable[[], str]) -> None:
        """A comment that stands once and is rewritten in place; `text` is asked for what it says by then."""
        if self._pull_request is not None:
            self.outbox.rewrite(key, text)

    def summarize(self) -> None:
        """The one comment of a run over many units, once all have ended, however often it has continued as new."""
        state = self._run.state
        outcomes = [
            with_text(state.outcomes[unit], state.texts[unit]) for unit in state.selected if unit in state.texts
        ]
        if not outcomes:
            return
        if self._run.start.operation is Operation.PLAN:
            body = plans_summary_comment(outcomes, links=links_of(self._run), prefix=self._run.prefix)
            self.outbox.later(self.outbox.post_plans("plans", body, [outcome.unit for outcome in outcomes]))
        else:
            body = applies_summary_comment(outcomes, links=links_of(self._run), prefix=self._run.prefix)
            self.outbox.later(self.outbox.post("applies", body))
        state.texts = {}

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


def with_text(outcome: UnitOutcome, text: str) -> UnitOutcome:
    """An outcome as its comment wants it: with its plan's text, or the output of what failed or was applied."""
    if outcome.plan is not None and outcome.phase in (UnitPhase.PLANNED, UnitPhase.NO_CHANGES):
        return outcome.model_copy(update={"plan": outcome.plan.model_copy(update={"text_preview": text})})
    return outcome.model_copy(update={"text": text})
