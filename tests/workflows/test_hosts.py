"""A run's work goes to the host that has its work tree, and to any other where that one doesn't take it up."""

from collections import defaultdict
from datetime import timedelta

import pytest
from temporalio import activity
from temporalio.client import Client

from activities.discovery import Discover
from activities.git_messages import CheckedOut, CheckOut, RemoveWorkTree
from activities.terragrunt_messages import ApplyAnswer, ApplyRequest, CheckAccount, PlanAnswer, PlanRequest
from docustack.model import Nothing
from docustack.repository import Discovery
from tests.workflows.conftest import Stage, end_everything, workers
from tests.workflows.fakes import Unit, World
from tests.workflows.test_apply import planned
from tests.workflows.test_waiting import runner_with_this_process_policies
from workflows import policies

VPC = "dev/us-east-1/vpc"
RDS = "dev/us-east-1/rds"
HERE = {"docustack@here", "docustack-dev@here"}


class Hosts(World):
    """Notes by which task queue each kind of work came; the tree is checked out on `host`."""

    def __init__(self, host: str, environments: tuple[str, ...] = ("dev", "staging", "prod")) -> None:
        super().__init__({})
        self.host = host
        self.environments = environments
        self.came_by: dict[str, set[str]] = defaultdict(set)

    def _note(self) -> None:
        self.came_by[activity.info().activity_type].add(activity.info().task_queue)

    @activity.defn
    async def check_out(self, question: CheckOut) -> CheckedOut:
        done = await super().check_out(question)
        return done.model_copy(update={"host": self.host, "environments": self.environments})

    @activity.defn
    async def discover(self, question: Discover) -> Discovery:
        self._note()
        return await super().discover(question)

    @activity.defn
    async def plan_unit(self, request: PlanRequest) -> PlanAnswer:
        self._note()
        return await super().plan_unit(request)

    @activity.defn
    async def check_account(self, question: CheckAccount) -> Nothing:
        self._note()
        return await super().check_account(question)

    @activity.defn
    async def apply_unit(self, request: ApplyRequest) -> ApplyAnswer:
        self._note()
        return await super().apply_unit(request)

    @activity.defn
    async def remove_work_tree(self, question: RemoveWorkTree) -> Nothing:
        self._note()
        return await super().remove_work_tree(question)


async def applied(client: Client, world: Hosts) -> None:
    async with workers(client, world, runner=runner_with_this_process_policies()):
        stage = Stage(client, world)
        await planned(stage, {VPC: Unit(), RDS: Unit(dependencies=(VPC,))})
        await stage.comment("terrateam apply")
        await stage.until_ended(2, seconds=60)
        await end_everything(client)
    assert world.applied == [VPC, RDS]


async def test_all_that_is_done_in_a_work_tree_goes_to_its_host(client: Client) -> None:
    world = Hosts("here")
    await applied(client, world)
    assert world.came_by.keys() == {"discover", "check_account", "plan_unit", "apply_unit", "remove_work_tree"}
    assert set().union(*world.came_by.values()) == HERE
    assert len(world.came_by["remove_work_tree"]) == 1, "once is enough"


async def test_a_host_that_works_for_no_environment_leaves_that_to_one_that_does(client: Client) -> None:
    world = Hosts("here", environments=())
    await applied(client, world)
    assert world.came_by["discover"] == {"docustack@here"}
    assert world.came_by["plan_unit"] == world.came_by["apply_unit"] == {"docustack-dev@here"}


async def test_what_a_host_does_not_take_up_is_done_by_another_which_then_keeps_the_run(
    client: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(policies, "HOST_TAKES_WORK_WITHIN", timedelta(seconds=1))
    world = Hosts("gone")
    await applied(client, world)
    assert world.came_by["discover"] == {"docustack"}
    assert "docustack-dev" in world.came_by["check_account"]
    assert world.came_by["plan_unit"] == world.came_by["apply_unit"] == {"docustack-dev@here"}
    assert world.came_by["remove_work_tree"] == {"docustack-dev@here"}
