"""A cancellation comes with the answer to a heartbeat, and people wait for it."""

import asyncio
import contextlib
import time
import uuid
from datetime import timedelta

import pytest
from temporalio import activity, workflow
from temporalio.client import Client, WorkflowFailureError
from temporalio.worker import Worker
from temporalio.workflow import ActivityCancellationType

from activities.unit_work import heartbeating
from worker.settings import Settings
from worker.wiring import Activities, make_workers
from workflows.policies import HEARTBEAT_TIMEOUT, environment_queue

QUEUE = "heartbeats"


@workflow.defn(name="Planning", sandboxed=False)
class Planning:
    """Waits for a plan, and for the end of a cancelled one."""

    @workflow.run
    async def run(self) -> None:
        await workflow.execute_activity(
            "plan_for_good",
            task_queue=environment_queue("dev"),
            start_to_close_timeout=timedelta(minutes=5),
            heartbeat_timeout=HEARTBEAT_TIMEOUT,
            cancellation_type=ActivityCancellationType.WAIT_CANCELLATION_COMPLETED,
        )


async def test_a_plan_that_is_cancelled_hears_of_it_long_before_a_heartbeat_would_be_missed(client: Client) -> None:
    begun = asyncio.Event()

    @activity.defn
    async def plan_for_good() -> None:
        async with heartbeating(lambda: None):
            begun.set()
            await asyncio.Event().wait()

    async def sweep() -> None:
        pass

    settings = Settings(control_queue=False, environments=("dev",), host="heartbeats")
    activities = Activities(control=(), environment=[plan_for_good], everywhere=(), sweep=sweep)
    async with contextlib.AsyncExitStack() as stack:
        for worker in make_workers(settings, client, activities):
            await stack.enter_async_context(worker)
        await stack.enter_async_context(Worker(client, task_queue=QUEUE, workflows=[Planning]))
        handle = await client.start_workflow("Planning", id=f"planning:{uuid.uuid4().hex}", task_queue=QUEUE)
        await begun.wait()
        cancelled_at = time.monotonic()
        await handle.cancel()
        with pytest.raises(WorkflowFailureError):
            await handle.result()
    assert time.monotonic() - cancelled_at < 0.6 * HEARTBEAT_TIMEOUT.total_seconds()
