"""One entity a pull request: events in, runs started, comments out; it lives from the first event to the close."""

from collections.abc import Sequence

from temporalio import workflow
from temporalio.common import RawValue
from temporalio.exceptions import FailureError

from workflows import policies, search_attributes
from workflows.asking import Asking
from workflows.calls import call
from workflows.judging import Judging
from workflows.merge_queue import checks_of_group
from workflows.replying import Replies
from workflows.run import RunWorkflow
from workflows.telling import tell_locks

with workflow.unsafe.imports_passed_through():
    from activities.installation import Surroundings
    from docustack.base_moves import BaseMoved
    from docustack.events import PullRequestEvent, pull_request_workflow_id
    from docustack.lock_messages import LOCKS_MEMO, LocksHeld, LocksMemo, ReleaseLocks, UnitsFreed
    from docustack.model import Nothing
    from docustack.pull_request_actions import (
        Action,
        CancelRun,
        GiveTurn,
        JudgeRules,
        LookAtGroup,
        ReleaseAllLocks,
        SignalRun,
        StartRun,
    )
    from docustack.pull_request_inbox import take_entry
    from docustack.pull_request_rules import shown_rules
    from docustack.pull_request_starts import started
    from docustack.pull_request_state import (
        HandOver,
        InboxEntry,
        LookAtOrphans,
        PullRequestStart,
        PullRequestState,
        RunMayBegin,
        RunToStart,
        RunWaits,
    )
    from docustack.pull_request_status import left_behind, status_of
    from docustack.pull_requests import (
        hear_waits,
        miss_run,
        not_started,
        remember,
        take_event,
    )
    from docustack.runs import PullRequestRef, RunInput, RunResult
    from workflows.run_models import LookAgain, RunStart, YourTurn


@workflow.defn(name="PullRequestWorkflow")
class PullRequestWorkflow:
    """Handlers only put into the inbox; one loop takes entries in order, and a pure function decides what follows."""

    @workflow.init
    def __init__(self, start: PullRequestStart) -> None:
        self._repository = start.repository
        self._number = start.number
        self._state = start.state.model_copy(deep=True) if start.state else PullRequestState()
        self._judging = Judging(start.repository, start.number, self._state)
        self._github = Asking(start.repository, start.number, self._state)
        self._replies = Replies(start.repository, start.number)

    @workflow.run
    async def run(self, start: PullRequestStart) -> None:
        if not self._state.bot_login:
            await self._learn_our_name()
        while True:
            await self._wait()
            while self._state.inbox and not self._continues():
                await self._take(self._state.inbox.pop(0))
            if self._is_over() and not self._state.inbox:
                await self._settle()
                if not self._state.inbox:
                    return
            if self._continues():
                await self._settle()
                workflow.continue_as_new(
                    PullRequestStart(repository=self._repository, number=self._number, state=self._state)
                )

    # ---- signals and queries -----------------------------------------------------------------------------------------

    @workflow.signal
    def github_event(self, event: PullRequestEvent) -> None:
        if event.known_kind is None:
            self._state.rejected = [*self._state.rejected[-19:], f"event of unknown kind {event.kind[:60]!r}"]
        elif remember(self._state, event.delivery_id):
            self._state.inbox.append(InboxEntry(event=event))

    @workflow.signal
    def run_ended(self, result: RunResult) -> None:
        self._state.inbox.append(InboxEntry(ended=result))

    @workflow.signal
    def run_waits(self, waits: RunWaits) -> None:
        hear_waits(self._state, waits)

    @workflow.signal
    def run_may_begin(self, message: RunMayBegin) -> None:
        self._state.inbox.append(InboxEntry(may_begin=message))

    @workflow.signal
    def base_moved(self, moved: BaseMoved) -> None:
        self._state.inbox.append(InboxEntry(base_moved=moved))

    @workflow.signal
    def locks_held(self, held: LocksHeld) -> None:
        self._state.inbox.append(InboxEntry(held=held))

    @workflow.signal
    def units_freed(self, freed: UnitsFreed) -> None:
        self._state.inbox.append(InboxEntry(freed=freed))

    @workflow.signal
    def hand_over(self, wanted: HandOver) -> None:
        self._state.inbox.append(InboxEntry(hand_over=wanted))

    @workflow.signal
    def look_at_orphans(self, message: LookAtOrphans) -> None:
        self._state.inbox.append(InboxEntry(look_at_orphans=True))

    @workflow.signal(dynamic=True)
    def from_temporal(self, name: str, payloads: Sequence[RawValue]) -> None:
        """What somebody sends from Temporal's own UI or CLI under a name that is none."""
        self._state.inbox.append(InboxEntry(unknown_signal=name[:200]))

    @workflow.query
    def show(self) -> PullRequestState:
        return self._state

    # ---- the loop ----------------------------------------------------------------------------------------------------

    async def _learn_our_name(self) -> None:
        """Under which login we comment: people mention it, and what it says is never a command."""
        installation = await call(Surroundings.read_installation, Nothing(), policy=policies.on(policies.CONTROL_QUEUE))
        self._state.bot_login = installation.bot_login or self._state.bot_login

    async def _wait(self) -> None:
        """For the next thing that happens; what nobody would tell of is looked at now and then in between."""
        within = policies.ORPHANS_LOOKED_AT_EVERY if self._state.orphans else None
        if self._state.superseded:
            within = policies.SUPERSEDED_LOOKED_FOR_EVERY
        try:
            await workflow.wait_condition(
                lambda: bool(self._state.inbox) or self._continues() or self._is_over(), timeout=within
            )
        except TimeoutError:
            self._state.inbox.append(InboxEntry(look_around=True))

    async def _take(self, entry: InboxEntry) -> None:
        held = self._state.held
        actions = await self._take_event(entry.event) if entry.event else take_entry(self._state, entry)
        if self._state.held != held:
            workflow.upsert_memo({LOCKS_MEMO: LocksMemo(grants=tuple(self._state.held))})
        for action in actions:
            await self._do(action)
        self._show()

    async def _take_event(self, event: PullRequestEvent) -> list[Action]:
        """One event of GitHub's, held against what GitHub says by now."""
        if not await self._github.read_facts():
            return []
        answered = await self._github.was_answered(event)
        may_command = not answered and await self._github.may_command(event)
        return take_event(self._state, event, self._state.bot_login, may_command=may_command, answered=answered)

    async def _do(self, action: Action) -> None:
        match action:
            case StartRun(run=run):
                await self._start(run)
            case CancelRun() | SignalRun() | GiveTurn():
                await self._reach_run(action)
            case ReleaseAllLocks(but_not=but_not):
                await self._release_locks(but_not)
            case JudgeRules():
                self._replies.beside(self._judging.judge())
            case LookAtGroup():
                self._replies.beside(self._look_at_group(action))
            case _:
                self._replies.tell(action)

    async def _look_at_group(self, group: LookAtGroup) -> None:
        for check in await checks_of_group(self._repository, self._state, group):
            await self._replies.tell_github(check)

    async def _start(self, run: RunToStart) -> None:
        """A run outlives this workflow's continue-as-new: it is abandoned to itself and tells its end by a signal."""
        facts, state = self._state.facts, self._state
        assert facts is not None
        run_id = workflow.uuid4().hex[:10]
        started(self._state, run_id, run)
        pull_request = PullRequestRef(
            number=self._number,
            author=facts.author,
            head_commit=facts.head_commit,
            base_ref=facts.base_ref,
            url=facts.url,
        )
        of_now = (facts.head_commit, state.merge_commit)
        plans = tuple(plan for plan in state.plans.values() if plan.commit in of_now)
        applied = tuple(unit for unit, head in state.applied.items() if head == facts.head_commit)
        try:
            await workflow.start_child_workflow(
                RunWorkflow.run,
                RunStart(
                    input=RunInput(
                        run_id=run_id,
                        repository=self._repository,
                        operation=run.operation,
                        actor=run.actor,
                        pull_request=pull_request,
                        automatic=run.automatic,
                        directories=run.directories,
                        plans=plans,
                        deferred=tuple(state.deferred),
                        applied=applied,
                        only_outdated=run.only_outdated,
                        comment_id=run.comment_id,
                        challenges=run.challenges,
                        draft=facts.draft,
                        destroy=run.destroy,
                        freed=run.freed,
                        merge_commit=run.merge_commit,
                        shown_rules=shown_rules(state),
                        orphans=tuple(each.unit for each in (state.orphans if state.told_orphans else state.deleted)),
                    )
                ),
                id=f"run:{run_id}",
                parent_close_policy=workflow.ParentClosePolicy.ABANDON,
                search_attributes=search_attributes.of_pull_request(
                    self._repository.full_name, self._number, run.actor
                ),
                static_summary=f"{run.operation.value} of #{self._number} by {run.actor}",
            )
        except FailureError as error:
            for action in not_started(state, run, str(error)):
                await self._do(action)

    async def _reach_run(self, action: CancelRun | SignalRun | GiveTurn) -> None:
        run_id = action.run_id
        handle = workflow.get_external_workflow_handle_for(RunWorkflow.run, f"run:{run_id}")
        try:
            match action:
                case CancelRun():
                    await handle.cancel()
                case SignalRun(actor=actor):
                    await handle.signal(RunWorkflow.look_again, LookAgain(actor=actor))
                case GiveTurn():
                    await handle.signal(RunWorkflow.your_turn, YourTurn())
        except Exception as error:
            workflow.logger.info("run %s has ended meanwhile: %s", run_id, error)
            miss_run(self._state, run_id)

    async def _release_locks(self, but_not: tuple[str, ...]) -> None:
        holder = pull_request_workflow_id(self._repository, self._number)
        await tell_locks(self._repository, "release", ReleaseLocks(holder=holder, but_not=but_not))

    # ---- life --------------------------------------------------------------------------------------------------------

    async def _settle(self) -> None:
        """Before the end or a continue-as-new: handlers done, everything said; then nothing is awaited any more."""
        await self._replies.flush()
        await workflow.wait_condition(workflow.all_handlers_finished)

    def _is_over(self) -> bool:
        state = self._state
        return not state.is_open and state.active is None and not state.superseded and not left_behind(state)

    def _continues(self) -> bool:
        return workflow.info().is_continue_as_new_suggested()

    def _show(self) -> None:
        state = self._state
        active = state.active
        waiting = f"{len(state.plans)} plans, {len(state.applied)} applied, {len(state.queue)} waiting"
        doing = f"{active.operation.value} `run:{active.run_id}`" if active else "nothing runs"
        title = state.facts.title if state.facts else ""
        workflow.upsert_search_attributes(
            [
                search_attributes.REPOSITORY.value_set(self._repository.full_name),
                search_attributes.PULL_REQUEST.value_set(self._number),
                search_attributes.BASE_BRANCH.value_set(state.facts.base_ref if state.facts else ""),
                search_attributes.STATUS.value_set(status_of(state)),
                search_attributes.of_plans({*state.plans, *state.deferred, *state.owed, *state.handed_over}),
            ]
        )
        workflow.set_current_details(f"**{title}**\n\n{doing}; {waiting}")
