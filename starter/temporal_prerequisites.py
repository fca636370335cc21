"""Asks Temporal whether DocuStack can work with it: server, namespace, search attributes, workers."""

import asyncio
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta

from temporalio.api.enums.v1 import IndexedValueType, TaskQueueType
from temporalio.api.taskqueue.v1 import TaskQueue
from temporalio.api.workflowservice.v1 import (
    DescribeNamespaceRequest,
    DescribeTaskQueueRequest,
    GetSystemInfoRequest,
)
from temporalio.client import Client
from temporalio.service import RPCError, RPCStatusCode

from activities.limited_checks import limited
from docustack.prerequisites import CheckStatus, Expected, Prerequisite
from docustack.temporal_prerequisites import TemporalExpectations, worker_of
from starter.client import connect
from starter.exit_codes import CommandFailed
from worker.namespace import SEARCH_ATTRIBUTES, missing_search_attributes
from worker.settings import Settings
from workflows.policies import CONTROL_QUEUE, environment_queue

_WITHIN = timedelta(seconds=10)


def start_temporal(environments: Sequence[str]) -> str:
    """On the first day there is none, and the way to begin needs none."""
    begin = f"docustack --standalone bootstrap {next(iter(environments), 'ENVIRONMENT')}"
    return (
        f"{begin} (begins without an installation), or set DOCUSTACK_TEMPORAL_ADDRESS to that of yours, "
        "or docustack local up (a world to try things on)"
    )


async def check_temporal(settings: Settings, environments: Sequence[str]) -> list[Prerequisite]:
    """The server first; then, with its namespace, all the rest at once."""
    expected = TemporalExpectations(settings.temporal_address, settings.temporal_namespace)
    queues = [None, *environments]
    later = [expected.attributes, *map(worker_of, queues)]
    connected: list[Client] = []
    start = start_temporal(environments)
    server = await limited(expected.server, _check_server(expected, settings, connected, start), start)
    if not connected:
        return [server, *(_after(expected.server, each) for each in (expected.namespace, *later))]
    client = connected[0]
    look = f"temporal operator namespace describe {settings.temporal_namespace} --address {settings.temporal_address}"
    namespace = await limited(expected.namespace, _check_namespace(expected, client), look)
    if namespace.status is CheckStatus.FAILED:
        return [server, namespace, *(_after(expected.namespace, each) for each in later)]
    rest = await asyncio.gather(
        limited(expected.attributes, _check_attributes(expected, client), look),
        *(limited(worker_of(name), _check_worker(expected, client, name), look) for name in queues),
    )
    return [server, namespace, *rest]


def _after(failed: Expected, expected: Expected) -> Prerequisite:
    return expected.skipped(f"not asked: {failed.name} failed")


async def _check_server(
    expected: TemporalExpectations, settings: Settings, connected: list[Client], start: str
) -> Prerequisite:
    try:
        client = (await connect(settings)).client
    except CommandFailed as failure:
        return expected.server.failed(failure.message, start)
    info = await client.workflow_service.get_system_info(GetSystemInfoRequest(), timeout=_WITHIN)
    connected.append(client)
    return expected.server.met(f"Temporal {info.server_version} at {settings.temporal_address}")


async def _check_namespace(expected: TemporalExpectations, client: Client) -> Prerequisite:
    request = DescribeNamespaceRequest(namespace=client.namespace)
    try:
        answer = await client.workflow_service.describe_namespace(request, timeout=_WITHIN)
    except RPCError as error:
        if error.status is RPCStatusCode.NOT_FOUND:
            return expected.no_namespace()
        raise
    return expected.judge_namespace(answer.config.workflow_execution_retention_ttl.ToTimedelta())


async def _check_attributes(expected: TemporalExpectations, client: Client) -> Prerequisite:
    missing = await missing_search_attributes(client)
    return expected.judge_attributes({name: _kind(name) for name in missing}, len(SEARCH_ATTRIBUTES))


def _kind(name: str) -> str:
    """As Temporal's command line calls it: KeywordList."""
    told = IndexedValueType.Name(SEARCH_ATTRIBUTES[name]).removeprefix("INDEXED_VALUE_TYPE_")
    return "".join(word.capitalize() for word in told.split("_"))


async def _check_worker(expected: TemporalExpectations, client: Client, environment: str | None) -> Prerequisite:
    queue = environment_queue(environment) if environment else CONTROL_QUEUE
    kind = TaskQueueType.TASK_QUEUE_TYPE_ACTIVITY if environment else TaskQueueType.TASK_QUEUE_TYPE_WORKFLOW
    request = DescribeTaskQueueRequest(
        namespace=client.namespace, task_queue=TaskQueue(name=queue), task_queue_type=kind
    )
    answer = await client.workflow_service.describe_task_queue(request, timeout=_WITHIN)
    pollers = sorted(answer.pollers, key=lambda poller: poller.last_access_time.ToMicroseconds(), reverse=True)
    if not pollers:
        return expected.judge_worker(environment, [], 0)
    idle = datetime.now(UTC) - pollers[0].last_access_time.ToDatetime(UTC)
    return expected.judge_worker(environment, [poller.identity for poller in pollers], idle.total_seconds())
