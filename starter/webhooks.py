"""Takes GitHub's webhooks and signals them to the workflows of their pull requests."""

import asyncio
import hashlib
import hmac
import logging
import re
from datetime import UTC, datetime, timedelta

from starlette.requests import ClientDisconnect, Request
from starlette.responses import JSONResponse
from temporalio.client import Client
from temporalio.common import WorkflowIDConflictPolicy, WorkflowIDReusePolicy
from temporalio.service import RPCError

from activities.open_pull_requests import OpenPullRequestWorkflows
from docustack.base_moves import BASE_MOVED_SIGNAL, BaseMoved
from docustack.events import EVENT_SIGNAL, PullRequestEvent, pull_request_workflow_id
from docustack.pull_request_state import PullRequestStart
from starter.request_bodies import BodyTooLarge, BodyTooSlow, read_body
from starter.webhook_events import Delivery, Ignored, Malformed, NotJson, Reading, read_delivery
from workflows.policies import CONTROL_QUEUE

BODY_LIMIT = 25 * 1024 * 1024
"""GitHub's own limit: it sends nothing larger."""

BODY_ARRIVES_WITHIN = 30.0
TEMPORAL_ANSWERS_WITHIN = 5.0
"""GitHub waits for ten seconds."""

_HEADERS_OF = {
    503: {"Retry-After": "30"},
    # Else the server would go on reading, and throwing away, for as long as the sender goes on sending.
    408: {"Connection": "close"},
    413: {"Connection": "close"},
}

_AWAY = (RPCError, TimeoutError, RuntimeError)
"""RuntimeError: a lazy client that can't connect."""

_HEADER_TEXT = re.compile(r"[\x21-\x7e]{1,100}")

log = logging.getLogger("docustack.webhooks")


class Refused(Exception):
    """A delivery that gets another answer than 2xx."""

    def __init__(self, status: int, reason: str) -> None:
        super().__init__(reason)
        self.status = status
        self.reason = reason


class Webhooks:
    """The endpoint `/webhooks/github`; an event is taken for good, with 202, only once Temporal has accepted it."""

    def __init__(self, client: Client, *, secret: str, bot_login: str, repositories: tuple[str, ...] = ()) -> None:
        self._client = client
        self._secret = secret.encode()
        self._bot_login = bot_login
        self._repositories = repositories

    async def receive(self, request: Request) -> JSONResponse:
        """Answer one delivery, and write one line about it."""
        try:
            response = await self._receive(request)
        except Refused as refused:
            headers = _HEADERS_OF.get(refused.status)
            response = JSONResponse({"error": refused.reason}, refused.status, headers)
            _record(request, "refused", reason=refused.reason, status=refused.status)
        except ClientDisconnect:
            response = JSONResponse({"error": "the body ended early"}, 400)
            _record(request, "refused", reason="the sender hung up before the body had come", status=400)
        return response

    async def _receive(self, request: Request) -> JSONResponse:
        body = await _read_body(request)
        self._check_signature(request, body)
        _check_content_type(request)
        delivery = Delivery(
            delivery_id=_header(request, "X-GitHub-Delivery"),
            event=_header(request, "X-GitHub-Event"),
            body=body,
            received_at=datetime.now(UTC).isoformat(),
        )
        # Off the event loop: the largest bodies take a second to parse.
        reading: Reading = await asyncio.to_thread(
            read_delivery, delivery, bot_login=self._bot_login, repositories=self._repositories
        )
        match reading:
            case NotJson(reason):
                raise Refused(400, reason)
            case Malformed(reason):
                raise Refused(422, reason)
            case Ignored(reason):
                _record(request, "ignored", reason=reason)
                return JSONResponse({"decision": "ignored", "reason": reason}, 202)
            case BaseMoved() as moved:
                told = await self._tell_of_move(moved)
                _record(request, "accepted", kind="push", branch=moved.base_ref, told=len(told))
                return JSONResponse({"decision": "accepted", "told": len(told)}, 202)
            case PullRequestEvent() as event:
                workflow_id = await self._signal(event)
                _record(request, "accepted", kind=event.kind, workflow=workflow_id, sender=event.sender)
                return JSONResponse({"decision": "accepted", "workflow": workflow_id}, 202)

    def _check_signature(self, request: Request, body: bytes) -> None:
        given = request.headers.get("X-Hub-Signature-256")
        if given is None:
            raise Refused(401, "X-Hub-Signature-256 is missing: the webhook needs the secret of this server")
        expected = "sha256=" + hmac.new(self._secret, body, hashlib.sha256).hexdigest()
        if not hmac.compare_digest(expected.encode(), given.encode()):
            raise Refused(401, "X-Hub-Signature-256 doesn't fit: the webhook has another secret than this server")

    async def _signal(self, event: PullRequestEvent) -> str:
        assert event.repository is not None
        workflow_id = pull_request_workflow_id(event.repository, event.number)
        try:
            async with asyncio.timeout(TEMPORAL_ANSWERS_WITHIN):
                await self._client.start_workflow(
                    "PullRequestWorkflow",
                    PullRequestStart(repository=event.repository, number=event.number),
                    id=workflow_id,
                    task_queue=CONTROL_QUEUE,
                    id_conflict_policy=WorkflowIDConflictPolicy.USE_EXISTING,
                    id_reuse_policy=WorkflowIDReusePolicy.ALLOW_DUPLICATE,
                    start_signal=EVENT_SIGNAL,
                    start_signal_args=[event],
                    static_summary=f"Pull request {event.repository.full_name}#{event.number}",
                    rpc_timeout=timedelta(seconds=TEMPORAL_ANSWERS_WITHIN),
                )
        except _AWAY as error:
            raise _not_taken(workflow_id, error) from error
        return workflow_id

    async def _tell_of_move(self, moved: BaseMoved) -> list[str]:
        """The open pull requests into the branch, found by Temporal's visibility; each looks whether it concerns it."""
        try:
            async with asyncio.timeout(TEMPORAL_ANSWERS_WITHIN):
                return await OpenPullRequestWorkflows(self._client).tell(
                    moved.repository, BASE_MOVED_SIGNAL, moved, base_ref=moved.base_ref
                )
        except _AWAY as error:
            raise _not_taken(f"{moved.repository.full_name} {moved.base_ref}", error) from error


def _not_taken(what: str, error: Exception) -> Refused:
    """A sender who gets 503 knows that it was not taken; if it was after all, the redelivery is taken once."""
    log.warning("Temporal took no event for %s: %s: %s", what, type(error).__name__, error)
    return Refused(503, "Temporal can't take the event now; please deliver it again")


async def _read_body(request: Request) -> bytes:
    too_large = Refused(413, f"a body has at most {BODY_LIMIT:,} bytes")
    length = request.headers.get("Content-Length", "0")
    if not length.isdecimal() or int(length) > BODY_LIMIT:
        raise too_large
    try:
        return await read_body(request, limit=BODY_LIMIT, within=BODY_ARRIVES_WITHIN)
    except BodyTooLarge:
        raise too_large from None
    except BodyTooSlow:
        raise Refused(408, f"the body took longer than {BODY_ARRIVES_WITHIN:.0f} seconds") from None


def _check_content_type(request: Request) -> None:
    given = request.headers.get("Content-Type", "").partition(";")[0].strip().lower()
    if given != "application/json":
        raise Refused(
            415, f'the content type is "{given}": set "Content type" of the webhook to application/json in GitHub'
        )


def _header(request: Request, name: str) -> str:
    value = request.headers.get(name, "")
    if not _HEADER_TEXT.fullmatch(value):
        raise Refused(400, f"the header {name} is missing or no name")
    return value


def _record(request: Request, decision: str, **fields: object) -> None:
    """One line for one delivery; what the sender wrote is shown with its control characters escaped."""
    shown = {
        "delivery": request.headers.get("X-GitHub-Delivery", "-")[:100],
        "event": request.headers.get("X-GitHub-Event", "-")[:100],
        "decision": decision,
        **fields,
    }
    level = logging.WARNING if decision == "refused" else logging.INFO
    log.log(level, "%s", " ".join(f"{name}={value!r}" for name, value in shown.items()), extra={"fields": shown})
