"""From an HTTP request to a call of one endpoint and back: login, faults, body, errors, pages."""

import asyncio
import json
import logging
import time
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TypeVar
from urllib.parse import urlencode
from uuid import uuid4

from pydantic import BaseModel, ValidationError
from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from local.faults import Fault
from local.github import merge_queue, pushes
from local.github.bodies import Body
from local.github.errors import GitHubError, not_found
from local.github.git import GitError
from local.github.hub import Hub
from local.github.people import user_by_token
from local.github.records import User

M = TypeVar("M", bound=BaseModel)
_log = logging.getLogger(__name__)
_SECONDARY = (
    "You have exceeded a secondary rate limit. Please wait a few minutes before you try again. "
    "If you reach out to GitHub Support for help, please include the request ID."
)
_LIMIT = 5000


@dataclass(frozen=True)
class Answer:
    content: Body | list[Body] | bytes | None
    status: int = 200
    headers: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class Call:
    """One request of a person or the bot who is known by the token."""

    hub: Hub
    actor: User
    url: str
    parameters: Mapping[str, str]
    query: Mapping[str, str]
    accept: str
    body: bytes

    def read(self, model: type[M]) -> M:
        """The JSON body. Raises GitHubError 400 or 422 when it is not what the endpoint takes."""
        try:
            content = json.loads(self.body or b"{}")
        except ValueError as error:
            raise GitHubError(400, "Problems parsing JSON") from error
        try:
            return model.model_validate(content)
        except ValidationError as error:
            lines = [f"{'.'.join(map(str, item['loc']))}: {item['msg']}" for item in error.errors()]
            raise GitHubError(422, "Invalid request.\n\n" + "\n".join(lines)) from error

    def number(self, name: str) -> int:
        value = self.parameters[name]
        if not (value.isascii() and value.isdigit()) or len(value) > 15:
            raise not_found()
        return int(value)

    @property
    def page_size(self) -> int:
        return min(max(_whole(self.query.get("per_page"), 30), 1), 100)

    def page(self, items: Sequence[Body], wrap: Callable[[list[Body]], Body] | None = None) -> Answer:
        """One page of a list, with the links to the others that GitHub gives."""
        size, page = self.page_size, max(_whole(self.query.get("page"), 1), 1)
        last = max(-(-len(items) // size), 1)
        shown = list(items[(page - 1) * size : page * size])
        links: dict[str, int] = {}
        if page > 1:
            links.update(first=1, prev=min(page - 1, last))
        if page < last:
            links.update(next=page + 1, last=last)
        header = ", ".join(f'<{self._page_url(number)}>; rel="{rel}"' for rel, number in links.items())
        return Answer(wrap(shown) if wrap else shown, headers={"link": header} if header else {})

    def _page_url(self, page: int) -> str:
        return f"{self.url}?{urlencode({**self.query, 'page': page})}"


Handler = Callable[[Call], Answer]


def route(method: str, path: str, handler: Handler) -> Route:
    """An endpoint of the API; `{repo}` in the path stands for owner and repository."""
    path = path.replace("{repo}", "/repos/{owner}/{repository}")
    return Route(path, _endpoint(handler), methods=[method])


def _endpoint(handler: Handler) -> Callable[[Request], Awaitable[Response]]:
    async def endpoint(request: Request) -> Response:
        hub: Hub = request.app.state.hub
        path, method = request.url.path, request.method
        if slow := hub.faults.take("slow", path, method):
            await asyncio.sleep(slow.delay)
        if limited := hub.faults.take("secondary_rate_limit", path, method):
            return _limited(limited)
        if broken := hub.faults.take("server_error", path, method):
            return _broken(broken)
        body = await request.body()
        response = await run_in_threadpool(_answer, handler, request, body)
        lost = hub.faults.take("lost_answer", path, method)
        return _broken(lost) if lost else response

    return endpoint


def _answer(handler: Handler, request: Request, body: bytes) -> Response:
    hub: Hub = request.app.state.hub
    try:
        with hub.store.transaction():
            pushes.notice(hub)
        with hub.store.transaction():
            answer = handler(_call(hub, request, body))
        with hub.store.transaction():
            merge_queue.advance(hub)
    except GitHubError as error:
        return _response(error.body(), error.status)
    except GitError as error:
        _log.exception("git failed in %s %s", request.method, request.url.path)
        return _response(GitHubError(500, f"git: {error}").body(), 500)
    return _response(answer.content, answer.status, answer.headers)


def _call(hub: Hub, request: Request, body: bytes) -> Call:
    actor = _actor(hub, request.headers.get("authorization", ""))
    parameters: dict[str, str] = dict(request.path_params)
    settings = hub.settings
    named = (parameters.get("owner", settings.owner), parameters.get("repository", settings.repository))
    if named != (settings.owner, settings.repository) or parameters.get("org", settings.owner) != settings.owner:
        raise not_found()
    return Call(
        hub=hub,
        actor=actor,
        url=f"{hub.url}{request.url.path}",
        parameters=parameters,
        query=dict(request.query_params),
        accept=request.headers.get("accept", ""),
        body=body,
    )


def _actor(hub: Hub, authorization: str) -> User:
    scheme, _, token = authorization.partition(" ")
    if not token:
        raise GitHubError(401, "Requires authentication")
    actor = user_by_token(hub.store, token.strip()) if scheme.lower() in ("token", "bearer") else None
    if actor is None:
        raise GitHubError(401, "Bad credentials")
    return actor


def _response(content: Body | list[Body] | bytes | None, status: int, more: Mapping[str, str] = {}) -> Response:
    headers = {
        "x-github-request-id": uuid4().hex[:16].upper(),
        "x-github-media-type": "github.v3; format=json",
        "x-ratelimit-limit": str(_LIMIT),
        "x-ratelimit-remaining": str(_LIMIT - 1),
        "x-ratelimit-used": "1",
        "x-ratelimit-reset": str(int(time.time()) + 3600),
        "x-ratelimit-resource": "core",
        **more,
    }
    if content is None:
        return Response(status_code=status, headers=headers)
    if isinstance(content, bytes):
        return Response(content, status_code=status, headers=headers, media_type="application/octet-stream")
    return JSONResponse(content, status_code=status, headers=headers)


def _limited(fault: Fault) -> Response:
    return _response(GitHubError(403, _SECONDARY).body(), 403, {"retry-after": str(fault.retry_after)})


def _broken(fault: Fault) -> Response:
    return _response({"message": "Server Error"}, fault.status)


def _whole(text: str | None, default: int) -> int:
    return int(text) if text is not None and text.isascii() and text.isdigit() else default
