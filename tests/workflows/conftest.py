"""A real Temporal dev server, our workflows on it, and the outside world in memory."""

import asyncio
import contextlib
import functools
import uuid
from collections.abc import AsyncIterator, Callable
from datetime import timedelta

import pytest
import pytest_asyncio
from temporalio.client import Client, WorkflowHandle
from temporalio.common import WorkflowIDConflictPolicy
from temporalio.contrib.pydantic import pydantic_data_converter
from temporalio.service import RPCError, RPCStatusCode
from temporalio.worker import Worker, WorkflowRunner

from docustack.events import EVENT_SIGNAL, PullRequestEvent, pull_request_workflow_id
from docustack.pull_request_state import PullRequestStart, PullRequestState
from tests.dev_server import address, dev_server
from tests.workflows.fakes import CONFIGURATION, REPOSITORY, Unit, World
from worker.wiring import WORKFLOWS, workflow_runner
from workflows.policies import CONTROL_QUEUE, environment_queue, host_queue


@pytest_asyncio.fixture(scope="session", loop_scope="session")
async def temporal_server() -> AsyncIterator[str]:
    """One server for all; each test has a repository of its own."""
    settings = (
        "limit.historyCount.suggestContinueAsNew=50",
        'history.workflowIdReuseMinimalInterval="10ms"',
        # Two workflows that signal each other at once each wait for the other's lock: half a second by default, after
        # which the signals are put off for seconds more.
        'history.cacheNonUserContextLockTimeout="20ms"',
    )
    async with dev_server(*settings) as environment:
        yield address(environment)


@pytest.fixture
async def client(temporal_server: str) -> Client:
    """A client of the test's own event loop."""
    return await Client.connect(temporal_server, data_converter=pydantic_data_converter)


HEARTBEATS_SENT_EVERY = timedelta(seconds=0.2)
"""Sooner than in earnest: a cancellation arrives with the answer to one."""


class Stage:
    """One pull request's life, driven by events as GitHub would send them."""

    def __init__(self, client: Client, world: World) -> None:
        self.client = client
        self.world = world
        self.repository = REPOSITORY.model_copy(update={"name": f"live-{uuid.uuid4().hex[:8]}"})
        self.deliveries = 0
        self.comments = 0

    async def send(self, kind: str, *, number: int = 1, sender: str = "developer", **fields: object) -> None:
        self.deliveries += 1
        known = {"delivery_id": f"delivery-{self.deliveries}", "kind": kind, "repository": self.repository}
        event = PullRequestEvent.model_validate({**known, "number": number, "sender": sender, **fields})
        await self.client.start_workflow(
            "PullRequestWorkflow",
            PullRequestStart(repository=self.repository, number=number),
            id=pull_request_workflow_id(self.repository, number),
            task_queue=CONTROL_QUEUE,
            id_conflict_policy=WorkflowIDConflictPolicy.USE_EXISTING,
            start_signal=EVENT_SIGNAL,
            start_signal_args=[event],
        )

    async def planned(self, units: dict[str, Unit], *, author: str = "developer") -> None:
        """Pull request 1, opened by its author and planned."""
        self.world.units = units
        self.world.open(author=author)
        await self.send("opened", sender=author)
        await self.until_ended(1)

    async def comment(self, body: str, *, sender: str = "infra-member", number: int = 1) -> int:
        self.comments += 1
        await self.send("comment_created", sender=sender, number=number, comment_id=self.comments, comment_body=body)
        return self.comments

    async def push(self, head: str, number: int = 1) -> None:
        self.world.change(number, head_commit=head)
        await self.send("synchronize", number=number, head_commit=head)

    async def close(self, number: int = 1, *, merged: bool = True) -> None:
        self.world.change(number, state="closed", merged=merged, closed_at=self.world.now())
        await self.send("closed", number=number, merged=merged)

    async def merge(self, commit: str, number: int = 1, *, by: str = "developer") -> None:
        """As GitHub tells it: with the commit by which it came into the base branch, and by whom."""
        self.world.change(number, merge_commit=commit, merged_by=by)
        await self.close(number)

    def handle(self, number: int = 1) -> WorkflowHandle[object, object]:
        return self.client.get_workflow_handle(pull_request_workflow_id(self.repository, number))

    async def state(self, number: int = 1) -> PullRequestState:
        """Asked again while Temporal has no answer: on a busy machine a workflow task may run out of its time once."""
        async with asyncio.timeout(120):
            while True:
                try:
                    state: PullRequestState = await self.handle(number).query("show", result_type=PullRequestState)
                except RPCError as error:
                    if error.status is not RPCStatusCode.FAILED_PRECONDITION:
                        raise
                    await asyncio.sleep(0.2)
                else:
                    return state

    async def until(self, true: Callable[[], bool], what: str = "", seconds: float = 120) -> None:
        """Wait for something to become so, and say what was waited for when it doesn't."""
        try:
            async with asyncio.timeout(seconds):
                while not true():
                    await asyncio.sleep(0.02)
        except TimeoutError:
            said = "\n---\n".join(comment.body for comment in self.world.comments)
            raise AssertionError(f"waited in vain for {what or true}; comments:\n{said}") from None

    async def until_ended(self, runs: int, number: int = 1, seconds: float = 120) -> PullRequestState:
        """Wait until so many runs have ended and none is left."""
        async with asyncio.timeout(seconds):
            while len((await self.state(number)).runs) < runs:
                await asyncio.sleep(0.1)
        return await self.until_idle(number, seconds)

    async def until_idle(self, number: int = 1, seconds: float = 120) -> PullRequestState:
        """Wait until no run is active or waits."""
        async with asyncio.timeout(seconds):
            while True:
                state = await self.state(number)
                if state.active is None and not state.inbox and not state.superseded and not state.queue:
                    return state
                await asyncio.sleep(0.1)


@pytest.fixture
async def stage(client: Client) -> AsyncIterator[Stage]:
    world = World({})
    async with workers(client, world):
        yield Stage(client, world)
        await end_everything(client)


@contextlib.asynccontextmanager
async def workers(client: Client, world: World, runner: WorkflowRunner | None = None) -> AsyncIterator[None]:
    async with control_worker(client, world, runner), environment_workers(client, world):
        yield


@functools.cache
def sandbox() -> WorkflowRunner:
    """The worker's own, loaded once for all tests of a process, as it is for all runs of a worker."""
    return workflow_runner()


def control_worker(client: Client, world: World, runner: WorkflowRunner | None = None) -> Worker:
    """The one that runs the workflows."""
    return Worker(
        client,
        task_queue=CONTROL_QUEUE,
        workflows=WORKFLOWS,
        activities=world.activities(client),
        workflow_runner=runner or sandbox(),
        max_cached_workflows=500,
        max_heartbeat_throttle_interval=HEARTBEATS_SENT_EVERY,
    )


@contextlib.asynccontextmanager
async def environment_workers(client: Client, world: World) -> AsyncIterator[None]:
    """Those that run Terragrunt, here one an environment, and what only this host can do."""
    queues = [environment_queue(name) for name in CONFIGURATION.environments]
    queues += [host_queue(queue, "here") for queue in (CONTROL_QUEUE, *queues)]
    async with contextlib.AsyncExitStack() as stack:
        for queue in queues:
            worker = Worker(
                client,
                task_queue=queue,
                activities=world.activities(client),
                max_heartbeat_throttle_interval=HEARTBEATS_SENT_EVERY,
            )
            await stack.enter_async_context(worker)
        yield


async def end_everything(client: Client) -> None:
    """The next test begins with no workflow of this one's."""
    async for execution in client.list_workflows("ExecutionStatus = 'Running'"):
        with contextlib.suppress(Exception):
            await client.get_workflow_handle(execution.id, run_id=execution.run_id).terminate("the test is over")
