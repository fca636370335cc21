"""A pull request gives units up: every open one that has a plan for them is told, and plans them again by itself."""

import asyncio

import pytest

from activities.open_pull_requests import OpenPullRequestWorkflows
from docustack.lock_messages import UNITS_FREED_SIGNAL, UnitsFreed
from docustack.runs import Operation
from tests.workflows.conftest import Stage
from tests.workflows.fakes import Unit
from tests.workflows.test_in_line import HEADS, holding, planned

VPC, RDS = "dev/us-east-1/vpc", "dev/us-east-1/rds"


async def until_found(stage: Stage, unit: str, *numbers: int) -> None:
    """Visibility is a moment behind."""
    workflows = OpenPullRequestWorkflows(stage.client)
    ids = [f"pr:{stage.repository.full_name}#{number}" for number in numbers]
    async with asyncio.timeout(120):
        while not set(ids) <= set(await workflows.find(stage.repository, [unit])):
            await asyncio.sleep(0.1)


@pytest.mark.parametrize(
    "how,told", [("merge", "was merged"), ("close", "was closed"), ("unlock", "was unlocked by `developer`")]
)
async def test_freed_unit_is_planned_again_wherever_it_has_a_plan_and_nowhere_else(
    stage: Stage, how: str, told: str
) -> None:
    await holding(stage, VPC)
    await planned(stage, 2)
    stage.world.units = {RDS: Unit()}
    await planned(stage, 3)
    stage.world.units = {VPC: Unit(plans=2), RDS: Unit(plans=1)}
    await until_found(stage, VPC, 2)
    if how == "unlock":
        await stage.comment("terrateam unlock", sender="developer")
    else:
        await stage.close(1, merged=how == "merge")
    state = await stage.until_ended(2, 2)
    assert [run.operation for run in state.runs] == [Operation.PLAN, Operation.PLAN]
    (comment,) = stage.world.texts(f"pull request 1, which held it, {told}")
    assert f"`{VPC}` is free" in comment
    assert stage.world.units[VPC].plans == 3
    assert stage.world.units[RDS].plans == 1
    assert len((await stage.until_idle(3)).runs) == 1
    if how == "unlock":
        assert len((await stage.until_idle(1)).runs) == 3, "its own plan is what it was"


async def test_who_is_told_twice_plans_once_and_after_a_closed_end_not_at_all(stage: Stage) -> None:
    stage.world.units = {VPC: Unit()}
    await planned(stage, 2)
    freed = UnitsFreed(repository=stage.repository, pull_request=1, units=(VPC, RDS), how="was merged", key="one")
    for _ in range(2):
        await stage.handle(2).signal(UNITS_FREED_SIGNAL, freed)
        await stage.until_ended(2, 2)
    await stage.handle(2).signal(UNITS_FREED_SIGNAL, freed.model_copy(update={"pull_request": 2, "key": "own"}))
    await stage.comment("terrateam help", number=2)
    await stage.until(lambda: (stage.comments, "eyes") in stage.world.reactions, "the answer")
    assert len((await stage.until_idle(2)).runs) == 2
    assert stage.world.units[VPC].plans == 2


async def test_units_freed_while_the_pull_request_applies_them_itself_are_not_planned_again(stage: Stage) -> None:
    stage.world.units = {VPC: Unit(), RDS: Unit()}
    await planned(stage, 2)
    stage.world.hold_applies = asyncio.Event()
    await stage.comment(f"terrateam apply {VPC}", number=2)
    await stage.world.applying.wait()
    freed = UnitsFreed(repository=stage.repository, pull_request=1, units=(VPC, RDS), how="was merged", key="one")
    await stage.handle(2).signal(UNITS_FREED_SIGNAL, freed)
    stage.world.hold_applies.set()
    state = await stage.until_ended(3, 2)
    assert stage.world.applied == [VPC]
    assert stage.world.units[RDS].plans == 2
    assert state.plans[RDS].commit == HEADS[2]
    assert stage.world.units[VPC].plans == 1
