"""However a run ends, it is told, its check is completed, its pull request goes on, and its work tree is gone."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from datetime import timedelta

import pytest
from temporalio import activity
from temporalio.client import Client
from temporalio.exceptions import ApplicationError

from activities.discovery import Discover
from activities.git_messages import CheckedOut, CheckOut, LoadConfiguration, LoadedConfiguration, RemoveWorkTree
from activities.github_messages import CheckRun, PostComment, PostedComment, SetCheck
from activities.terragrunt_messages import (
    ApplyAnswer,
    ApplyRequest,
    AttendApply,
    FreeStateLock,
    OutputsAnswer,
    PlanAnswer,
    PlanRequest,
    StateLockAnswer,
    UnitRequest,
)
from docustack.apply_audit import AuditedApply
from docustack.errors import ErrorType
from docustack.lock_messages import locks_workflow_id
from docustack.locks import LockTable
from docustack.model import Nothing
from docustack.pull_request_state import PullRequestState
from docustack.repository import ChangedUnit, Discovery, UnitStatus
from docustack.runs import RunStatus, UnitPhase
from tests.workflows.commits import Commits
from tests.workflows.conftest import Stage, control_worker, end_everything, environment_workers, workers
from tests.workflows.fakes import CONFIGURATION, Unit, World
from tests.workflows.test_apply import planned
from tests.workflows.test_waiting import runner_with_this_process_policies
from workflows import policies

VPC, CLUSTER, RDS = (f"dev/us-east-1/{name}" for name in ("vpc", "ecs-cluster", "rds"))
PROD = "prod/us-east-1/vpc"


class TroubledCommits(Commits):
    def __init__(self, trouble: Callable[[str], Awaitable[None]]) -> None:
        super().__init__()
        self._trouble = trouble

    @activity.defn
    async def record_apply(self, record: AuditedApply) -> Nothing:
        await self._trouble("record_apply")
        return await super().record_apply(record)


class TroubledWorld(World):
    """The world, in which any activity can be made to fail, or to take as long as a test wants."""

    def __init__(self) -> None:
        super().__init__({})
        self.commits = TroubledCommits(self.trouble)
        self.failures: dict[str, Exception] = {}
        self.holds: dict[str, asyncio.Event] = {}
        self.begun: dict[str, asyncio.Event] = {}
        self.removed: list[str] = []
        self.attempts: list[int] = []
        self.runners: set[str] = set()  # folders of applies that have begun
        self.runners_begun = 0
        self.worker_dies = 0
        self.slow_to_stop: asyncio.Event | None = None
        self.freed: list[str] = []

    def hold(self, name: str) -> asyncio.Event:
        """Keep an activity from ending; the answer is set once one of that name has begun."""
        self.holds[name], self.begun[name] = asyncio.Event(), asyncio.Event()
        return self.begun[name]

    def let_go(self, name: str) -> None:
        self.holds.pop(name).set()

    async def trouble(self, name: str) -> None:
        if name in self.failures:
            raise self.failures[name]
        if name in self.holds:
            self.begun[name].set()
            await self.holds[name].wait()

    @activity.defn
    async def load_configuration(self, question: LoadConfiguration) -> LoadedConfiguration:
        await self.trouble("load_configuration")
        return await super().load_configuration(question)

    @activity.defn
    async def check_out(self, question: CheckOut) -> CheckedOut:
        await self.trouble("check_out")
        return await super().check_out(question)

    @activity.defn
    async def plan_unit(self, request: PlanRequest) -> PlanAnswer:
        await self.trouble("plan_unit")
        return await super().plan_unit(request)

    @activity.defn
    async def discover(self, question: Discover) -> Discovery:
        await self.trouble("discover")
        discovery = await super().discover(question)
        strange = ChangedUnit(
            unit="nowhere/vpc", environment="nowhere", status=UnitStatus.ADDED, because=("nowhere/vpc/terragrunt.hcl",)
        )
        changed = (*discovery.changed, strange) if "nowhere/vpc" in self.units else discovery.changed
        return discovery.model_copy(update={"changed": changed})

    @activity.defn
    async def dependency_outputs(self, request: UnitRequest) -> OutputsAnswer:
        await self.trouble("dependency_outputs")
        return await super().dependency_outputs(request)

    @activity.defn
    async def set_check(self, check: SetCheck) -> CheckRun:
        await self.trouble("set_check")
        return await super().set_check(check)

    @activity.defn
    async def post_comment(self, comment: PostComment) -> PostedComment:
        await self.trouble("post_comment")
        return await super().post_comment(comment)

    @activity.defn
    async def remove_work_tree(self, question: RemoveWorkTree) -> Nothing:
        self.removed.append(question.run_id)
        return Nothing()

    @activity.defn
    async def free_state_lock(self, request: FreeStateLock) -> StateLockAnswer:
        self.freed.append(request.unit)
        return StateLockAnswer(locked=True, freed=True)

    @activity.defn
    async def apply_unit(self, request: ApplyRequest) -> ApplyAnswer:
        """As the real one: what has begun is attended, never begun again; a cancel is graceful, and takes its time."""
        self.attempts.append(activity.info().attempt)
        folder = f"{activity.info().workflow_run_id}:{activity.info().activity_id}"
        if folder not in self.runners:
            self.runners.add(folder)
            self.runners_begun += 1
        if self.worker_dies:
            self.worker_dies -= 1
            await asyncio.Event().wait()  # nobody heartbeats any more
        try:
            return await super().apply_unit(request)
        except asyncio.CancelledError:
            if self.slow_to_stop is None:
                raise
            await self.slow_to_stop.wait()
            raise ApplicationError(
                f"{request.unit} was interrupted gracefully", type=ErrorType.CANCELLED.value, non_retryable=True
            ) from None


@pytest.fixture
async def world() -> TroubledWorld:
    return TroubledWorld()


@pytest.fixture
async def stage(client: Client, world: TroubledWorld) -> AsyncIterator[Stage]:
    async with workers(client, world):
        stage = Stage(client, world)
        yield stage
        for event in (*world.holds.values(), world.hold_applies, world.slow_to_stop):
            if event is not None:
                event.set()  # a test that failed in the middle holds up no worker
        await end_everything(client)


async def cancel(stage: Stage) -> str:
    """Cancel the active run from outside, as an operator does."""
    state = await stage.state()
    assert state.active is not None
    await stage.client.get_workflow_handle(f"run:{state.active.run_id}").cancel()
    return state.active.run_id


async def until_cancelled(stage: Stage, run_id: str, runs: int) -> PullRequestState:
    state = await stage.until_ended(runs)
    assert state.runs[-1].run_id == run_id
    assert state.runs[-1].status is RunStatus.CANCELLED
    return state


async def work_trees_removed(stage: Stage, world: TroubledWorld) -> list[str]:
    """By all runs that have ended: a work tree goes after the pull request was told, as the very last thing."""
    for past in (await stage.state()).runs:
        await asyncio.wait_for(stage.client.get_workflow_handle(f"run:{past.run_id}").result(), 120)
    return world.removed


def check_is_completed(world: World, name: str) -> None:
    check = world.check(name)
    assert check is not None
    assert check.status == "completed"
    assert check.conclusion != "success"


async def table_of(stage: Stage) -> LockTable:
    handle = stage.client.get_workflow_handle(locks_workflow_id(stage.repository))
    table: LockTable = await handle.query("table", result_type=LockTable)
    return table


# ---- something fails outside of any unit -----------------------------------------------------------------------------


@pytest.mark.parametrize(
    "where, error_type",
    [
        ("load_configuration", ErrorType.CREDENTIALS),
        ("check_out", ErrorType.MERGE_CONFLICT),
        ("check_out", ErrorType.NOT_FOUND),
        ("discover", ErrorType.CONFIGURATION),
    ],
)
async def test_what_fails_before_any_unit_is_known_is_told_and_the_check_is_completed(
    stage: Stage, world: TroubledWorld, where: str, error_type: ErrorType
) -> None:
    world.failures[where] = ApplicationError("what a person has to mend", type=error_type, non_retryable=True)
    await planned(stage, {VPC: Unit()})
    state = await stage.state()
    assert [run.status for run in state.runs] == [RunStatus.FAILED]
    assert len(world.texts("what a person has to mend")) == 1
    check_is_completed(world, "docustack/plan")
    assert len(await work_trees_removed(stage, world)) == (1 if where == "discover" else 0)
    world.failures.clear()
    await stage.comment("terrateam plan")
    assert VPC in (await stage.until_ended(2)).plans


async def test_units_in_a_circle_are_named_instead_of_blocking_the_run(stage: Stage, world: TroubledWorld) -> None:
    await planned(stage, {VPC: Unit(dependencies=(RDS,)), RDS: Unit(dependencies=(VPC,))})
    assert (await stage.state()).runs[0].status is RunStatus.FAILED
    assert world.texts("depend on each other in a circle")
    check_is_completed(world, "docustack/plan")
    assert len(await work_trees_removed(stage, world)) == 1


async def test_what_nobody_foresaw_ends_the_run_and_is_told_as_our_own_fault(
    stage: Stage, world: TroubledWorld
) -> None:
    await planned(stage, {VPC: Unit(), "nowhere/vpc": Unit()})
    assert (await stage.state()).runs[0].status is RunStatus.FAILED
    assert world.texts("fault of DocuStack's own")
    check_is_completed(world, "docustack/plan")
    assert len(await work_trees_removed(stage, world)) == 1


async def test_github_that_refuses_comments_and_checks_for_good_ends_no_run(stage: Stage, world: TroubledWorld) -> None:
    refusal = ApplicationError("gone", type=ErrorType.NOT_FOUND, non_retryable=True)
    world.failures |= {"post_comment": refusal, "set_check": refusal}
    await planned(stage, {VPC: Unit()})
    state = await stage.state()
    assert state.runs[0].status is RunStatus.SUCCEEDED
    assert VPC in state.plans


async def test_a_rate_limit_of_github_in_the_middle_of_an_apply_stops_nothing_and_each_comment_comes_once(
    stage: Stage, world: TroubledWorld
) -> None:
    await planned(stage, {VPC: Unit(), RDS: Unit(dependencies=(VPC,)), CLUSTER: Unit(dependencies=(RDS,))})
    limit = ApplicationError(
        "You have exceeded a secondary rate limit", type=ErrorType.THROTTLED, next_retry_delay=timedelta(seconds=0.5)
    )
    await stage.comment("terrateam apply")
    await asyncio.wait_for(world.applying.wait(), 120)
    world.failures |= {"post_comment": limit, "set_check": limit}
    await stage.until(lambda: world.applied == [VPC, RDS, CLUSTER], "all waves, though nothing can be told")
    world.failures.clear()
    state = await stage.until_ended(2)
    assert state.runs[-1].status is RunStatus.SUCCEEDED
    for unit in (VPC, RDS, CLUSTER):
        assert len(world.texts(f"## Terrateam Apply\n\n**Directory:** `{unit}`")) == 1
    check = world.check("docustack/apply")
    assert check is not None
    assert (check.status, check.conclusion) == ("completed", "success")


# ---- a cancellation, wherever it meets the run -----------------------------------------------------------------------


@pytest.mark.parametrize("where", ["load_configuration", "check_out", "discover"])
async def test_a_run_cancelled_while_it_prepares_ends_and_leaves_no_check_pending(
    stage: Stage, world: TroubledWorld, where: str
) -> None:
    begun = world.hold(where)
    world.units = {VPC: Unit()}
    world.open()
    await stage.send("opened")
    await asyncio.wait_for(begun.wait(), 120)
    run_id = await cancel(stage)
    await until_cancelled(stage, run_id, 1)
    world.let_go(where)
    assert world.units[VPC].plans == 0
    assert all(check.status == "completed" for check in world.checks)
    assert await work_trees_removed(stage, world) == ([run_id] if where == "discover" else [])


async def test_a_cancellation_is_not_lost_while_the_check_is_being_set(stage: Stage, world: TroubledWorld) -> None:
    world.hold_plans = asyncio.Event()
    begun = world.hold("set_check")
    world.units = {VPC: Unit()}
    world.open()
    await stage.send("opened")
    await asyncio.wait_for(begun.wait(), 120)
    run_id = await cancel(stage)
    world.let_go("set_check")
    await until_cancelled(stage, run_id, 1)
    check_is_completed(world, "docustack/plan")
    assert world.units[VPC].plans == 0
    assert await work_trees_removed(stage, world) == [run_id]


async def test_a_cancellation_at_the_gate_ends_the_run_and_takes_no_lock(stage: Stage, world: TroubledWorld) -> None:
    world.units = {PROD: Unit()}
    world.open(author="infra-member")
    await stage.send("opened", sender="infra-member")
    await stage.until_ended(1)
    await stage.comment("terrateam apply", sender="lead")
    await stage.until(lambda: bool(world.texts("Waiting for approval")))
    run_id = await cancel(stage)
    await until_cancelled(stage, run_id, 2)
    check_is_completed(world, "docustack/apply")
    assert run_id in await work_trees_removed(stage, world)


async def test_a_cancellation_while_the_end_is_told_changes_nothing_of_it(stage: Stage, world: TroubledWorld) -> None:
    begun = world.hold("post_comment")
    world.units = {VPC: Unit()}
    world.open()
    await stage.send("opened")
    await asyncio.wait_for(begun.wait(), 120)
    await stage.until(lambda: any(check.status == "completed" for check in world.checks), "the end of the plan")
    await cancel(stage)
    world.let_go("post_comment")
    state = await stage.until_ended(1)
    assert state.runs[0].status is RunStatus.SUCCEEDED
    assert VPC in state.plans
    assert len(world.texts("## Terrateam Plan")) == 1
    assert len(await work_trees_removed(stage, world)) == 1


async def test_a_cancelled_apply_waits_for_the_unit_that_is_being_interrupted(
    stage: Stage, world: TroubledWorld
) -> None:
    apply = CONFIGURATION.apply.model_copy(update={"parallelism": 1})
    world.configuration = CONFIGURATION.model_copy(update={"apply": apply})
    await planned(stage, {VPC: Unit(), RDS: Unit()})
    world.hold_applies, world.slow_to_stop = asyncio.Event(), asyncio.Event()
    await stage.comment("terrateam apply")
    await asyncio.wait_for(world.applying.wait(), 120)
    run_id = await cancel(stage)
    await asyncio.sleep(1)
    state = await stage.state()
    assert state.active is not None, "Terraform still writes its state"
    world.slow_to_stop.set()
    state = await until_cancelled(stage, run_id, 2)
    assert len(world.texts("interrupted gracefully")) == 1
    assert len(world.texts("## Terrateam Apply")) == 2
    assert world.runners_begun == 1
    begun = next(unit for unit in (VPC, RDS) if world.units[unit].applies or state.plans[unit].spent)
    assert state.plans[begun].spent


async def test_an_apply_that_is_being_recorded_is_recorded_and_told_whole_though_the_run_is_cancelled(
    stage: Stage, world: TroubledWorld
) -> None:
    await planned(stage, {VPC: Unit(), RDS: Unit(dependencies=(VPC,))})
    begun = world.hold("record_apply")
    await stage.comment("terrateam apply")
    await asyncio.wait_for(begun.wait(), 120)
    run_id = await cancel(stage)
    await stage.client.get_workflow_handle(f"run:{run_id}").query("show")  # answered after it has heard of that
    world.let_go("record_apply")
    state = await until_cancelled(stage, run_id, 2)
    assert set(state.applied) == {VPC}
    assert [record.unit for record in world.commits.audit] == [VPC]
    assert "Apply complete!" in world.texts(f"`{VPC}`")[-1]
    assert world.applied == [VPC], "nothing is begun after a cancellation"


async def test_a_cancellation_before_an_interrupted_apply_is_planned_again_leaves_its_end_unknown(
    stage: Stage, world: TroubledWorld
) -> None:
    world.lease_seconds = 0
    await planned(stage, {VPC: Unit(apply_errors=[ErrorType.INTERRUPTED])})
    begun = world.hold("plan_unit")
    await stage.comment("terrateam apply")
    await asyncio.wait_for(begun.wait(), 120)
    run_id = await cancel(stage)
    world.let_go("plan_unit")
    state = await until_cancelled(stage, run_id, 2)
    assert [record.outcome for record in world.commits.audit] == [UnitPhase.UNKNOWN]
    assert world.texts("not known how an apply of this unit had ended")
    assert state.plans[VPC].spent


async def test_an_apply_whose_end_is_heard_together_with_the_cancellation_is_not_lost(
    client: Client, world: TroubledWorld
) -> None:
    stage = Stage(client, world)
    async with environment_workers(client, world):
        async with control_worker(client, world):
            await planned(stage, {VPC: Unit(), RDS: Unit(dependencies=(VPC,))})
            world.hold_applies = asyncio.Event()
            await stage.comment("terrateam apply")
            await asyncio.wait_for(world.applying.wait(), 120)
            state = await stage.state()
            assert state.active is not None
            run = client.get_workflow_handle(f"run:{state.active.run_id}")
        world.hold_applies.set()
        async with asyncio.timeout(120):
            while (await run.describe()).raw_description.pending_activities:
                await asyncio.sleep(0.05)
        await run.cancel()
        async with control_worker(client, world):
            state = await until_cancelled(stage, state.active.run_id, 2)
            await end_everything(client)
    assert set(state.applied) == {VPC}
    assert [record.unit for record in world.commits.audit] == [VPC]
    assert world.applied == [VPC]


async def test_nothing_is_applied_after_a_cancellation_that_an_activity_did_not_hear(
    stage: Stage, world: TroubledWorld
) -> None:
    world.units = {VPC: Unit(outputs="sha256:same"), RDS: Unit(dependencies=(VPC,))}
    world.open()
    await stage.send("opened")
    await stage.until_ended(1)
    begun = world.hold("dependency_outputs")
    await stage.comment(f"terrateam apply {RDS}")
    await asyncio.wait_for(begun.wait(), 120)
    run_id = await cancel(stage)
    world.let_go("dependency_outputs")
    await until_cancelled(stage, run_id, 2)
    assert world.runners_begun == 0
    check_is_completed(world, "docustack/apply")


# ---- a run that is no more -------------------------------------------------------------------------------------------


async def test_a_terminated_run_is_missed_by_the_next_command_which_then_begins(
    stage: Stage, world: TroubledWorld
) -> None:
    await planned(stage, {VPC: Unit()})
    world.hold_applies = asyncio.Event()
    await stage.comment("terrateam apply")
    await asyncio.wait_for(world.applying.wait(), 120)
    state = await stage.state()
    assert state.active is not None
    await stage.client.get_workflow_handle(f"run:{state.active.run_id}").terminate("by an operator")
    world.hold_applies.set()
    await stage.comment("terrateam apply")
    await stage.until_ended(3)
    assert world.texts("ended from outside")
    assert world.units[VPC].plans == 2, "what may be half applied is planned again"


async def test_no_check_of_a_terminated_run_stays_pending(stage: Stage, world: TroubledWorld) -> None:
    await planned(stage, {VPC: Unit()})
    world.hold_applies = asyncio.Event()
    await stage.comment("terrateam apply")
    await asyncio.wait_for(world.applying.wait(), 120)
    await stage.until(lambda: any(check.name == "docustack/apply" for check in world.checks), "its check")
    state = await stage.state()
    assert state.active is not None
    await stage.client.get_workflow_handle(f"run:{state.active.run_id}").terminate("by an operator")
    world.hold_applies.set()
    await stage.comment("terrateam plan")
    await stage.until_ended(3)
    await stage.until(lambda: world.checks[-1].name == "docustack/plan" and world.checks[-1].status == "completed")
    apply = world.check("docustack/apply")
    assert apply is not None
    assert (apply.status, apply.conclusion, apply.title) == ("completed", "failure", "Ended from outside")


@pytest.mark.parametrize("superseded_first", [False, True])
async def test_no_check_of_an_older_commit_stays_pending_after_its_run_was_terminated(
    stage: Stage, world: TroubledWorld, superseded_first: bool
) -> None:
    """Terminated before a push takes its place, or after that, while its plan still takes its time to stop."""
    world.units, begun = {VPC: Unit()}, world.hold("plan_unit")
    world.open()
    await stage.send("opened")
    await asyncio.wait_for(begun.wait(), 120)
    await stage.until(lambda: bool(world.checks), "the check of the first head")
    active = (await stage.state()).active
    assert active is not None
    old = stage.client.get_workflow_handle(f"run:{active.run_id}")
    if not superseded_first:
        await old.terminate("by an operator")
    await stage.push("2" * 40)
    if superseded_first:
        async with asyncio.timeout(120):
            while not (await stage.state()).superseded:
                await asyncio.sleep(0.05)
        await old.terminate("by an operator")
        await stage.push("3" * 40)
    world.let_go("plan_unit")
    state = await stage.until_idle()
    assert state.superseded == []

    def last_words() -> dict[str | None, SetCheck]:
        return {check.external_id: check for check in world.checks}

    # What is said outside follows what the workflow knows.
    await stage.until(
        lambda: {check.status for check in last_words().values()} == {"completed"}, "the last word on each check"
    )
    ended = next(check for run_id, check in last_words().items() if active.run_id in (run_id or ""))
    assert (ended.head_commit, ended.status, ended.conclusion) == ("a" * 40, "completed", "cancelled")


# ---- a worker that is no more ----------------------------------------------------------------------------------------


class Looked(World):
    """The worker dies amid an apply; who looks at it then reads how it has ended."""

    def __init__(self) -> None:
        super().__init__({})
        self.lease_seconds = 100_000
        self.begun = asyncio.Event()
        self.looked: list[bool] = []

    @activity.defn
    async def apply_unit(self, request: ApplyRequest) -> ApplyAnswer:
        self.begun.set()
        await asyncio.Event().wait()  # nobody heartbeats any more
        raise AssertionError

    @activity.defn
    async def attend_apply(self, request: AttendApply) -> ApplyAnswer:
        self.looked.append(request.end)
        told = f"The apply of {request.unit} was cancelled, and wrote its state."
        raise ApplicationError(told, type=ErrorType.CANCELLED.value, non_retryable=True)


async def test_an_apply_that_is_cancelled_while_its_worker_is_dead_is_ended_by_the_next_one_and_no_lease_is_waited_for(
    client: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(policies, "HEARTBEAT_TIMEOUT", timedelta(seconds=2))
    world = Looked()
    async with workers(client, world, runner=runner_with_this_process_policies()):
        stage = Stage(client, world)
        await planned(stage, {VPC: Unit()})
        await stage.comment("terrateam apply")
        await asyncio.wait_for(world.begun.wait(), 60)
        run_id = await cancel(stage)
        await until_cancelled(stage, run_id, 2)
        assert world.looked == [True]
        assert world.texts("was cancelled, and wrote its state")
        await end_everything(client)


async def test_a_worker_that_dies_in_an_apply_is_followed_by_one_that_attends_the_same_apply(
    stage: Stage, world: TroubledWorld
) -> None:
    await planned(stage, {VPC: Unit()})
    world.worker_dies = 1
    await stage.comment("terrateam apply")
    await stage.until(lambda: world.applied == [VPC], "the end of the apply", seconds=90)
    state = await stage.until_ended(2)
    assert world.attempts == [1, 2]
    assert world.runners_begun == 1
    assert world.units[VPC].plans == 1
    assert world.freed == []
    assert VPC in state.applied
