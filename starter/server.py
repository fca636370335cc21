"""The web server: GitHub's webhooks in, what people ask and decide, the logs of runs out, and whether it is well."""

import contextlib
import logging
import signal
from collections.abc import AsyncIterator, Awaitable, Callable
from datetime import timedelta

import httpx
import uvicorn
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route
from temporalio.api.workflowservice.v1 import DescribeNamespaceRequest
from temporalio.client import Client
from temporalio.service import RPCError

from starter.api_routes import api_routes
from starter.client import Connection
from starter.logs import open_logs
from starter.verified_people import VerifiedPeople
from starter.webhooks import Webhooks
from worker.log_lines import configure_logging
from worker.settings import Settings
from worker.temporal_client import connect_temporal

_READY_WITHIN = timedelta(seconds=2)
_STOP_WITHIN = 15

log = logging.getLogger("docustack.server")

Connect = Callable[[], Awaitable[Client]]


def create_app(connect: Connect, settings: Settings) -> Starlette:
    """The web application; `connect` gives the client of Temporal, once, at the start (lazily: see `serve`)."""

    @contextlib.asynccontextmanager
    async def lifespan(app: Starlette) -> AsyncIterator[None]:
        client = await connect()
        app.state.connection = Connection(client, settings)
        app.state.webhooks = _webhooks(client, settings)
        async with httpx.AsyncClient() as http:
            app.state.people = VerifiedPeople(http, settings.github_api_url)
            yield

    async def receive(request: Request) -> Response:
        webhooks: Webhooks = request.app.state.webhooks
        return await webhooks.receive(request)

    async def alive(_: Request) -> Response:
        return JSONResponse({"status": "ok"})

    async def ready(request: Request) -> Response:
        connection: Connection = request.app.state.connection
        return await _readiness(connection.client)

    async def broken(_: Request, __: Exception) -> Response:
        # Starlette raises the error again once this is sent, so that the log has all of it.
        return JSONResponse({"error": "something went wrong here; it is in the log of the server"}, 500)

    return Starlette(
        routes=[
            Route("/webhooks/github", receive, methods=["POST"]),
            Route("/healthz", alive),
            Route("/readyz", ready),
            Route("/logs/{key:path}", open_logs(settings).show),
            *api_routes(),
        ],
        exception_handlers={Exception: broken},
        lifespan=lifespan,
    )


def serve(settings: Settings) -> None:
    """Serve until SIGTERM or Ctrl-C; what has been received by then is answered first.

    Starts while Temporal is away too: then `/readyz` and webhooks answer 503.
    """
    configure_logging(settings)
    config = uvicorn.Config(
        create_app(lambda: connect_temporal(settings, lazy=True), settings),
        host=settings.bind_host,
        port=settings.bind_port,
        log_config=None,
        access_log=False,  # webhooks and /api have lines of their own
        server_header=False,
        timeout_graceful_shutdown=_STOP_WITHIN,
        h11_max_incomplete_event_size=64 * 1024,
    )
    log.info("Serving on http://%s:%s", settings.bind_host, settings.bind_port)
    # Uvicorn stops at a signal, then raises it again; that must not be what ends the process, but the return from here.
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: None)
    uvicorn.Server(config).run()


def _webhooks(client: Client, settings: Settings) -> Webhooks:
    assert settings.webhook_secret is not None
    assert settings.bot_login is not None
    return Webhooks(
        client,
        secret=settings.webhook_secret.get_secret_value(),
        bot_login=settings.bot_login,
        repositories=settings.repositories,
    )


async def _readiness(client: Client) -> Response:
    """Asks for the namespace: that needs Temporal, the right to use it, and that it exists."""
    try:
        await client.workflow_service.describe_namespace(
            DescribeNamespaceRequest(namespace=client.namespace), retry=False, timeout=_READY_WITHIN
        )
    except (RPCError, RuntimeError) as error:
        log.warning("Not ready: Temporal doesn't answer: %s", error)
        return JSONResponse({"status": "unavailable", "temporal": "doesn't answer"}, 503)
    return JSONResponse({"status": "ready"})
