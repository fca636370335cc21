"""Looks into the local world's Temporal: which workflows there are, how long their histories, what they answer."""

import asyncio
from collections.abc import Awaitable, Callable
from datetime import datetime
from typing import TypeVar

from pydantic import BaseModel
from temporalio.api.enums.v1 import PendingActivityState
from temporalio.client import Client
from temporalio.contrib.pydantic import pydantic_data_converter
from temporalio.service import RPCError, RPCStatusCode

from local.status import Status

T = TypeVar("T")


class Workflow(BaseModel):
    """One execution, as Temporal's own UI lists it."""

    id: str
    run_id: str
    kind: str
    status: str  # RUNNING, COMPLETED, …
    events: int
    started_at: datetime


class Work(BaseModel):
    """One activity."""

    kind: str
    queue: str
    process: int = 0  # of the worker that did it in the end; 0: none has, or not yet


class Grant(BaseModel):
    """One unit locked, as the table of locks tells it."""

    unit: str
    pull_request: int


class LockTable(BaseModel):
    grants: dict[str, Grant] = {}


class Histories:
    """Each call connects anew: a restarted server is no concern of who asks."""

    def __init__(self, status: Status) -> None:
        self._address = status.temporal.address
        self._namespace = status.temporal.namespace
        self._locks = f"locks:{status.github.owner}/{status.github.repository}"

    async def connect(self) -> Client:
        """A client for everything else."""
        return await Client.connect(self._address, namespace=self._namespace, data_converter=pydantic_data_converter)

    def workflows(self) -> list[Workflow]:
        """All executions, the oldest first; the counts are those of the histories now."""

        async def read(client: Client) -> list[Workflow]:
            found = []
            async for execution in client.list_workflows():
                described = await client.get_workflow_handle(execution.id, run_id=execution.run_id).describe()
                found.append(
                    Workflow(
                        id=described.id,
                        run_id=described.run_id,
                        kind=described.workflow_type,
                        status=described.status.name if described.status else "",
                        events=described.history_length,
                        started_at=described.start_time,
                    )
                )
            return sorted(found, key=lambda workflow: workflow.started_at)

        return self._ask(read)

    def runs_of(self, number: int) -> list[str]:
        """The ids of a pull request's runs, the oldest first."""

        async def read(client: Client) -> list[str]:
            query = f"WorkflowType = 'RunWorkflow' AND DocustackPullRequest = {number}"
            found = [(each.start_time, each.id) async for each in client.list_workflows(query)]
            return [workflow_id for _, workflow_id in sorted(found)]

        return self._ask(read)

    def work_of(self, workflow_id: str) -> list[Work]:
        """The activities that a workflow has had done, in the order in which it asked for them."""

        async def read(client: Client) -> list[Work]:
            found: dict[int, Work] = {}
            async for event in client.get_workflow_handle(workflow_id).fetch_history_events():
                scheduled = event.activity_task_scheduled_event_attributes
                started = event.activity_task_started_event_attributes
                if scheduled.activity_id:
                    found[event.event_id] = Work(kind=scheduled.activity_type.name, queue=scheduled.task_queue.name)
                elif started.scheduled_event_id:
                    found[started.scheduled_event_id].process = int(started.identity.partition("@")[0])
            return list(found.values())

        return self._ask(read)

    def attempts_of(self, workflow_id: str, kind: str, *, begun: bool = False) -> int:
        """The number of the present attempt of an activity that is asked for and not done; 0 where there is none."""

        async def read(client: Client) -> int:
            described = await client.get_workflow_handle(workflow_id).describe()
            works = PendingActivityState.PENDING_ACTIVITY_STATE_STARTED
            pending = [each for each in described.raw_description.pending_activities if each.activity_type.name == kind]
            return max((each.attempt for each in pending if not begun or each.state == works), default=0)

        return self._ask(read)

    def locked_units(self) -> dict[str, int]:
        """The number of the holding pull request by unit; empty also where nobody ever asked for a lock."""

        async def read(client: Client) -> dict[str, int]:
            try:
                table = await client.get_workflow_handle(self._locks).query("table", result_type=LockTable)
            except RPCError as error:
                if error.status is RPCStatusCode.NOT_FOUND:
                    return {}
                raise
            return {unit: grant.pull_request for unit, grant in table.grants.items()}

        return self._ask(read)

    def _ask(self, question: Callable[[Client], Awaitable[T]]) -> T:
        async def ask() -> T:
            return await question(await self.connect())

        return asyncio.run(ask())
