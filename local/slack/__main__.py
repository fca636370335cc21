"""Command line: `python -m local.slack --data-dir D [--port P] [--channel NAME …]`."""

import argparse
import logging
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

from starlette.applications import Starlette
from starlette.middleware import Middleware
from starlette.middleware.trustedhost import TrustedHostMiddleware
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from local.faults import fault_routes
from local.serving import serve
from local.slack import methods, pages
from local.slack.records import Message
from local.slack.workspace import Workspace

log = logging.getLogger("local.slack")


def build(workspace: Workspace, host: str) -> Starlette:
    """The application: Slack's methods, the page, the control API."""

    @asynccontextmanager
    async def lifespan(_: Starlette) -> AsyncIterator[None]:
        yield
        workspace.store.close()

    control = [Route("/_stand_in/health", health), *fault_routes(workspace.faults, methods.FAULTS)]
    # A web page from elsewhere, opened in the same browser, must not reach this by a name of its own.
    hosts = Middleware(TrustedHostMiddleware, allowed_hosts=[host, "localhost"])
    app = Starlette(routes=[*control, *methods.routes, *pages.routes], middleware=[hosts], lifespan=lifespan)
    app.state.workspace = workspace
    return app


async def health(request: Request) -> Response:
    workspace: Workspace = request.app.state.workspace
    channels = {channel.name: channel.id for channel in workspace.channels}
    return JSONResponse({"channels": channels, "messages": len(workspace.store.all(Message))})


def main() -> int:
    logging.basicConfig(level=logging.WARNING, format="%(asctime)s %(levelname)s %(name)s: %(message)s")
    log.setLevel(logging.INFO)
    parser = argparse.ArgumentParser(prog="python -m local.slack", description="A stand-in for Slack.")
    parser.add_argument("--data-dir", type=Path, required=True, help="where everything is kept, tokens.json too")
    parser.add_argument("--host", default="127.0.0.1")
    parser.add_argument("--port", type=int, default=0, help="default: any free one")
    parser.add_argument("--channel", action="append", help="a channel's name; default infra-alerts")
    given = parser.parse_args()
    workspace = Workspace(given.data_dir, given.channel or ["infra-alerts"])

    def made(url: str) -> Starlette:
        log.info("Slack stand-in at %s", url)
        return build(workspace, given.host)

    serve(made, given.host, given.port, given.data_dir)
    return 0


if __name__ == "__main__":
    sys.exit(main())
