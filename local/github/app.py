"""Puts the stand-in together: the API, its pages, the control API, and the thread that sends webhooks."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from starlette.applications import Starlette
from starlette.middleware import Middleware
from starlette.middleware.trustedhost import TrustedHostMiddleware
from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from local.faults import fault_routes
from local.github import api, control, hook, pages, pushes
from local.github.errors import not_found
from local.github.hub import Hub
from local.github.settings import Settings
from local.github.webhooks import Courier


def build(settings: Settings) -> Starlette:
    """The application; `settings.url` is the address that it is served under."""
    hub = Hub(settings)

    @asynccontextmanager
    async def lifespan(_: Starlette) -> AsyncIterator[None]:
        hook.install(settings.git_dir, settings.data_dir)
        pushes.take_as_known(hub)
        pushes.notice(hub)
        courier = Courier(hub)
        courier.start()
        yield
        courier.stop()
        hub.store.close()

    # A web page from elsewhere, opened in the same browser, must not reach this by a name of its own.
    hosts = Middleware(TrustedHostMiddleware, allowed_hosts=[settings.host, "localhost"])
    app = Starlette(
        routes=[*fault_routes(hub.faults, control.FAULTS), *control.routes, *api.routes, *pages.routes],
        middleware=[hosts],
        lifespan=lifespan,
        exception_handlers={404: _missing},
    )
    app.state.hub = hub
    return app


async def _missing(request: Request, _: Exception) -> Response:
    return JSONResponse(not_found().body(), status_code=404)
