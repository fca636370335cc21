"""Many pull requests at once through the whole engine, against a bare workflow with as many trivial activities."""

import asyncio
import contextlib
import hashlib
import hmac
import json
import shutil
import time
import uuid
from collections.abc import AsyncIterator, Sequence
from statistics import quantiles

import httpx
from rich.console import Console
from starlette.applications import Starlette
from starlette.routing import Route
from temporalio.client import Client
from temporalio.contrib.pydantic import pydantic_data_converter
from temporalio.worker import Worker

from bench.bare_workflow import BareWorkflow, Many, trivial
from bench.figures import Found
from bench.instant_world import HERE, UNITS, InstantWorld
from local import processes, temporal_server
from local.places import DEFAULT_DATA_DIR, ROOT, tool
from local.state import HOST, free_ports
from local.waiting import wait_for
from starter.webhooks import Webhooks
from worker.namespace import register_search_attributes
from worker.wiring import WORKFLOWS, workflow_runner
from workflows.policies import CONTROL_QUEUE, environment_queue, host_queue

PULL_REQUESTS = 200
_WARM_UP = 10
_SECRET = "a secret between the load and the server"  # noqa: S105  # both ends of it are in this process
_BARE_QUEUE = "bare"
_LIMIT = 600.0


def measure_engine(console: Console, pull_requests: int = PULL_REQUESTS) -> Found:
    """Pull requests planned a second, over bare workflows a second; on one Temporal server, in one process, in turn."""
    return asyncio.run(_measure(console, pull_requests))


async def _measure(console: Console, pull_requests: int) -> Found:
    async with _temporal() as address:
        client = await Client.connect(address, data_converter=pydantic_data_converter)
        await register_search_attributes(client)
        world = InstantWorld()
        async with _workers(client, world):
            load = _Load(client, world)
            await load.plan(range(1, _WARM_UP + 1))
            activities = round(world.calls.total() / _WARM_UP)
            await load.bare(_WARM_UP, activities)
            half = pull_requests // 2  # one before and one after: a machine that is slower for a while slows both
            bare = await load.bare(half, activities)
            took, waited = await load.plan(range(_WARM_UP + 1, _WARM_UP + pull_requests + 1))
            bare += await load.bare(pull_requests - half, activities)
    slowest = quantiles(waited, n=20)[-1]
    return Found(
        bare / took,
        {
            "pull requests": f"{pull_requests} of {len(UNITS)} units in {took:.1f} s: {pull_requests / took:.1f}/s",
            "webhook accepted to last plan comment": f"p95 {slowest:.1f} s, all of them opened at once",
            "bare workflows": f"as many of {activities} activities in {bare:.1f} s: {pull_requests / bare:.1f}/s",
        },
    )


@contextlib.asynccontextmanager
async def _temporal() -> AsyncIterator[str]:
    """A server of its own, on a database of its own."""
    folder = DEFAULT_DATA_DIR / "bench-engine"
    shutil.rmtree(folder, ignore_errors=True)
    ports = free_ports(["temporal", "temporal-http", "temporal-metrics", "temporal-ui"])
    executable = tool("temporal")
    assert executable is not None
    command = temporal_server.command(executable, HOST, ports, folder)
    server = processes.start(command, environment={}, directory=ROOT, log=folder / "temporal.log")
    url = f"http://{HOST}:{ports['temporal-http']}"
    try:
        await asyncio.to_thread(wait_for, lambda: temporal_server.is_ready(url), "Temporal", 60)
        yield f"{HOST}:{ports['temporal']}"
    finally:
        await asyncio.to_thread(processes.stop, server)


@contextlib.asynccontextmanager
async def _workers(client: Client, world: InstantWorld) -> AsyncIterator[None]:
    """As `worker.wiring` makes them, with the world's activities; and one as anybody makes it for the bare workflow."""
    elsewhere = [host_queue(CONTROL_QUEUE, HERE), environment_queue("dev"), host_queue(environment_queue("dev"), HERE)]
    async with contextlib.AsyncExitStack() as stack:
        for worker in (
            Worker(
                client,
                task_queue=CONTROL_QUEUE,
                workflows=WORKFLOWS,
                activities=world.activities(),
                workflow_runner=workflow_runner(),
            ),
            *(Worker(client, task_queue=queue, activities=world.activities()) for queue in elsewhere),
            Worker(client, task_queue=_BARE_QUEUE, workflows=[BareWorkflow], activities=[trivial]),
        ):
            await stack.enter_async_context(worker)
        yield


class _Load:
    """What comes in."""

    def __init__(self, client: Client, world: InstantWorld) -> None:
        self._client = client
        self._world = world
        webhooks = Webhooks(client, secret=_SECRET, bot_login="docustack[bot]")
        app = Starlette(routes=[Route("/webhooks/github", webhooks.receive, methods=["POST"])])
        self._http = httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://server")

    async def plan(self, numbers: Sequence[int]) -> tuple[float, list[float]]:
        """Open pull requests, all at once: seconds until all runs have ended, and from webhook to last plan of each."""
        began = time.monotonic()
        accepted = dict(zip(numbers, await asyncio.gather(*(self._open(number) for number in numbers)), strict=True))
        await self._world.until_planned(numbers)
        await self._until_nothing_runs()
        took = time.monotonic() - began
        return took, [self._world.planned_at[number] - accepted[number] for number in numbers]

    async def _until_nothing_runs(self) -> None:
        """Checks and messages after the last comment are work of these pull requests too."""
        async with asyncio.timeout(_LIMIT):
            while await self._running():  # noqa: ASYNC110  # Temporal is asked until it says so
                await asyncio.sleep(0.1)

    async def _running(self) -> int:
        found = await self._client.count_workflows("WorkflowType = 'RunWorkflow' AND ExecutionStatus = 'Running'")
        return found.count

    async def _open(self, number: int) -> float:
        body = json.dumps(_opened(number)).encode()
        response = await self._http.post(
            "/webhooks/github",
            content=body,
            headers={
                "Content-Type": "application/json",
                "X-GitHub-Delivery": f"delivery-{number}",
                "X-GitHub-Event": "pull_request",
                "X-Hub-Signature-256": "sha256=" + hmac.new(_SECRET.encode(), body, hashlib.sha256).hexdigest(),
            },
        )
        response.raise_for_status()
        return time.monotonic()

    async def bare(self, count: int, activities: int) -> float:
        """Start as many bare workflows, all at once: seconds until all have ended."""
        began = time.monotonic()
        await asyncio.gather(
            *(
                self._client.execute_workflow(
                    BareWorkflow.run, Many(activities=activities), id=f"bare:{uuid.uuid4()}", task_queue=_BARE_QUEUE
                )
                for _ in range(count)
            )
        )
        return time.monotonic() - began


def _opened(number: int) -> dict[str, object]:
    """The fields of GitHub's event that are read."""
    repository = {"name": "docustack-infrastructure-live", "owner": {"login": "docustack"}}
    return {
        "action": "opened",
        "repository": repository,
        "sender": {"login": "developer", "type": "User"},
        "pull_request": {
            "number": number,
            "title": "Add new service",
            "html_url": f"https://github.example/pull/{number}",
            "user": {"login": "developer", "type": "User"},
            "draft": False,
            "merged": False,
            "head": {"sha": "a" * 40, "ref": "feature", "repo": repository},
            "base": {"sha": "b" * 40, "ref": "main", "repo": repository},
        },
    }
