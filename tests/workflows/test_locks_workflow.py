"""The table of locks as a workflow: many requesters at once, answers that nobody hears, and continuing as new."""

import asyncio
import uuid
from collections.abc import AsyncIterator
from datetime import UTC, datetime
from random import Random

import pytest
from temporalio import workflow
from temporalio.client import Client, WorkflowHandle
from temporalio.testing import ActivityEnvironment
from temporalio.worker import Worker

from activities.locks import ConfirmLocks, Locks, RequestLocks
from docustack.lock_messages import (
    ConfirmGrants,
    LocksStart,
    ReleaseLocks,
    WithdrawRequest,
    locks_workflow_id,
)
from docustack.locks import LockAnswer, LockRequest, LockTable
from docustack.model import Model
from docustack.repository import Repository
from tests.workflows.conftest import Stage, sandbox
from tests.workflows.fakes import Unit
from workflows.locks import LocksWorkflow
from workflows.policies import CONTROL_QUEUE

VPC, CLUSTER, RDS = (f"dev/us-east-1/{name}" for name in ("vpc", "ecs-cluster", "rds"))


@workflow.defn(name="Requester", sandboxed=False)
class Requester:
    """Stands in for a run: it hears answers, and ends when it is told to."""

    def __init__(self) -> None:
        self._answers: list[LockAnswer] = []
        self._over = False

    @workflow.run
    async def run(self) -> None:
        await workflow.wait_condition(lambda: self._over)

    @workflow.signal
    def lock_answer(self, answer: LockAnswer) -> None:
        self._answers.append(answer)

    @workflow.signal
    def end(self) -> None:
        self._over = True

    @workflow.query
    def answers(self) -> list[LockAnswer]:
        return self._answers


class Visit(Model):
    """At whose table, and how many come."""

    table: str
    count: int


class Served(Model):
    """What was granted to each, in the order in which it was."""

    answers: list[LockAnswer]


@workflow.defn(name="Crowd", sandboxed=False)
class Crowd:
    """Stands in for the runs of many pull requests: whoever has its units gives them back at once."""

    def __init__(self) -> None:
        self._granted: list[LockAnswer] = []

    @workflow.run
    async def run(self, visit: Visit) -> Served:
        table = workflow.get_external_workflow_handle(visit.table)
        for served in range(visit.count):
            await workflow.wait_condition(lambda: len(self._granted) > served)  # noqa: B023
            await table.signal("release", ReleaseLocks(holder=self._granted[served].grants[0].holder))
        return Served(answers=self._granted)

    @workflow.signal
    def lock_answer(self, answer: LockAnswer) -> None:
        if answer.granted:
            self._granted.append(answer)

    @workflow.query
    def served(self) -> int:
        return len(self._granted)


class Office:
    """One table of a repository of its own, and who comes to it."""

    def __init__(self, client: Client) -> None:
        self.client = client
        self.repository = Repository(owner="docustack", name=f"locks-{uuid.uuid4().hex[:8]}")
        self.locks = Locks(client)
        self.requesters: list[str] = []

    @property
    def table_handle(self) -> WorkflowHandle[object, object]:
        return self.client.get_workflow_handle(locks_workflow_id(self.repository))

    async def requester(self, name: str) -> str:
        workflow_id = f"{self.repository.name}:{name}"
        await self.client.start_workflow("Requester", id=workflow_id, task_queue=CONTROL_QUEUE)
        self.requesters.append(workflow_id)
        return workflow_id

    async def crowd(self, count: int) -> WorkflowHandle[object, Served]:
        visit = Visit(table=locks_workflow_id(self.repository), count=count)
        handle: WorkflowHandle[object, Served] = await self.client.start_workflow(
            "Crowd", visit, id=f"{self.repository.name}:crowd", task_queue=CONTROL_QUEUE, result_type=Served
        )
        self.requesters.append(handle.id)
        return handle

    def holder(self, number: int) -> str:
        return f"pr:{self.repository.full_name}#{number}"

    def request(self, number: int, *units: str, answer_to: str, name: str = "") -> LockRequest:
        return LockRequest(
            request_id=name or f"{answer_to}:{number}",
            holder=self.holder(number),
            pull_request=number,
            actor="infra-member",
            units=units,
            requested_at=datetime(2026, 1, 1, tzinfo=UTC),
            answer_to=answer_to,
        )

    async def ask(self, request: LockRequest) -> None:
        await ActivityEnvironment().run(
            self.locks.request_locks, RequestLocks(repository=self.repository, request=request)
        )

    async def release(self, number: int, *units: str) -> None:
        await self.table_handle.signal("release", ReleaseLocks(holder=self.holder(number), units=units or None))

    async def table(self) -> LockTable:
        table: LockTable = await self.table_handle.query("table", result_type=LockTable)
        return table

    async def confirm(self, number: int, tokens: dict[str, int]) -> bool:
        grants = ConfirmGrants(holder=self.holder(number), tokens=tokens)
        confirmation = await ActivityEnvironment().run(
            self.locks.confirm_locks, ConfirmLocks(repository=self.repository, grants=grants)
        )
        return confirmation.confirmed

    async def heard(self, requester: str, count: int = 1) -> list[LockAnswer]:
        """All answers so far, once there are so many."""
        handle = self.client.get_workflow_handle(requester)
        async with asyncio.timeout(120):
            while True:
                answers: list[LockAnswer] = await handle.query("answers", result_type=list[LockAnswer])
                if len(answers) >= count:
                    return answers
                await asyncio.sleep(0.05)

    async def until_held(self, *units: str) -> LockTable:
        async with asyncio.timeout(120):
            while set((table := await self.table()).grants) != set(units):
                await asyncio.sleep(0.05)
        return table


@pytest.fixture
async def office(client: Client) -> AsyncIterator[Office]:
    office = Office(client)
    async with Worker(
        client,
        task_queue=CONTROL_QUEUE,
        workflows=[LocksWorkflow, Requester, Crowd],
        activities=[office.locks.find_holdings],
        workflow_runner=sandbox(),
    ):
        yield office
        for workflow_id in [*office.requesters, locks_workflow_id(office.repository)]:
            handle = client.get_workflow_handle(workflow_id)
            if (await handle.describe()).close_time is None:
                await handle.terminate("the test is over")


async def test_a_request_is_answered_with_its_tokens_and_the_next_with_who_is_before_it(office: Office) -> None:
    first, second = await office.requester("first"), await office.requester("second")
    await office.ask(office.request(1, VPC, RDS, answer_to=first))
    tokens = (await office.heard(first))[0].tokens
    assert tokens.keys() == {VPC, RDS}
    assert await office.confirm(1, tokens)
    await office.ask(office.request(2, VPC, CLUSTER, answer_to=second))
    refusal = (await office.heard(second))[0]
    assert not refusal.granted
    assert refusal.position == 1
    assert [(grant.unit, grant.pull_request, grant.actor) for grant in refusal.blocked_by] == [(VPC, 1, "infra-member")]


async def test_a_release_grants_to_who_waits_and_the_old_token_is_worth_nothing(office: Office) -> None:
    first, second = await office.requester("first"), await office.requester("second")
    await office.ask(office.request(1, VPC, answer_to=first))
    old = (await office.heard(first))[0].tokens
    await office.ask(office.request(2, VPC, answer_to=second))
    await office.heard(second)
    await office.release(1)
    answers = await office.heard(second, 2)
    assert answers[1].granted
    assert answers[1].tokens[VPC] > old[VPC]
    assert not await office.confirm(1, old)
    assert not await office.confirm(1, answers[1].tokens)
    assert await office.confirm(2, answers[1].tokens)


async def test_a_request_that_comes_twice_is_answered_twice_the_same(office: Office) -> None:
    requester = await office.requester("first")
    request = office.request(1, VPC, answer_to=requester)
    await office.ask(request)
    await office.ask(request)
    first, second = await office.heard(requester, 2)
    assert first == second


async def test_who_waits_is_told_of_each_new_place_without_asking_again(office: Office) -> None:
    first, second, third = [await office.requester(name) for name in ("first", "second", "third")]
    for number, name in enumerate((first, second, third), 1):
        await office.ask(office.request(number, VPC, answer_to=name))
        await office.heard(name)
    await office.release(1)
    told = (await office.heard(third, 2))[-1]
    assert not told.granted
    assert (told.position, [grant.pull_request for grant in told.blocked_by]) == (1, [2])


async def test_who_withdraws_is_not_waited_for(office: Office) -> None:
    first, second, third = [await office.requester(name) for name in ("first", "second", "third")]
    await office.ask(office.request(1, VPC, answer_to=first))
    await office.ask(office.request(2, VPC, RDS, answer_to=second, name="withdrawn"))
    await office.ask(office.request(3, RDS, answer_to=third))
    assert not (await office.heard(third))[0].granted
    await office.table_handle.signal("withdraw", WithdrawRequest(request_id="withdrawn"))
    assert (await office.heard(third, 2))[1].granted
    assert (await office.table()).queue == []


async def test_a_withdrawal_that_crosses_its_grant_gives_the_units_to_the_next(office: Office) -> None:
    first, second = await office.requester("first"), await office.requester("second")
    await office.ask(office.request(1, VPC, answer_to=first, name="crossed"))
    await office.ask(office.request(2, VPC, answer_to=second))
    await office.heard(second)
    await office.table_handle.signal("withdraw", WithdrawRequest(request_id="crossed"))
    assert (await office.heard(second, 2))[1].granted


async def test_a_requester_that_has_ended_holds_nothing_and_holds_up_nobody(office: Office) -> None:
    first, gone, last = [await office.requester(name) for name in ("first", "gone", "last")]
    await office.ask(office.request(1, VPC, answer_to=first))
    await office.heard(first)
    await office.ask(office.request(2, VPC, answer_to=gone))
    await office.heard(gone)
    await office.ask(office.request(3, VPC, answer_to=last))
    await office.heard(last)
    await office.client.get_workflow_handle(gone).signal("end")
    await office.client.get_workflow_handle(gone).result()
    await office.release(1)
    assert (await office.heard(last, 2))[1].granted
    table = await office.table()
    assert table.grants[VPC].pull_request == 3
    assert table.queue == []


async def test_a_requester_that_had_ended_before_it_asked_leaves_the_unit_free(office: Office) -> None:
    last = await office.requester("last")
    await office.ask(office.request(1, VPC, answer_to="nobody"))
    await office.ask(office.request(2, VPC, answer_to=last))
    assert (await office.heard(last))[0].granted


async def test_nothing_is_lost_when_the_table_continues_as_new_amid_many_requesters(office: Office) -> None:
    count = 24
    requesters = [await office.requester(str(number)) for number in range(count)]
    await office.ask(office.request(99, VPC, answer_to=requesters[0], name="before"))
    run_id = (await office.table_handle.describe()).run_id
    await asyncio.gather(
        *(
            office.ask(office.request(number, *([VPC, RDS] if number % 2 else [VPC]), answer_to=requester))
            for number, requester in enumerate(requesters)
        )
    )
    for number, requester in enumerate(requesters):
        await office.heard(requester, 2 if number == 0 else 1)
    assert (await office.table_handle.describe()).run_id != run_id, "the table was to continue as new"
    table = await office.table()
    assert len(table.queue) == count
    expected = [waiting.pull_request for waiting in table.queue]
    await office.release(99)
    served: list[int] = []
    for _ in range(count):
        while (holder := (await office.table()).grants.get(VPC)) is None or holder.pull_request in served:
            await asyncio.sleep(0.02)
        assert holder.pull_request is not None
        served.append(holder.pull_request)
        await office.release(holder.pull_request)
    assert served == expected, "first come, first served"
    await office.until_held()


async def test_two_hundred_pull_requests_on_twenty_units_all_have_their_turn_and_nothing_stays_held(
    office: Office,
) -> None:
    """They come faster than they are served, forty at a time are there; whoever has its units gives them back."""
    chance, count, there = Random(7), 200, 40
    units = [f"dev/us-east-1/unit-{number:02}" for number in range(20)]
    wanted = {number: tuple(chance.sample(units, chance.randint(1, 3))) for number in range(1, count + 1)}
    crowd = await office.crowd(count)
    async with asyncio.timeout(600):
        for number, names in wanted.items():
            while number > there and await crowd.query("served") < number - there:
                await asyncio.sleep(0.05)
            await office.ask(office.request(number, *names, answer_to=crowd.id))
        served = await crowd.result()
    tokens = {answer.grants[0].pull_request: answer.tokens for answer in served.answers}
    assert {number: set(held) for number, held in tokens.items()} == {number: {*wanted[number]} for number in wanted}
    for unit in units:
        turns = [tokens[number][unit] for number in wanted if unit in wanted[number]]
        assert turns == sorted(turns), f"first come, first served: {unit}"
    assert (await office.until_held()).queue == []


async def test_a_table_that_was_never_asked_confirms_nothing(office: Office) -> None:
    assert not await office.confirm(1, {VPC: 1})
    await office.client.start_workflow(
        "LocksWorkflow",
        LocksStart(repository=office.repository),
        id=locks_workflow_id(office.repository),
        task_queue=CONTROL_QUEUE,
    )


async def test_pull_requests_that_apply_overlapping_units_at_once_have_their_turn_one_by_one(stage: Stage) -> None:
    """Each is applied once the one before it is merged; no two hold one unit, and nothing stays locked."""
    world, count = stage.world, 8
    world.units = {VPC: Unit(), RDS: Unit()}
    for number in range(1, count + 1):
        world.open(number, head=f"{number:040}")
        await stage.send("opened", number=number)
    for number in range(1, count + 1):
        await stage.until_ended(1, number, seconds=240)
    await asyncio.gather(
        *(
            stage.comment(f"terrateam apply {VPC if number % 2 else RDS}", number=number)
            for number in range(1, count + 1)
        )
    )
    locks = stage.client.get_workflow_handle(locks_workflow_id(stage.repository))
    served: list[int] = []
    for done in range(count // 2):
        await stage.until(lambda: len(world.applied) == 2 * (done + 1), f"applies of turn {done + 1}")  # noqa: B023
        table = await locks.query("table", result_type=LockTable)
        holders = {unit: grant.pull_request for unit, grant in table.grants.items()}
        assert {unit: number % 2 for unit, number in holders.items()} == {VPC: 1, RDS: 0}
        served += holders.values()
        for number in holders.values():
            await stage.close(number)
            await asyncio.wait_for(stage.handle(number).result(), 120)
    assert sorted(served) == list(range(1, count + 1))
    assert sorted(world.applied) == sorted([VPC, RDS] * (count // 2))
    table = await locks.query("table", result_type=LockTable)
    assert (table.grants, table.queue) == ({}, [])
