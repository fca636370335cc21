"""Operators who terminate what locks depend on: the table itself, a holder, a holder whose Terraform still works."""

import asyncio
from collections.abc import AsyncIterator
from datetime import timedelta

import pytest
from temporalio.client import Client

from activities import locks
from docustack.lock_messages import LOCKS_HELD_SIGNAL, LocksHeld, locks_workflow_id
from tests.workflows.conftest import Stage, end_everything, workers
from tests.workflows.fakes import Unit, World
from tests.workflows.test_in_line import holding, planned, stands, table, until_queue, waits
from tests.workflows.test_waiting import runner_with_this_process_policies
from workflows import policies

VPC, RDS = "dev/us-east-1/vpc", "dev/us-east-1/rds"


@pytest.fixture
async def impatient(client: Client, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Stage]:
    """A stage on which those in line ask again each second, in place of minutes."""
    monkeypatch.setattr(policies, "LOCK_ANSWERS_WITHIN", timedelta(seconds=1))
    monkeypatch.setattr(policies, "LOCKS_ASKED_AGAIN_WITHIN", timedelta(seconds=1))
    monkeypatch.setattr(locks, "_NOTICED_WITHIN", timedelta(seconds=1))
    world = World({})
    async with workers(client, world, runner=runner_with_this_process_policies()):
        yield Stage(client, world)
        await end_everything(client)


async def terminate(stage: Stage, workflow_id: str) -> None:
    await stage.client.get_workflow_handle(workflow_id).terminate("an operator's mistake")


async def test_table_that_is_terminated_is_put_together_again_from_those_who_hold_and_wait(impatient: Stage) -> None:
    stage = impatient
    await holding(stage, VPC)
    for number in (2, 3):
        await planned(stage, number)
        await waits(stage, number, number - 1)
    before = await table(stage)
    await terminate(stage, locks_workflow_id(stage.repository))
    async with asyncio.timeout(120):
        while (after := await table(stage)).next_token <= before.next_token:
            await asyncio.sleep(0.05)  # a workflow that has ended still answers queries
    await until_queue(stage, 2, 3)
    after = await table(stage)
    assert after.grants == before.grants
    assert [request.request_id for request in after.queue] == [request.request_id for request in before.queue]
    await stage.close(1)
    await stage.until(lambda: stage.world.applied == [VPC], "the turn of pull request 2")
    assert (await table(stage)).grants[VPC].pull_request == 2
    await stage.close(2)
    await stage.until(lambda: stage.world.applied == [VPC, VPC], "the turn of pull request 3")
    await until_queue(stage)


async def test_apply_that_works_while_the_table_is_terminated_keeps_its_units_and_goes_on(impatient: Stage) -> None:
    stage = impatient
    stage.world.units = {VPC: Unit(), RDS: Unit(dependencies=(VPC,))}
    stage.world.hold_applies = asyncio.Event()
    await planned(stage, 1)
    await stage.comment("terrateam apply")
    await stage.world.applying.wait()
    await terminate(stage, locks_workflow_id(stage.repository))
    await planned(stage, 2)
    await waits(stage, 2, 1)
    assert {unit: grant.pull_request for unit, grant in (await table(stage)).grants.items()} == {VPC: 1, RDS: 1}
    stage.world.hold_applies.set()
    await stage.until_ended(2)
    assert stage.world.applied == [VPC, RDS], "its tokens are those of before"


async def test_units_given_up_are_not_given_back_when_the_table_is_put_together_again(impatient: Stage) -> None:
    stage = impatient
    await holding(stage, VPC)
    await stage.comment("terrateam unlock", sender="developer")
    await stage.until_ended(3)
    async with asyncio.timeout(120):
        while (await stage.state()).held:
            await asyncio.sleep(0.05)
    await terminate(stage, locks_workflow_id(stage.repository))
    await planned(stage, 2)
    await stage.comment("terrateam apply", number=2)
    await stage.until(lambda: stage.world.applied == [VPC], "the apply of pull request 2")
    assert (await table(stage)).grants[VPC].pull_request == 2


async def test_units_given_up_while_there_is_no_table_are_not_given_back_either(impatient: Stage) -> None:
    stage = impatient
    await holding(stage, VPC)
    await terminate(stage, locks_workflow_id(stage.repository))
    await stage.comment("terrateam unlock", sender="developer")
    await stage.until_ended(3)
    async with asyncio.timeout(120):
        while (await table(stage)).grants:
            await asyncio.sleep(0.05)


async def test_holder_that_was_terminated_is_found_while_somebody_waits(impatient: Stage) -> None:
    stage = impatient
    await holding(stage, VPC)
    await terminate(stage, stage.handle().id)
    await planned(stage, 2)
    await stage.comment("terrateam apply", number=2)
    await stage.until(lambda: stage.world.applied == [VPC], "its turn")
    assert (await table(stage)).grants[VPC].pull_request == 2


async def test_unit_of_a_terminated_holder_is_not_freed_before_its_terraform_has_ended(impatient: Stage) -> None:
    stage = impatient
    await holding(stage, VPC)
    stage.world.lives_on, stage.world.state_locked_by = True, "docustack@host"
    await terminate(stage, stage.handle().id)
    await planned(stage, 2)
    await waits(stage, 2, 1)
    for lives_on, locked_by in ((True, "docustack@host"), (True, None), (False, "somebody@laptop")):
        stage.world.lives_on, stage.world.state_locked_by = lives_on, locked_by
        looked = stage.world.state_locks_looked_at
        await stage.until(lambda: stage.world.state_locks_looked_at >= looked + 2, "a look")  # noqa: B023
        assert (await table(stage)).grants[VPC].pull_request == 1
    stage.world.state_locked_by = None
    await stage.until(lambda: stage.world.applied == [VPC], "its turn")


async def test_holder_that_lives_keeps_its_units_however_long_somebody_waits(impatient: Stage) -> None:
    stage = impatient
    await holding(stage, VPC)
    await planned(stage, 2)
    await waits(stage, 2, 1)
    asked = stage.world.ended_asked
    await stage.until(lambda: stage.world.ended_asked >= asked + 3, "three looks")
    assert (await table(stage)).grants[VPC].pull_request == 1
    await stands(stage, 2, 1)


async def test_signals_of_unknown_names_change_nothing(stage: Stage) -> None:
    await holding(stage, VPC)
    handle = stage.client.get_workflow_handle(locks_workflow_id(stage.repository))
    await handle.signal("free_everything", {"unit": VPC})
    await handle.signal(LOCKS_HELD_SIGNAL, LocksHeld())
    await planned(stage, 2)
    await waits(stage, 2, 1)
    assert (await table(stage)).grants[VPC].pull_request == 1
