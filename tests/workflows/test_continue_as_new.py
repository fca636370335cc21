"""A pull request's workflow continues as new in the middle of everything, and nothing of it is lost.

The server suggests it at 50 events (`conftest.py`), so a few words are enough to make it happen at the very moment.
"""

import asyncio

from docustack.base_moves import BaseMoved
from docustack.runs import Operation, RunStatus
from tests.workflows.conftest import Stage
from tests.workflows.fakes import Unit
from tests.workflows.test_apply import applied, planned

VPC, RDS = "dev/us-east-1/vpc", "dev/us-east-1/rds"
PROD = "prod/us-east-1/vpc"
NEW_HEAD, NEW_MAIN = "d" * 40, "1" * 40


async def continued(stage: Stage) -> None:
    """People talk until the workflow has continued as new."""
    first = (await stage.handle().describe()).run_id
    async with asyncio.timeout(120):
        while (await stage.handle().describe()).run_id == first:
            await stage.comment("terrateam help", sender="developer")
            await stage.until(lambda: (stage.comments, "eyes") in stage.world.reactions, "the sign that it was taken")


async def being_planned(stage: Stage) -> None:
    stage.world.units, stage.world.hold_plans = {VPC: Unit(), RDS: Unit()}, asyncio.Event()
    stage.world.open()
    await stage.send("opened")
    await asyncio.wait_for(stage.world.planning.wait(), 120)


async def at_the_gate(stage: Stage) -> None:
    stage.world.units = {PROD: Unit()}
    stage.world.open(author="infra-member")
    await stage.send("opened", sender="infra-member")
    await stage.until_ended(1)
    await stage.comment("terrateam apply", sender="lead")
    await stage.until(lambda: bool(stage.world.texts("Waiting for approval")), "the gate")


async def test_while_a_plan_is_made_with_commands_and_a_move_of_the_base_behind_it(stage: Stage) -> None:
    world = stage.world
    await being_planned(stage)
    await stage.comment(f"terrateam apply {VPC}")
    await stage.until(lambda: bool(world.texts("is next")), "its place in line")
    world.commits.move_base(NEW_MAIN, {RDS: "sha256:other"})
    moved = BaseMoved(repository=stage.repository, base_ref="main", commit=NEW_MAIN)
    await stage.handle().signal("base_moved", moved)
    await continued(stage)
    assert world.hold_plans is not None
    world.hold_plans.set()
    await stage.until(lambda: world.applied == [VPC], "the apply that was in line")
    await stage.until(lambda: world.units[RDS].plans == 2, "what the move has outdated")
    state = await stage.until_idle()
    assert state.plans.keys() == {RDS}
    assert state.applied.keys() == {VPC}


async def test_while_a_superseded_plan_has_yet_to_end(stage: Stage) -> None:
    world = stage.world
    await being_planned(stage)
    await stage.push(NEW_HEAD)
    await continued(stage)
    assert world.hold_plans is not None
    world.hold_plans.set()
    state = await stage.until_ended(1)
    assert {plan.commit for plan in state.plans.values()} == {NEW_HEAD}
    assert len(world.texts("## Terrateam Plan")) == 2, "one of each unit"


async def test_while_an_apply_waits_at_its_gate(stage: Stage) -> None:
    await at_the_gate(stage)
    await continued(stage)
    await stage.comment("terrateam plan", sender="developer")
    await stage.until(lambda: (stage.comments, "-1") in stage.world.reactions, "the refusal of who may not end it")
    await continued(stage)
    stage.world.approve("lead")
    await stage.send("review_submitted", sender="lead", review_state="approved")
    await stage.until(lambda: stage.world.applied == [PROD])
    await stage.until_idle()


async def test_while_units_are_applied_and_a_push_and_a_command_wait(stage: Stage) -> None:
    world = stage.world
    await planned(stage, {VPC: Unit(), RDS: Unit()})
    world.hold_applies = asyncio.Event()
    await stage.comment(f"terrateam apply {VPC}")
    await asyncio.wait_for(world.applying.wait(), 120)
    await stage.comment(f"terrateam apply {RDS}")
    await stage.until(lambda: bool(world.texts("is next")), "its place in line")
    await stage.push(NEW_HEAD)
    await continued(stage)
    world.hold_applies.set()
    await stage.until(lambda: all(unit.plans == 2 for unit in world.units.values()), "the plan of the new commit")
    state = await stage.until_idle()
    assert world.applied == [VPC], "the other was commanded for a commit that is no more the head"
    assert {unit: plan.commit for unit, plan in state.plans.items()} == {VPC: NEW_HEAD, RDS: NEW_HEAD}


async def test_after_an_apply_locks_applied_units_and_seen_deliveries_are_known(stage: Stage) -> None:
    world = stage.world
    await planned(stage, {VPC: Unit()})
    await applied(stage)
    deliveries, comments = stage.deliveries, stage.comments
    await continued(stage)
    stage.deliveries, stage.comments = deliveries - 1, comments - 1
    await stage.comment("terrateam apply")  # the very same delivery
    stage.deliveries, stage.comments = 1_000, 1_000
    await applied(stage)
    assert world.applied == [VPC]
    assert world.texts("Nothing to apply")
    assert [run.operation for run in (await stage.state()).runs] == [Operation.PLAN, Operation.APPLY, Operation.APPLY]
    await stage.close()
    await asyncio.wait_for(stage.handle().result(), 120)
    table = await stage.client.get_workflow_handle(f"locks:{stage.repository.full_name}").query("table")
    assert table["grants"] == {}


async def test_while_it_is_closed_and_its_apply_still_runs(stage: Stage) -> None:
    world = stage.world
    await planned(stage, {VPC: Unit()})
    world.hold_applies = asyncio.Event()
    await stage.comment("terrateam apply")
    await asyncio.wait_for(world.applying.wait(), 120)
    await stage.close(merged=False)
    await continued(stage)
    locks = stage.client.get_workflow_handle(f"locks:{stage.repository.full_name}")
    assert VPC in (await locks.query("table"))["grants"]
    world.hold_applies.set()
    await asyncio.wait_for(stage.handle().result(), 120)
    assert world.applied == [VPC]
    assert (await locks.query("table"))["grants"] == {}


async def test_while_a_run_is_no_more_and_nobody_has_missed_it_yet(stage: Stage) -> None:
    world = stage.world
    await planned(stage, {VPC: Unit()})
    world.hold_applies = asyncio.Event()
    await stage.comment("terrateam apply")
    await asyncio.wait_for(world.applying.wait(), 120)
    state = await stage.state()
    assert state.active is not None
    await stage.client.get_workflow_handle(f"run:{state.active.run_id}").terminate("by an operator")
    world.hold_applies.set()
    await continued(stage)
    await stage.comment("terrateam apply")
    state = await stage.until_ended(3)
    assert world.texts("ended from outside")
    assert [run.status for run in state.runs] == [RunStatus.SUCCEEDED, RunStatus.CANCELLED, RunStatus.SUCCEEDED]
    assert world.units[VPC].plans == 2, "what may be half applied is planned again"
