"""Runs without a pull request, through the server: whose they are is told by the token, and one request starts one."""

import asyncio
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import Any

import pytest
from temporalio.client import Client
from temporalio.contrib.pydantic import pydantic_data_converter

from docustack.runs import ManualOrder, Operation
from starter.api_messages import RunCommand
from starter.client import Connection
from starter.found_runs import find_run, read_run
from starter.unfinished_orders import find_unfinished
from tests.integration.doors import LIVE, Api, serving, settings_for
from tests.integration.stand_ins import GitHubStandIn
from tests.workflows.conftest import end_everything
from worker.settings import Settings

REQUEST = "0123456789abcdef" * 2


@pytest.fixture
def settings(temporal: str, github: GitHubStandIn, tmp_path: Path) -> Settings:
    return settings_for(temporal, github, tmp_path).model_copy(update={"repositories": (LIVE,)})


@pytest.fixture
def api(settings: Settings, github: GitHubStandIn) -> Iterator[Api]:
    with serving(settings) as url:
        yield Api(url, github)


@pytest.fixture
async def connection(temporal: str, settings: Settings) -> AsyncIterator[Connection]:
    client = await Client.connect(temporal, data_converter=pydantic_data_converter)
    yield Connection(client, settings)
    await end_everything(client)


def command(**changes: object) -> dict[str, Any]:
    whole = {"request": REQUEST, "repository": LIVE, "operation": "plan", "paths": ["dev/us-east-1/vpc"]}
    return whole | changes


async def test_a_run_is_that_of_the_owner_of_the_token(api: Api, connection: Connection) -> None:
    order = {"ref": "main", "confirmed": True, "targets": ["aws_vpc.main"]}
    status, answer = await api("developer", "POST", "/runs", command(operation="apply", order=order, actor="lead"))
    assert (status, answer["login"]) == (200, "developer")
    detail = await read_run(connection, await find_run(connection, answer["run_id"]))
    run = detail.run
    assert (run.actor, run.operation, run.pull_request) == ("developer", Operation.APPLY, None)
    assert (run.repository, run.directories) == (LIVE, ("dev/us-east-1/vpc",))


async def test_the_same_request_sent_again_starts_one_run(api: Api, connection: Connection) -> None:
    first, again = [await api("developer", "POST", "/runs", command()) for _ in range(2)]
    assert first == again
    others = [
        await api("lead", "POST", "/runs", command()),
        await api("developer", "POST", "/runs", command(paths=["dev"])),
        await api("developer", "POST", "/runs", command(request="f" * 32)),
    ]
    assert len({answer["run_id"] for _, answer in (first, *others)}) == 4


async def test_a_repository_is_called_as_the_server_is_set_up(api: Api, connection: Connection) -> None:
    """Its locks lie under its name: another spelling would meet another table of them."""
    _, answer = await api("developer", "POST", "/runs", command(repository=LIVE.upper()))
    detail = await read_run(connection, await find_run(connection, answer["run_id"]))
    assert detail.run.repository == LIVE


@pytest.mark.parametrize(
    "login,changes,status,told",
    [
        ("outsider", {}, 403, "can't push"),
        ("lead", {"repository": "lead/my-own-rules"}, 404, "doesn't serve"),
        ("lead", {"operation": "unlock"}, 422, "nothing that can be ordered"),
        ("lead", {"operation": "explode"}, 422, "operation"),
        ("lead", {"paths": []}, 422, "at least one path"),
        ("lead", {"paths": ["../etc"]}, 422, "outside of the repository"),
        ("lead", {"order": {"ref": "--upload-pack=x"}}, 422, "no branch"),
        ("lead", {"operation": "import"}, 422, "no address of a resource"),
        ("lead", {"request": "again"}, 422, "request"),
    ],
)
async def test_what_is_no_order_starts_nothing(
    api: Api, connection: Connection, login: str, changes: dict[str, Any], status: int, told: str
) -> None:
    got, answer = await api(login, "POST", "/runs", command(**changes))
    assert got == status, answer
    assert told in answer["error"]
    assert [run async for run in connection.client.list_workflows("ExecutionStatus = 'Running'")] == []


async def test_what_hasnt_ended_is_found_by_the_same_order_of_the_same_person(api: Api, connection: Connection) -> None:
    """Standalone, the same command goes on with it."""
    first, again = command(request="1" * 32, paths=["prod"]), command(request="2" * 32, paths=["prod"])
    _, answer = await api("developer", "POST", "/runs", first)
    wanted = RunCommand.model_validate(again)
    async with asyncio.timeout(60):
        while (found := await find_unfinished(connection, "developer", wanted)) is None:
            await asyncio.sleep(0.05)
    assert found == answer["run_id"]
    assert await find_unfinished(connection, "lead", wanted) is None
    other = wanted.model_copy(update={"order": ManualOrder(ref="main")})
    assert await find_unfinished(connection, "developer", other) is None
    await connection.client.get_workflow_handle(f"run:{found}").terminate()
    async with asyncio.timeout(60):
        while await find_unfinished(connection, "developer", wanted) is not None:
            await asyncio.sleep(0.05)
