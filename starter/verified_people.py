"""Who sends a request: GitHub is asked whose token it carries, and nothing that the sender claims counts."""

import asyncio
import hashlib
import re
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import TypeVar

import httpx
from pydantic import BaseModel, ConfigDict, ValidationError
from starlette.requests import Request

from docustack.repository import Repository
from starter.api_refusals import ApiRefused

REMEMBERED_SECONDS = 60.0
"""How long a token that was revoked may still be taken for its person's."""

GITHUB_ANSWERS_WITHIN = 10.0
_REMEMBERED = 1_000  # tokens
_AT_ONCE = 8  # questions to GitHub: whoever sends many tokens waits here, not there
_TOKEN = re.compile(r"[A-Za-z0-9_.-]{10,512}")
_WRITING_SCOPES = {"repo", "public_repo"}
_LATER = "Try again in a moment; nothing was changed."
_WHOSE = "Send your own GitHub token: `Authorization: Bearer <token>`, for example that of `gh auth token`."


Answer = TypeVar("Answer", bound=BaseModel)


class _User(BaseModel):
    model_config = ConfigDict(extra="ignore")
    login: str
    type: str = "User"


class _Rights(BaseModel):
    model_config = ConfigDict(extra="ignore")
    push: bool = False


class _RepositoryBody(BaseModel):
    model_config = ConfigDict(extra="ignore")
    permissions: _Rights = _Rights()


@dataclass
class _Known:
    """What GitHub has said of one token."""

    login: str
    until: float
    may_push_to: set[str] = field(default_factory=set)


class VerifiedPeople:
    """Asks GitHub, and remembers for a minute; a token is kept only as its hash, and never written anywhere."""

    def __init__(self, http: httpx.AsyncClient, api_url: str, *, clock: Callable[[], float] = time.monotonic) -> None:
        self._http = http
        self._api_url = api_url.rstrip("/")
        self._clock = clock
        self._known: dict[bytes, _Known] = {}
        self._asking = asyncio.Semaphore(_AT_ONCE)

    async def verify_person(self, request: Request) -> str:
        """The login of the person whose token the request carries.

        Raises:
            ApiRefused: 401 no token, or one that GitHub doesn't know; 403 a token of no person; 503 GitHub is away.
        """
        return (await self._identify(_token_of(request))).login

    async def require_push(self, request: Request, repository: Repository) -> None:
        """The person may push there, *with this token*.

        A token that somebody gave to another program, to sign in with or to read, must not be enough to change
        infrastructure: it has to be one that could approve on GitHub itself.

        Raises:
            ApiRefused: 403, or as for `verify_person`.
        """
        token = _token_of(request)
        known = await self._identify(token)
        if repository.full_name in known.may_push_to:
            return
        response = await self._ask(f"/repos/{repository.full_name}", token)
        if response.status_code not in (200, 403, 404):
            raise _away(response)
        scopes = _scopes(response)
        reachable = response.is_success and _read(_RepositoryBody, response).permissions.push
        if not reachable or (scopes is not None and not scopes & _WRITING_SCOPES):
            raise ApiRefused(
                403,
                f"@{known.login} can't push to {repository.full_name} with this token.",
                "It takes push access to the repository, and a token that has it too: one with the scope `repo` "
                "(`gh auth refresh --scopes repo`), or a fine-grained one with access to this repository.",
            )
        known.may_push_to.add(repository.full_name)

    async def _identify(self, token: str) -> _Known:
        key = hashlib.sha256(token.encode()).digest()
        now = self._clock()
        known = self._known.get(key)
        if known is not None and known.until > now:
            return known
        response = await self._ask("/user", token)
        if response.status_code == 401:
            raise ApiRefused(401, "GitHub doesn't know this token: it is wrong, expired or revoked.", _WHOSE)
        if response.status_code in (403, 404) and not _is_throttled(response):
            raise ApiRefused(403, "This token is not a person's.", _WHOSE)
        if response.status_code != 200:
            raise _away(response)
        user = _read(_User, response)
        if user.type != "User":
            raise ApiRefused(403, f"{user.login} is a {user.type.lower()}, not a person.", _WHOSE)
        self._known = {other: entry for other, entry in self._known.items() if entry.until > now}
        while len(self._known) >= _REMEMBERED:
            del self._known[next(iter(self._known))]
        self._known[key] = _Known(user.login, now + REMEMBERED_SECONDS)
        return self._known[key]

    async def _ask(self, path: str, token: str) -> httpx.Response:
        headers = {"authorization": f"Bearer {token}", "accept": "application/vnd.github+json"}
        try:
            async with asyncio.timeout(GITHUB_ANSWERS_WITHIN), self._asking:
                return await self._http.get(f"{self._api_url}{path}", headers=headers)
        except (httpx.HTTPError, TimeoutError) as error:
            raise ApiRefused(503, f"GitHub can't be asked who you are: {type(error).__name__}.", _LATER) from None


def _token_of(request: Request) -> str:
    scheme, _, token = request.headers.get("authorization", "").partition(" ")
    if not token.strip():
        raise ApiRefused(401, "Nobody knows who you are: the request has no token.", _WHOSE)
    if scheme.lower() not in ("bearer", "token") or not _TOKEN.fullmatch(token.strip()):
        raise ApiRefused(401, "The header `Authorization` holds no GitHub token.", _WHOSE)
    return token.strip()


def _scopes(response: httpx.Response) -> set[str] | None:
    """Of a classic token, what it may do; None for the others, whose rights GitHub shows in `permissions`."""
    told = response.headers.get("x-oauth-scopes")
    return None if told is None else {scope.strip() for scope in told.split(",")}


def _is_throttled(response: httpx.Response) -> bool:
    return response.headers.get("x-ratelimit-remaining") == "0" or "retry-after" in response.headers


def _away(response: httpx.Response) -> ApiRefused:
    return ApiRefused(503, f"GitHub can't say now who you are: it answered {response.status_code}.", _LATER)


def _read(model: type[Answer], response: httpx.Response) -> Answer:
    try:
        return model.model_validate_json(response.content)
    except ValidationError:
        raise ApiRefused(
            503, "What answers at DOCUSTACK_GITHUB_API_URL isn't GitHub's API.", "Check that setting of the server."
        ) from None
