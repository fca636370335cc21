"""The server's API: who asks is verified by GitHub, what is sent is bounded, and what is wrong is said in JSON."""

import contextlib
import logging
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import httpx
import pytest
from pydantic import SecretStr
from starlette.applications import Starlette
from starlette.routing import Route
from temporalio.service import RPCError, RPCStatusCode

from docustack.model import Model, Nothing
from docustack.repository import Repository
from starter.api import BODY_LIMIT, Call, api_route
from starter.api_refusals import ApiRefused
from starter.exit_codes import CommandFailed, ExitCode
from starter.server import create_app
from tests.integration.stand_ins import OWNER, REPOSITORY, GitHubStandIn
from worker.settings import Settings
from worker.temporal_client import connect_temporal

LIVE = Repository(owner=OWNER, name=REPOSITORY)


@pytest.fixture(autouse=True)
def _no_faults(github: GitHubStandIn) -> Iterator[None]:
    yield
    github.control("DELETE", "faults")


@contextlib.asynccontextmanager
async def served(github: GitHubStandIn, folder: Path, *routes: Route) -> AsyncIterator[httpx.AsyncClient]:
    """The server without Temporal; `routes` come before its own."""
    settings = Settings(
        temporal_address="127.0.0.1:9",
        webhook_secret=SecretStr("a-webhook-secret"),
        bot_login="docustack[bot]",
        github_api_url=github.url,
        data_dir=folder,
        host="test",
    )
    app: Starlette = create_app(lambda: connect_temporal(settings, lazy=True), settings)
    app.router.routes[:0] = routes
    transport = httpx.ASGITransport(app, raise_app_exceptions=False)
    async with app.router.lifespan_context(app), httpx.AsyncClient(transport=transport, base_url="http://x") as client:
        yield client


@pytest.fixture
async def server(github: GitHubStandIn, tmp_path: Path) -> AsyncIterator[httpx.AsyncClient]:
    async with served(github, tmp_path) as client:
        yield client


def as_(github: GitHubStandIn, login: str) -> dict[str, str]:
    return {"authorization": f"Bearer {github.token(login)}"}


async def test_everybody_is_who_github_says(server: httpx.AsyncClient, github: GitHubStandIn) -> None:
    for login in ("developer", "lead", "outsider"):
        response = await server.get("/api/person", headers=as_(github, login))
        assert (response.status_code, response.json()) == (200, {"login": login})


@pytest.mark.parametrize("headers", [{}, {"authorization": "Bearer ghp_thisIsNobodysTokenAtAll00"}])
async def test_who_is_not_known_is_told_what_to_send(server: httpx.AsyncClient, headers: dict[str, str]) -> None:
    response = await server.get("/api/person", headers=headers)
    assert response.status_code == 401
    assert response.json().keys() == {"error", "what_to_do", "refusal"}
    assert "www-authenticate" in response.headers


async def test_the_bot_is_not_a_person(server: httpx.AsyncClient, github: GitHubStandIn) -> None:
    response = await server.get("/api/person", headers=as_(github, "docustack[bot]"))
    assert response.status_code == 403


async def test_while_github_is_away_nobody_is_let_in(server: httpx.AsyncClient, github: GitHubStandIn) -> None:
    github.fault(kind="server_error", path="/user", times=1)
    response = await server.get("/api/person", headers=as_(github, "lead"))
    assert response.status_code == 503
    assert int(response.headers["retry-after"]) > 0
    assert (await server.get("/api/person", headers=as_(github, "lead"))).status_code == 200


async def test_a_token_is_in_no_log_and_no_answer(
    server: httpx.AsyncClient, github: GitHubStandIn, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    answers = [await server.get("/api/person", headers=as_(github, "lead"))]
    github.fault(kind="server_error", path="/user", times=1)
    answers.append(await server.get("/api/person", headers=as_(github, "developer")))
    logged = "\n".join(record.getMessage() for record in caplog.records)
    for login in ("lead", "developer"):
        assert github.token(login) not in logged
        assert all(github.token(login) not in answer.text for answer in answers)
    assert "login='lead' method='GET' path='/api/person' status=200" in logged


async def test_what_is_not_there_is_told_in_json_too(server: httpx.AsyncClient) -> None:
    for method, path in (("GET", "/api/nothing"), ("POST", "/api/person"), ("DELETE", "/api/")):
        response = await server.request(method, path)
        assert response.status_code == 404
        assert response.json().keys() == {"error", "what_to_do", "refusal"}


# ---- what every endpoint gets from `api_route` -----------------------------------------------------------------------


class Order(Model):
    unit: str
    how_often: int = 1


class Done(Model):
    by: str
    order: Order
    where: str


async def change(call: Call, order: Order) -> Done:
    await call.require_push(LIVE)
    return Done(by=call.login, order=order, where=call.parameters["where"])


@pytest.fixture
async def changing(github: GitHubStandIn, tmp_path: Path) -> AsyncIterator[httpx.AsyncClient]:
    async with served(github, tmp_path, api_route("POST", "/api/change/{where}", Order, change)) as client:
        yield client


async def test_an_endpoint_knows_who_asks_for_what(changing: httpx.AsyncClient, github: GitHubStandIn) -> None:
    response = await changing.post("/api/change/dev", json={"unit": "vpc", "new": 1}, headers=as_(github, "developer"))
    assert response.status_code == 200
    assert response.json() == {"by": "developer", "order": {"unit": "vpc", "how_often": 1}, "where": "dev"}
    assert response.headers["cache-control"] == "no-store"


async def test_who_can_not_push_changes_nothing(changing: httpx.AsyncClient, github: GitHubStandIn) -> None:
    response = await changing.post("/api/change/dev", json={"unit": "vpc"}, headers=as_(github, "outsider"))
    assert response.status_code == 403
    assert "@outsider can't push" in response.json()["error"]


async def test_who_is_asking_comes_before_what(changing: httpx.AsyncClient) -> None:
    assert (await changing.post("/api/change/dev", content=b"{")).status_code == 401


@pytest.mark.parametrize("body", [b"", b"{", b"[]", b"\xff", b'{"unit": 1}', b'{"unit": "x", "how_often": "often"}'])
async def test_a_body_of_another_shape_is_told_what_is_wrong(
    changing: httpx.AsyncClient, github: GitHubStandIn, body: bytes
) -> None:
    response = await changing.post("/api/change/dev", content=body, headers=as_(github, "lead"))
    assert response.status_code == 422
    assert response.json().keys() == {"error", "what_to_do", "refusal"}


async def test_a_body_that_is_too_large_is_refused(changing: httpx.AsyncClient, github: GitHubStandIn) -> None:
    response = await changing.post("/api/change/dev", content=b" " * (BODY_LIMIT + 1), headers=as_(github, "lead"))
    assert response.status_code == 413


@pytest.mark.parametrize(
    "problem,status",
    [
        (ApiRefused(409, "It has ended."), 409),
        (CommandFailed("There is no run.", "See `runs list`.", code=ExitCode.NOT_FOUND), 404),
        (CommandFailed("No worker.", code=ExitCode.UNREACHABLE), 503),
        (RPCError("gone", RPCStatusCode.NOT_FOUND, b""), 404),
        (RPCError("away", RPCStatusCode.UNAVAILABLE, b""), 503),
        (ZeroDivisionError("broken inside"), 500),
    ],
)
async def test_whatever_goes_wrong_is_a_status_and_a_sentence(
    github: GitHubStandIn, tmp_path: Path, problem: Exception, status: int
) -> None:
    async def fail(_: Call, __: Nothing) -> Nothing:
        raise problem

    async with served(github, tmp_path, api_route("POST", "/api/fails", Nothing, fail)) as client:
        response = await client.post("/api/fails", headers=as_(github, "lead"))
    assert response.status_code == status
    assert response.json()["error"]
    assert "broken inside" not in response.text
