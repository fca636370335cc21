"""Days and hours that pass in no time: approvals that never come, a Slack that is down, a host that is gone."""

import asyncio
from collections.abc import AsyncIterator
from datetime import timedelta

import pytest
from temporalio import activity
from temporalio.client import Client
from temporalio.common import RetryPolicy
from temporalio.exceptions import ApplicationError
from temporalio.worker.workflow_sandbox import SandboxedWorkflowRunner, SandboxRestrictions

from activities.github_messages import PostComment, PostedComment
from activities.installation import Host
from activities.locks import RequestLocks
from activities.slack import PostedMessage, PostMessage
from activities.terragrunt_messages import ApplyAnswer, AttendApply, FreeStateLock, StateLockAnswer
from docustack.deployment_decisions import DecisionKind
from docustack.errors import ErrorType
from docustack.lock_messages import locks_workflow_id
from docustack.locks import LockRequest, LockTable
from docustack.model import Nothing
from docustack.runs import Operation, RunStatus, UnitPhase
from tests.dev_server import time_skipping_server
from tests.workflows.conftest import Stage, end_everything, workers
from tests.workflows.fakes import CONFIGURATION, Unit, World
from tests.workflows.organisation import ALL, CLUSTER, Organisation
from tests.workflows.organisation import start as start_deployment
from tests.workflows.organisation import workers as deployment_workers
from tests.workflows.test_apply import planned
from tests.workflows.test_deletions import RDS, deleted, deletes, owns
from tests.workflows.test_in_line import line_of
from tests.workflows.test_manual_runs import order
from workflows import policies
from workflows.run_models import LookAgain

VPC = "dev/us-east-1/vpc"
PROD = "prod/us-east-1/vpc"


# ---- days: timers that the dev server skips --------------------------------------------------------------------------


class WorldThatListens(World):
    """Somebody may approve in the moment in which the reminder comes; answers of the table of locks may go astray."""

    def __init__(self, client: Client) -> None:
        super().__init__({PROD: Unit()})
        self.client = client
        self.approves_when_reminded = ""
        self.goes_astray = ""  # a workflow that never listens, and gets what a run's first request is answered
        self.requests: list[LockRequest] = []

    @activity.defn
    async def request_locks(self, question: RequestLocks) -> Nothing:
        is_first = question.request.request_id not in [request.request_id for request in self.requests]
        self.requests.append(question.request)
        if self.goes_astray and is_first:
            request = question.request.model_copy(update={"answer_to": self.goes_astray})
            question = question.model_copy(update={"request": request})
        return await super().request_locks(question)

    @activity.defn
    async def post_comment(self, comment: PostComment) -> PostedComment:
        posted = await super().post_comment(comment)
        if self.approves_when_reminded and "Still waiting for approval" in comment.body:
            self.approve(self.approves_when_reminded)
            run = activity.info().workflow_id
            assert run is not None
            await self.client.get_workflow_handle(run).signal("look_again", LookAgain())
        return posted


@pytest.fixture
async def days() -> AsyncIterator[Stage]:
    """A stage whose workflows don't wait for their timers."""
    async with time_skipping_server() as environment:
        world = WorldThatListens(environment.client)
        async with workers(environment.client, world):
            yield Stage(environment.client, world)


async def test_what_a_merge_has_left_to_nobody_is_looked_at_every_day(days: Stage) -> None:
    deletes(days, RDS)
    await days.planned({RDS: deleted()})
    days.world.states[RDS] = owns()
    await days.merge("c" * 40)
    await asyncio.wait_for(days.handle().result(), 120)
    assert days.world.texts("Owned by nobody: ")
    assert days.world.texts(f"`{RDS}` is gone: its state holds no resources any more")


async def waits_for_approval(stage: Stage) -> None:
    stage.world.open(author="infra-member")
    await stage.send("opened", sender="infra-member")
    await stage.until_ended(1)
    await stage.comment("terrateam apply", sender="lead")


async def test_an_approval_that_does_not_come_within_seven_days_ends_the_apply(days: Stage) -> None:
    await waits_for_approval(days)
    state = await days.until_ended(2)
    assert state.runs[-1].status is RunStatus.REFUSED
    assert len(days.world.texts("Nobody approved within 7 days")) == 1
    check = days.world.check("docustack/apply")
    assert check is not None
    assert check.status == "completed"
    assert days.world.applied == []
    await asyncio.wait_for(days.client.get_workflow_handle(f"run:{state.runs[-1].run_id}").result(), 120)
    await days.comment("terrateam apply", sender="lead")
    assert (await days.until_ended(3)).plans.keys() == {PROD}, "its plan waits for the next try"


async def test_the_days_are_those_of_the_configuration(days: Stage) -> None:
    apply = CONFIGURATION.apply.model_copy(update={"approval_expires_days": 30})
    days.world.configuration = CONFIGURATION.model_copy(update={"apply": apply})
    await waits_for_approval(days)
    await days.until_ended(2)
    assert days.world.texts("Nobody approved within 30 days")


async def test_people_are_reminded_once_and_both_places_are_told_when_the_time_is_over(days: Stage) -> None:
    await waits_for_approval(days)
    state = await days.until_ended(2)
    (reminder,) = days.world.texts("Still waiting for approval")
    assert "`prod` needs 1 approval" in reminder
    assert "The apply waits until " in reminder
    await asyncio.wait_for(days.client.get_workflow_handle(f"run:{state.runs[-1].run_id}").result(), 20)
    said = [message.text for message in days.world.slack if message.text.startswith("Apply")]
    assert len(said) == 2, said
    assert said[0].startswith(f"Apply still waits for approval: {PROD} (since ")
    assert said[1].startswith(f"Apply ended: nobody approved {PROD} within 7 days")
    assert days.world.applied == []


async def test_whoever_is_reminded_can_still_approve(days: Stage) -> None:
    assert isinstance(days.world, WorldThatListens)
    days.world.approves_when_reminded = "lead"
    await waits_for_approval(days)
    state = await days.until_ended(2)
    assert state.runs[-1].status is RunStatus.SUCCEEDED
    assert days.world.applied == [PROD]


@pytest.mark.parametrize("hours", [0, 24 * 7])
async def test_nobody_is_reminded_where_that_is_not_wanted_or_comes_too_late(days: Stage, hours: int) -> None:
    apply = CONFIGURATION.apply.model_copy(update={"remind_after_hours": hours})
    days.world.configuration = CONFIGURATION.model_copy(update={"apply": apply})
    await waits_for_approval(days)
    await days.until_ended(2)
    assert days.world.texts("Nobody approved within 7 days")
    assert not days.world.texts("Still waiting for approval")


async def test_a_unit_that_waits_for_a_yes_of_its_own_reminds_of_it_too(days: Stage) -> None:
    more = frozenset({"create main", "delete database"})
    await planned(days, {VPC: Unit(), CLUSTER: Unit(dependencies=(VPC,), later_changes=more)})
    await days.comment("terrateam apply")
    await days.until_ended(2)
    (reminder,) = days.world.texts("Still waiting for approval")
    assert "delete `database`" in reminder
    reminders = [said.text for said in days.world.slack if said.text.startswith("Apply still waits for approval")]
    assert [text.partition(" (")[0] for text in reminders] == [f"Apply still waits for approval: {CLUSTER}"]
    assert days.world.applied == [VPC]


async def test_an_order_that_waits_for_approval_reminds_of_it_in_slack(days: Stage) -> None:
    result = await asyncio.wait_for((await order(days, Operation.APPLY, PROD, actor="lead")).result(), 60)
    assert result.status is RunStatus.REFUSED
    reminders = [said.text for said in days.world.slack if said.text.startswith("Apply still waits for approval")]
    assert len(reminders) == 1, days.world.slack


@pytest.mark.parametrize("hours, reminders", [(24, 1), (0, 0)])
async def test_a_deployment_that_waits_for_a_decision_reminds_of_it_once(hours: int, reminders: int) -> None:
    apply = ALL.apply.model_copy(update={"remind_after_hours": hours})
    organisation = Organisation(configuration=ALL.model_copy(update={"apply": apply}), fails={CLUSTER})
    async with time_skipping_server() as environment, deployment_workers(environment.client, organisation):
        deployment = await start_deployment(environment.client, only="dev")
        question = await deployment.question()
        async with asyncio.timeout(60):
            while len(organisation.reminders) < reminders:
                await asyncio.sleep(0.02)
        waited = timedelta(hours=hours, seconds=1)
        assert (await deployment.decide(DecisionKind.STOP, given_at=question.asked_at + waited)).accepted
        await deployment.outcome()
    assert len(organisation.reminders) == reminders
    assert all("docustack deploy retry" in reminder for reminder in organisation.reminders)


# ---- days: what the table of locks answers, and nobody hears --------------------------------------------------------


async def answers_go_astray(stage: Stage) -> None:
    """Until a run has asked a second time; what it asked first stays on record with the wrong address."""
    assert isinstance(stage.world, WorldThatListens)
    stage.world.units = {VPC: Unit()}
    stage.world.goes_astray = f"nobody:{stage.repository.name}"
    await stage.client.start_workflow("Nobody", id=stage.world.goes_astray, task_queue="a queue without a worker")


async def applies(stage: Stage, number: int) -> None:
    stage.world.open(number, head=f"{number:040}")
    await stage.send("opened", number=number)
    await stage.until_ended(1, number)
    await stage.comment("terrateam apply", number=number)


async def table_of(stage: Stage) -> LockTable:
    handle = stage.client.get_workflow_handle(locks_workflow_id(stage.repository))
    table: LockTable = await handle.query("table", result_type=LockTable)
    return table


async def test_a_run_that_never_hears_of_its_grant_asks_again_and_applies(days: Stage) -> None:
    await answers_go_astray(days)
    await applies(days, 1)
    state = await days.until_ended(2)
    assert isinstance(days.world, WorldThatListens)
    assert state.runs[-1].status is RunStatus.SUCCEEDED
    assert days.world.applied == [VPC]
    first, *again = days.world.requests
    assert again
    assert all(each == first for each in again), "the same request, so that nothing is granted twice"
    table = await table_of(days)
    assert [(grant.pull_request, grant.token) for grant in table.grants.values()] == [(1, table.next_token - 1)]


async def test_a_grant_that_is_lost_while_its_run_stands_in_line_is_asked_for_again(days: Stage) -> None:
    days.world.units = {VPC: Unit()}
    await applies(days, 1)
    await days.until_ended(2)
    await answers_go_astray(days)
    await applies(days, 2)
    await days.until(lambda: bool(days.world.texts("held by pull request 1")), "its place in line")
    (waiting,) = (await table_of(days)).queue
    assert waiting.answer_to.startswith("nobody"), "whom its grant is told"
    await days.close(1)
    state = await days.until_ended(2, 2)
    assert state.runs[-1].status is RunStatus.SUCCEEDED
    assert days.world.applied == [VPC, VPC]
    table = await table_of(days)
    assert [grant.pull_request for grant in table.grants.values()] == [2]
    assert table.queue == []


async def test_three_months_in_line_fit_into_one_history(days: Stage) -> None:
    apply = CONFIGURATION.apply.model_copy(update={"approval_expires_days": 90})
    days.world.configuration = CONFIGURATION.model_copy(update={"apply": apply})
    days.world.units = {VPC: Unit()}
    await applies(days, 1)
    await days.until_ended(2)
    await applies(days, 2)
    state = await days.until_ended(2, 2)
    assert state.runs[-1].status is RunStatus.REFUSED
    assert days.world.texts("didn't come free within 90 days")
    history = await days.client.get_workflow_handle(f"run:{state.runs[-1].run_id}").fetch_history()
    assert len(history.events) < 4_000, "Temporal ends a workflow at 51,200"


# ---- an hour without Slack: no server skips the pauses between attempts, so Slack's own clock goes on by them ------

HOUR = timedelta(hours=1)


class WorldWithoutSlackForAnHour(World):
    """By the clock of a Slack that goes on by the very pauses of the policy that Temporal was given."""

    def __init__(self) -> None:
        super().__init__({VPC: Unit()})
        self.waited: dict[str, timedelta] = {}  # by message, from its first attempt on
        self.all_else_is_done = asyncio.Event()

    @property
    def clock(self) -> timedelta:
        return max(self.waited.values(), default=timedelta())

    @activity.defn
    async def post_message(self, message: PostMessage) -> PostedMessage:
        if self.clock >= HOUR:
            return await super().post_message(message)
        info = activity.info()
        policy, limit = info.retry_policy, info.schedule_to_close_timeout
        assert policy is not None
        assert policy.maximum_interval is not None
        assert limit is not None
        pause = min(policy.initial_interval * policy.backoff_coefficient ** (info.attempt - 1), policy.maximum_interval)
        if self.clock + pause >= HOUR:
            await self.all_else_is_done.wait()
        waited = self.waited[message.key] = self.waited.get(message.key, timedelta()) + pause
        raise ApplicationError(
            "Slack is down",
            type=ErrorType.UNAVAILABLE.value,
            non_retryable=waited > limit,  # as the server would see it, had that time passed
            next_retry_delay=timedelta(milliseconds=10),
        )


async def test_an_hour_without_slack_holds_up_nothing_and_is_told_afterwards_once_and_in_order(client: Client) -> None:
    world = WorldWithoutSlackForAnHour()
    async with workers(client, world):
        stage = Stage(client, world)
        world.open()
        await stage.send("opened")
        await stage.until_ended(1)
        await stage.comment("terrateam apply")
        state = await stage.until_ended(2)
        await stage.until(lambda: bool(world.waited), "the first message")
        assert [run.status for run in state.runs] == [RunStatus.SUCCEEDED] * 2
        assert world.applied == [VPC]
        check = world.check("docustack/apply")
        assert check is not None
        assert (check.status, check.conclusion) == ("completed", "success")
        assert (world.slack, world.clock < HOUR) == ([], True)
        world.all_else_is_done.set()
        for run in state.runs:
            await asyncio.wait_for(client.get_workflow_handle(f"run:{run.run_id}").result(), 120)
        await end_everything(client)
    assert HOUR <= world.clock < HOUR + timedelta(minutes=2), "how late it is told"
    threads: dict[str, list[str]] = {}
    for number, message in enumerate(world.slack, start=1):
        threads.setdefault(message.thread or str(number), []).append(" ".join(message.text.split()[:2]))
    assert sorted(threads.values()) == [["Apply started", "Apply completed"], ["Plan started", "Plan completed:"]]
    assert len({message.key for message in world.slack}) == 4


# ---- hours: retries, which no server skips, so that the policies are shortened instead -------------------------------


def runner_with_this_process_policies() -> SandboxedWorkflowRunner:
    """The worker's own, except that a test may shorten the policies."""
    modules = ("docustack", "activities", "pydantic", "workflows")
    return SandboxedWorkflowRunner(restrictions=SandboxRestrictions.default.with_passthrough_modules(*modules))


@pytest.fixture
async def seldom(monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Stage]:
    """Days again, in which who stands in line asks for its turn every 12 hours in place of every 20 minutes."""
    monkeypatch.setattr(policies, "LOCKS_ASKED_AGAIN_WITHIN", timedelta(hours=12))
    async with time_skipping_server() as environment:
        world = WorldThatListens(environment.client)
        async with workers(environment.client, world, runner=runner_with_this_process_policies()):
            yield Stage(environment.client, world)


async def test_whose_turn_does_not_come_in_time_leaves_the_line_and_says_so(seldom: Stage) -> None:
    seldom.world.units = {VPC: Unit()}
    await applies(seldom, 1)
    await seldom.until_ended(2)
    await applies(seldom, 2)
    state = await seldom.until_ended(2, 2)
    assert state.runs[-1].status is RunStatus.REFUSED
    assert seldom.world.texts("The units didn't come free within 7 days, so it left the line")
    await seldom.until(lambda: "No longer in line" in line_of(seldom, 2), "the end of its wait")
    check = seldom.world.check("docustack/apply")
    assert check is not None
    assert (check.status, seldom.world.applied) == ("completed", [VPC])
    table = await table_of(seldom)
    assert (table.queue, [grant.pull_request for grant in table.grants.values()]) == ([], [1])


@pytest.fixture
async def hours(client: Client, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Stage]:
    """A stage on which Slack is asked every 0.2 s for 3 s, in place of every two minutes for half a day."""
    often = timedelta(seconds=0.2)
    monkeypatch.setitem(policies.SLACK, "retry_policy", RetryPolicy(initial_interval=often, maximum_interval=often))
    monkeypatch.setitem(policies.SLACK, "schedule_to_close_timeout", timedelta(seconds=3))
    world = World({VPC: Unit()})
    async with workers(client, world, runner=runner_with_this_process_policies()):
        yield Stage(client, world)
        await end_everything(client)


def test_slack_is_asked_for_hours() -> None:
    limit, retries = policies.SLACK["schedule_to_close_timeout"], policies.SLACK["retry_policy"]
    assert limit is not None
    assert retries is not None
    assert limit >= timedelta(hours=6)
    assert retries.maximum_attempts == 0


async def test_slack_that_stays_down_is_given_up_and_the_run_ends(hours: Stage) -> None:
    hours.world.slack_is_down = True
    hours.world.open()
    await hours.send("opened")
    state = await hours.until_ended(1)
    await asyncio.wait_for(hours.client.get_workflow_handle(f"run:{state.runs[0].run_id}").result(), 120)
    assert hours.world.slack == []


# ---- a host that is gone ---------------------------------------------------------------------------------------------


class WorldWithoutItsHost(World):
    """The first apply is meant for a host on which no worker answers any more."""

    def __init__(self) -> None:
        super().__init__({})
        self.hosts = ["gone"]
        self.freed: list[str] = []
        self.happened: list[str] = []

    @activity.defn
    async def name_host(self, _: Nothing) -> Host:
        host = self.hosts.pop(0) if self.hosts else "here"
        self.happened.append(f"meant for {host}")
        return Host(host=host)

    @activity.defn
    async def attend_apply(self, request: AttendApply) -> ApplyAnswer:
        self.happened.append("looked at")
        told = f"An apply of {request.unit} was begun on gone, and how it ended is not known."
        raise ApplicationError(told, type=ErrorType.INTERRUPTED.value, non_retryable=True)

    @activity.defn
    async def free_state_lock(self, request: FreeStateLock) -> StateLockAnswer:
        self.happened.append("lock freed")
        return StateLockAnswer(locked=True, freed=True, lock_id="ours")


async def test_an_apply_whose_host_is_gone_is_looked_at_frees_the_lock_plans_again_and_goes_on_elsewhere(
    client: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(policies, "HOST_ANSWERS_WITHIN", timedelta(seconds=2))
    monkeypatch.setattr(policies, "HOST_TAKES_WORK_WITHIN", timedelta(seconds=1))
    world = WorldWithoutItsHost()
    world.lease_seconds = 1
    async with workers(client, world, runner=runner_with_this_process_policies()):
        stage = Stage(client, world)
        unit = Unit()
        await planned(stage, {VPC: unit})
        await stage.comment("terrateam apply")
        state = await stage.until_ended(2, seconds=60)
        await end_everything(client)
    looked = ["meant for gone", "meant for here", "looked at"]
    assert world.happened == [*looked, "meant for here", "lock freed", "meant for here"]
    assert unit.plans == 2
    assert unit.applies == 1
    assert world.applied == [VPC]
    assert VPC in state.applied


async def test_an_apply_of_which_nobody_is_there_to_tell_has_an_unknown_end(
    client: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(policies, "HOST_ANSWERS_WITHIN", timedelta(seconds=0.5))
    monkeypatch.setattr(policies, "HOST_TAKES_WORK_WITHIN", timedelta(seconds=0.5))
    world = WorldWithoutItsHost()
    world.lease_seconds = 1
    world.hosts = ["gone"] * 5
    async with workers(client, world, runner=runner_with_this_process_policies()):
        stage = Stage(client, world)
        await planned(stage, {VPC: Unit()})
        await stage.comment("terrateam apply")
        state = await stage.until_ended(2, seconds=60)
        await end_everything(client)
    assert world.happened == ["meant for gone"] * 5, "nobody has looked"
    assert [record.outcome for record in world.commits.audit] == [UnitPhase.UNKNOWN]
    assert (state.runs[-1].status, world.units[VPC].plans) == (RunStatus.FAILED, 1)
    assert state.plans[VPC].spent, "it may have begun: it is planned again before anything else"


async def test_a_lock_that_can_not_be_freed_is_left_to_a_person(
    client: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(policies, "HOST_ANSWERS_WITHIN", timedelta(seconds=1))
    monkeypatch.setattr(policies, "HOST_TAKES_WORK_WITHIN", timedelta(seconds=1))

    class Locked(WorldWithoutItsHost):
        @activity.defn
        async def free_state_lock(self, request: FreeStateLock) -> StateLockAnswer:
            return StateLockAnswer(locked=True, freed=False, message="The state is locked by somebody else.")

    world = Locked()
    world.lease_seconds = 1
    async with workers(client, world, runner=runner_with_this_process_policies()):
        stage = Stage(client, world)
        unit = Unit()
        await planned(stage, {VPC: unit})
        await stage.comment("terrateam apply")
        state = await stage.until_ended(2, seconds=60)
        await end_everything(client)
    assert world.texts("The state is locked by somebody else.")
    assert unit.applies == 0
    assert state.runs[-1].status is RunStatus.FAILED
    assert state.plans[VPC].spent, "nobody knows how far it came: it is planned again before anything else"
