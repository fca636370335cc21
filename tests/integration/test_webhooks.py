"""The web server: an event is accepted once Temporal has it, and everything else gets the right refusal."""

import asyncio
import contextlib
import hashlib
import hmac
import json
import logging
import os
import signal
import socket
import subprocess
import sys
import time
import uuid
from collections.abc import AsyncIterator, Iterator
from datetime import timedelta
from pathlib import Path

import httpx
import pytest
from pydantic import SecretStr
from starlette.applications import Starlette
from temporalio import workflow
from temporalio.client import Client, WorkflowHandle
from temporalio.common import SearchAttributePair, TypedSearchAttributes
from temporalio.contrib.pydantic import pydantic_data_converter
from temporalio.worker import UnsandboxedWorkflowRunner, Worker

from docustack.base_moves import BaseMoved
from docustack.events import PullRequestEvent
from docustack.pull_request_state import PullRequestStart
from docustack.repository import Repository
from starter.logs import is_shown
from starter.server import create_app
from starter.webhooks import BODY_LIMIT
from tests.unit.test_webhook_events import HEAD, comment_event, pull_request_event, push_event, review_event
from worker.namespace import register_search_attributes
from worker.settings import Settings
from worker.temporal_client import connect_temporal
from workflows import search_attributes

ROOT = Path(__file__).resolve().parents[2]
TEMPORAL = str(ROOT / ".venv/bin/temporal")
SECRET = "a-webhook-secret"


@workflow.defn(name="PullRequestWorkflow")
class Recorder:
    """Stands where the real one would, and keeps what it is told."""

    def __init__(self) -> None:
        self._events: list[PullRequestEvent] = []
        self._moves: list[BaseMoved] = []
        self._ended = False

    @workflow.run
    async def run(self, start: PullRequestStart) -> PullRequestStart:
        await workflow.wait_condition(lambda: self._ended)
        return start

    @workflow.signal
    def github_event(self, event: PullRequestEvent) -> None:
        self._events.append(event)

    @workflow.signal
    def base_moved(self, moved: BaseMoved) -> None:
        self._moves.append(moved)

    @workflow.query
    def moves(self) -> list[BaseMoved]:
        return self._moves

    @workflow.signal
    def end(self) -> None:
        self._ended = True

    @workflow.query
    def events(self) -> list[PullRequestEvent]:
        return self._events


@pytest.fixture(scope="module")
def temporal_address() -> Iterator[str]:
    """A dev server for this module; tests tell their pull requests apart by repository."""
    with socket.create_server(("127.0.0.1", 0)) as free:
        address = f"127.0.0.1:{free.getsockname()[1]}"
    command = [
        TEMPORAL,
        "server",
        "start-dev",
        "--headless",
        "--port",
        address.partition(":")[2],
        "--log-level",
        "never",
    ]
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL)
    try:
        asyncio.run(_answers(address))
        yield address
    finally:
        process.terminate()
        process.wait(timeout=120)


async def _answers(address: str) -> None:
    until = time.monotonic() + 30
    while True:
        with contextlib.suppress(RuntimeError):
            client = await Client.connect(address)
            if await client.service_client.check_health(timeout=timedelta(seconds=1)):
                return
        assert time.monotonic() < until, "the Temporal dev server doesn't answer"
        await asyncio.sleep(0.1)


@pytest.fixture
async def temporal(temporal_address: str) -> AsyncIterator[Client]:
    client = await Client.connect(temporal_address, data_converter=pydantic_data_converter)
    await register_search_attributes(client)
    worker = Worker(client, task_queue="docustack", workflows=[Recorder], workflow_runner=UnsandboxedWorkflowRunner())
    async with worker:
        yield client


def settings_for(address: str, folder: Path, **changes: object) -> Settings:
    settings = Settings(
        temporal_address=address,
        webhook_secret=SecretStr(SECRET),
        bot_login="docustack[bot]",
        data_dir=folder,
        host="test",
    )
    return settings.model_copy(update=changes)


@contextlib.asynccontextmanager
async def served(app: Starlette) -> AsyncIterator[httpx.AsyncClient]:
    transport = httpx.ASGITransport(app, raise_app_exceptions=False)
    async with app.router.lifespan_context(app), httpx.AsyncClient(transport=transport, base_url="http://x") as client:
        yield client


@pytest.fixture
async def server(temporal: Client, temporal_address: str, tmp_path: Path) -> AsyncIterator[httpx.AsyncClient]:
    async def connect() -> Client:
        return temporal

    async with served(create_app(connect, settings_for(temporal_address, tmp_path))) as client:
        yield client


@pytest.fixture
async def alone(tmp_path: Path) -> AsyncIterator[httpx.AsyncClient]:
    """A server whose Temporal is not there."""
    with socket.create_server(("127.0.0.1", 0)) as taken:
        address = f"127.0.0.1:{taken.getsockname()[1]}"
    settings = settings_for(address, tmp_path)
    async with served(create_app(lambda: connect_temporal(settings, lazy=True), settings)) as client:
        yield client


def signed(body: bytes, secret: str = SECRET) -> str:
    return "sha256=" + hmac.new(secret.encode(), body, hashlib.sha256).hexdigest()


def headers_for(body: bytes, event: str = "pull_request", **changes: str | None) -> dict[str, str]:
    headers: dict[str, str | None] = {
        "content-type": "application/json",
        "x-github-event": event,
        "x-github-delivery": str(uuid.uuid4()),
        "x-hub-signature-256": signed(body),
    }
    headers |= {name.replace("_", "-"): value for name, value in changes.items()}
    return {name: value for name, value in headers.items() if value is not None}


async def deliver(
    server: httpx.AsyncClient, content: object, event: str = "pull_request", **changes: str | None
) -> httpx.Response:
    body = content if isinstance(content, bytes) else json.dumps(content).encode()
    return await server.post("/webhooks/github", content=body, headers=headers_for(body, event, **changes))


def in_repository(content: dict[str, object], name: str) -> dict[str, object]:
    return content | {"repository": {"name": name, "owner": {"login": "docustack"}}}


async def events_of(handle: "WorkflowHandle[Recorder, PullRequestStart]") -> list[PullRequestEvent]:
    return await handle.query(Recorder.events)


# ---- accepted --------------------------------------------------------------------------------------------------------


async def test_the_first_event_starts_the_workflow_and_the_next_ones_are_signalled(
    server: httpx.AsyncClient, temporal: Client
) -> None:
    contents = [
        ("pull_request", pull_request_event("opened")),
        ("issue_comment", comment_event()),
        ("pull_request_review", review_event("submitted", "approved")),
    ]
    for event, content in contents:
        response = await deliver(server, in_repository(content, "first"), event)
        assert response.status_code == 202
        assert response.json() == {"decision": "accepted", "workflow": "pr:docustack/first#7"}
    handle = temporal.get_workflow_handle_for(Recorder.run, "pr:docustack/first#7")
    events = await events_of(handle)
    assert [event.kind for event in events] == ["opened", "comment_created", "review_submitted"]
    assert events[1].comment_body == "terrateam apply"
    await handle.signal(Recorder.end)
    start = await handle.result()
    assert (start.repository.full_name, start.number) == ("docustack/first", 7)


async def test_a_push_is_told_to_the_open_pull_requests_into_that_branch_and_to_no_others(
    server: httpx.AsyncClient, temporal: Client
) -> None:
    handles = {number: await standing(temporal, number, base) for number, base in ((1, "main"), (2, "staging"))}
    async with asyncio.timeout(120):
        while True:  # visibility is a moment behind
            response = await deliver(server, in_repository(push_event(), "pushed"), "push")
            assert response.status_code == 202
            if response.json() == {"decision": "accepted", "told": 1}:
                break
    (moved, *_) = await handles[1].query(Recorder.moves)
    assert (moved.repository.full_name, moved.base_ref, moved.commit) == ("docustack/pushed", "main", HEAD)
    assert await handles[2].query(Recorder.moves) == []


async def standing(temporal: Client, number: int, base_ref: str) -> "WorkflowHandle[Recorder, PullRequestStart]":
    repository = Repository(owner="docustack", name="pushed")
    attributes = TypedSearchAttributes(
        [
            SearchAttributePair(search_attributes.REPOSITORY, repository.full_name),
            SearchAttributePair(search_attributes.BASE_BRANCH, base_ref),
        ]
    )
    return await temporal.start_workflow(
        Recorder.run,
        PullRequestStart(repository=repository, number=number),
        id=f"pr:docustack/pushed#{number}",
        task_queue="docustack",
        search_attributes=attributes,
    )


async def test_a_push_that_temporal_cannot_tell_on_is_refused_so_that_it_can_come_again(
    alone: httpx.AsyncClient,
) -> None:
    assert (await deliver(alone, push_event(), "push")).status_code == 503


async def test_an_event_carries_the_delivery_and_when_it_came(server: httpx.AsyncClient, temporal: Client) -> None:
    await deliver(server, in_repository(comment_event(), "told"), "issue_comment", x_github_delivery="d-42")
    (event,) = await events_of(temporal.get_workflow_handle_for(Recorder.run, "pr:docustack/told#7"))
    assert event.delivery_id == "d-42"
    assert event.received_at.endswith("+00:00")


async def test_an_event_after_the_end_starts_the_workflow_anew(server: httpx.AsyncClient, temporal: Client) -> None:
    await deliver(server, in_repository(pull_request_event("closed"), "ended"))
    handle = temporal.get_workflow_handle_for(Recorder.run, "pr:docustack/ended#7")
    await handle.signal(Recorder.end)
    await handle.result()
    response = await deliver(server, in_repository(pull_request_event("reopened"), "ended"))
    assert response.status_code == 202
    assert [event.kind for event in await events_of(handle)] == ["reopened"]


async def test_many_events_at_once_all_arrive(server: httpx.AsyncClient, temporal: Client) -> None:
    content = in_repository(comment_event(), "many")
    responses = await asyncio.gather(
        *(deliver(server, content, "issue_comment", x_github_delivery=f"d-{number}") for number in range(40))
    )
    assert {response.status_code for response in responses} == {202}
    events = await events_of(temporal.get_workflow_handle_for(Recorder.run, "pr:docustack/many#7"))
    assert {event.delivery_id for event in events} == {f"d-{number}" for number in range(40)}


async def test_each_delivery_is_one_line_in_the_log(
    server: httpx.AsyncClient, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO, "docustack.webhooks")
    await deliver(server, in_repository(comment_event(), "logged"), "issue_comment", x_github_delivery="d-1")
    await deliver(server, {}, "ping", x_github_delivery="d-2")
    await deliver(server, b"{", x_github_delivery="d-3")
    lines = [record.getMessage() for record in caplog.records]
    assert [line.split(" kind=")[0].split(" reason=")[0] for line in lines] == [
        "delivery='d-1' event='issue_comment' decision='accepted'",
        "delivery='d-2' event='ping' decision='ignored'",
        "delivery='d-3' event='pull_request' decision='refused'",
    ]


async def test_a_sender_cannot_write_lines_of_its_own_into_the_log(
    server: httpx.AsyncClient, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO, "docustack.webhooks")
    await deliver(server, pull_request_event("opened\ndelivery='d-9' decision='accepted'"))
    (record,) = caplog.records
    assert "\n" not in record.getMessage()


# ---- ignored and refused ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize("event", ["ping", "workflow_job"])
async def test_an_event_that_is_not_used_is_taken_with_the_reason(server: httpx.AsyncClient, event: str) -> None:
    response = await deliver(server, {"zen": "Design for failure."}, event)
    assert response.status_code == 202
    assert response.json()["decision"] == "ignored"
    assert event in response.json()["reason"]


@pytest.mark.parametrize(
    "signature",
    [None, "", "sha256=", "sha1=abc", signed(b"something else"), signed(b"{}", "another secret"), "sha256=é"],
)
async def test_a_body_that_is_not_signed_with_the_secret_is_refused(
    server: httpx.AsyncClient, signature: str | None
) -> None:
    headers: list[tuple[bytes, bytes]] = [(b"x-github-event", b"ping"), (b"content-type", b"application/json")]
    if signature is not None:
        headers.append((b"x-hub-signature-256", signature.encode("latin-1")))
    response = await server.post("/webhooks/github", content=b"{}", headers=headers)
    assert response.status_code == 401
    assert "X-Hub-Signature-256" in response.json()["error"]


async def test_the_signature_is_checked_before_anything_is_read(server: httpx.AsyncClient) -> None:
    response = await deliver(server, b"{", x_hub_signature_256=signed(b"other"), content_type="text/plain")
    assert response.status_code == 401


@pytest.mark.parametrize("body", [b"", b"{", b"[]", b"\xff", b"[" * 50_000])
async def test_a_body_that_is_no_json_object_is_a_bad_request(server: httpx.AsyncClient, body: bytes) -> None:
    assert (await deliver(server, body)).status_code == 400


async def test_json_of_the_wrong_shape_is_told_what_is_wrong(server: httpx.AsyncClient) -> None:
    response = await deliver(server, {"action": "opened", "pull_request": {"number": "x"}})
    assert response.status_code == 422
    assert "pull_request" in response.json()["error"]


async def test_a_form_is_told_which_content_type_to_set(server: httpx.AsyncClient) -> None:
    response = await deliver(server, b"payload=%7B%7D", content_type="application/x-www-form-urlencoded")
    assert response.status_code == 415
    assert "application/json" in response.json()["error"]


async def test_a_content_type_with_a_charset_is_json_too(server: httpx.AsyncClient) -> None:
    assert (await deliver(server, {}, "ping", content_type="application/json; charset=utf-8")).status_code == 202


@pytest.mark.parametrize("header", ["x_github_event", "x_github_delivery"])
@pytest.mark.parametrize("value", [None, "", "two words", "x" * 101])
async def test_a_delivery_without_its_headers_is_a_bad_request(
    server: httpx.AsyncClient, header: str, value: str | None
) -> None:
    response = await deliver(server, {}, "ping", **{header: value})
    assert response.status_code == 400
    assert header.replace("_", "-") in response.json()["error"].lower()


async def test_only_posts_are_taken(server: httpx.AsyncClient) -> None:
    assert (await server.get("/webhooks/github")).status_code == 405


async def test_a_body_at_the_limit_is_read(server: httpx.AsyncClient) -> None:
    body = b'{"zen": "' + b"a" * (BODY_LIMIT - 11) + b'"}'
    assert len(body) == BODY_LIMIT
    assert (await deliver(server, body, "ping")).status_code == 202


async def test_a_body_that_says_it_is_larger_is_refused_unread(server: httpx.AsyncClient) -> None:
    read: list[bytes] = []

    async def body() -> AsyncIterator[bytes]:
        read.append(b"a")
        yield b"a"

    headers = {"content-length": str(BODY_LIMIT + 1)}
    response = await server.post("/webhooks/github", content=body(), headers=headers)
    assert response.status_code == 413
    assert not read


# ---- Temporal away ---------------------------------------------------------------------------------------------------


async def test_an_event_that_temporal_cannot_take_is_sent_back(alone: httpx.AsyncClient) -> None:
    started = time.monotonic()
    response = await deliver(alone, pull_request_event("opened"))
    assert response.status_code == 503
    assert int(response.headers["retry-after"]) > 0
    assert time.monotonic() - started < 9  # GitHub hangs up after ten
    assert "Traceback" not in response.text


async def test_what_concerns_nobody_is_answered_without_temporal(alone: httpx.AsyncClient) -> None:
    assert (await deliver(alone, {}, "ping")).status_code == 202
    assert (await deliver(alone, b"{")).status_code == 400


async def test_a_server_without_temporal_is_alive_but_not_ready(alone: httpx.AsyncClient) -> None:
    assert (await alone.get("/healthz")).status_code == 200
    response = await alone.get("/readyz")
    assert response.status_code == 503
    assert response.json()["status"] == "unavailable"


async def test_a_server_with_temporal_is_ready(server: httpx.AsyncClient) -> None:
    assert (await server.get("/healthz")).status_code == 200
    assert (await server.get("/readyz")).status_code == 200


async def test_a_namespace_that_is_not_there_is_not_ready(temporal_address: str, tmp_path: Path) -> None:
    settings = settings_for(temporal_address, tmp_path, temporal_namespace="elsewhere")
    async with served(create_app(lambda: connect_temporal(settings, lazy=True), settings)) as server:
        assert (await server.get("/readyz")).status_code == 503
        assert (await deliver(server, pull_request_event("opened"))).status_code == 503


async def test_a_mistake_of_ours_is_told_without_its_trace(temporal_address: str, tmp_path: Path) -> None:
    settings = settings_for(temporal_address, tmp_path)

    async def connect() -> Client:
        return BrokenClient()  # type: ignore[return-value]

    async with served(create_app(connect, settings)) as server:
        response = await deliver(server, pull_request_event("opened"))
    assert response.status_code == 500
    assert "broken inside" not in response.text
    assert "Traceback" not in response.text


class BrokenClient:
    async def start_workflow(self, *_: object, **__: object) -> None:
        raise ZeroDivisionError("broken inside")


# ---- logs ------------------------------------------------------------------------------------------------------------


def artifact(folder: Path, key: str, text: str) -> None:
    path = folder / "artifacts" / key
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)


@pytest.mark.parametrize("name", ["plan.log", "plan.txt", "apply.log"])
async def test_a_log_of_a_run_is_shown_as_plain_text(server: httpx.AsyncClient, tmp_path: Path, name: str) -> None:
    artifact(tmp_path, f"runs/r-1/dev/us-east-1/vpc/{name}", "<b>Apply complete!</b> é")
    response = await server.get(f"/logs/runs/r-1/dev/us-east-1/vpc/{name}")
    assert response.status_code == 200
    assert response.text == "<b>Apply complete!</b> é"
    assert response.headers["content-type"] == "text/plain; charset=utf-8"
    assert response.headers["x-content-type-options"] == "nosniff"


@pytest.mark.parametrize("name", ["plan.bin", "plan.json", "plan.tfplan", "outputs.json", ".writing-1.log", "plan"])
async def test_nothing_but_logs_and_texts_is_shown(server: httpx.AsyncClient, tmp_path: Path, name: str) -> None:
    artifact(tmp_path, f"runs/r-1/dev/us-east-1/vpc/{name}", "secret")
    assert (await server.get(f"/logs/runs/r-1/dev/us-east-1/vpc/{name}")).status_code == 404


@pytest.mark.parametrize(
    "path",
    [
        "/logs/runs/../secret.txt",
        "/logs/runs/r-1/../../../secret.txt",
        "/logs/%2e%2e/secret.txt",
        "/logs/runs/%2e%2e/%2e%2e/secret.txt",
        "/logs/runs/..%2f..%2fsecret.txt",
        "/logs//etc/hosts.txt",
        "/logs/secret.txt",
        "/logs/",
        "/logs/runs/r-1/a%00b.txt",
        "/logs/runs/r-1/missing.log",
        "/logs/runs/r-1/" + "x" * 5_000 + ".log",
    ],
)
async def test_no_path_leads_out_of_the_runs(server: httpx.AsyncClient, tmp_path: Path, path: str) -> None:
    (tmp_path / "secret.txt").write_text("secret")
    artifact(tmp_path, "secret.txt", "secret")
    artifact(tmp_path, "runs/r-1/present.log", "here")
    response = await server.get(path)
    assert response.status_code == 404
    assert "secret" not in response.text


@pytest.mark.parametrize(
    "key",
    ["runs/r/../x.log", "runs//x.log", "/runs/r/x.log", "runs/r/.x.log", "runs/r\\x/y.log", "runs/x.log", "a/b/c.log"],
)
def test_a_key_that_is_none_is_not_shown(key: str) -> None:
    assert not is_shown(key)


# ---- a real process --------------------------------------------------------------------------------------------------


@contextlib.contextmanager
def process(address: str, folder: Path) -> Iterator[tuple[subprocess.Popen[str], str]]:
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    environment = {
        **os.environ,
        "DOCUSTACK_TEMPORAL_ADDRESS": address,
        "DOCUSTACK_WEBHOOK_SECRET": SECRET,
        "DOCUSTACK_REPOSITORIES": "docustack/process",
        "DOCUSTACK_BOT_LOGIN": "docustack[bot]",
        "DOCUSTACK_DATA_DIR": str(folder),
        "DOCUSTACK_BIND_PORT": str(port),
        "DOCUSTACK_LOG_FORMAT": "json",
    }
    program = (
        "import os, sys; from starter.server import serve; from worker.settings import Process, Settings; "
        "serve(Settings.load(Process.SERVER)); sys.stderr.flush(); os._exit(0)"
    )
    command = [sys.executable, "-c", program]
    running = subprocess.Popen(command, cwd=ROOT, env=environment, stderr=subprocess.PIPE, text=True)
    try:
        _wait_for(f"http://127.0.0.1:{port}/readyz", running)
        yield running, f"http://127.0.0.1:{port}"
    finally:
        running.kill()
        running.wait(timeout=120)


def _wait_for(url: str, running: "subprocess.Popen[str]") -> None:
    until = time.monotonic() + 30
    while time.monotonic() < until:
        assert running.poll() is None, "the server ended"
        with contextlib.suppress(httpx.TransportError):
            if httpx.get(url).is_success:
                return
        time.sleep(0.05)
    raise AssertionError("the server is not ready")


def send_for_ever(url: str) -> int:
    """Send one body without an end; returns how much went out until the server hung up."""
    address = httpx.URL(url)
    sent, chunk = 0, b"a" * 1_000_000
    with socket.create_connection((address.host, address.port or 80), timeout=15) as connection:
        connection.sendall(b"POST /webhooks/github HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n")
        with contextlib.suppress(ConnectionError):
            while sent < 10 * BODY_LIMIT:
                connection.sendall(f"{len(chunk):x}\r\n".encode() + chunk + b"\r\n")
                sent += len(chunk)
    return sent


async def test_a_server_takes_events_and_ends_well_when_it_is_told_to(
    temporal_address: str, temporal: Client, tmp_path: Path
) -> None:
    body = json.dumps(in_repository(pull_request_event("opened"), "process")).encode()
    with process(temporal_address, tmp_path) as (running, url):
        async with httpx.AsyncClient(base_url=url) as client:
            response = await client.post("/webhooks/github", content=body, headers=headers_for(body))
            assert response.status_code == 202
        sent = await asyncio.to_thread(send_for_ever, url)
        assert sent < 3 * BODY_LIMIT
        running.send_signal(signal.SIGTERM)
        _, errors = running.communicate(timeout=120)
    assert running.returncode == 0
    lines = [json.loads(line) for line in errors.splitlines()]
    (accepted,) = [line for line in lines if line.get("decision") == "accepted"]
    assert [line["status"] for line in lines if line.get("decision") == "refused"] == [413]
    assert (accepted["event"], accepted["workflow"]) == ("pull_request", "pr:docustack/process#7")
    assert "Traceback" not in errors
    (event,) = await events_of(temporal.get_workflow_handle_for(Recorder.run, "pr:docustack/process#7"))
    assert event.kind == "opened"
