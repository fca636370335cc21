"""The endpoints under `/api`, which people call: who asks is verified first, what is sent is bounded and checked.

A new one is an `async def` from a `Call` and one model to one model, and a line in `starter/api_routes.py`.
"""

import logging
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from typing import TypeVar

from pydantic import BaseModel, ValidationError
from starlette.requests import ClientDisconnect, Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route
from temporalio.service import RPCError, RPCStatusCode

from docustack.repository import Repository
from starter.api_refusals import ApiRefused
from starter.client import Connection, is_away
from starter.exit_codes import CommandFailed, ExitCode
from starter.request_bodies import BodyTooLarge, BodyTooSlow, read_body
from starter.verified_people import VerifiedPeople

BODY_LIMIT = 64 * 1024
BODY_ARRIVES_WITHIN = 15.0

_KEY_IS_SET_BY = "Whoever runs DocuStack sets the key on the server and the control workers."

_STATUS_OF = {ExitCode.NOT_FOUND: 404, ExitCode.UNREACHABLE: 503, ExitCode.USAGE: 422}

log = logging.getLogger("docustack.api")

Question = TypeVar("Question", bound=BaseModel)


@dataclass(frozen=True)
class Call:
    """One request of a person whose login GitHub has vouched for."""

    login: str
    parameters: Mapping[str, str]  # of the path
    connection: Connection
    _request: Request
    _people: VerifiedPeople

    async def require_push(self, repository: Repository) -> None:
        """Everything that changes something asks this first (guide, "GitHub Access").

        Raises:
            ApiRefused: 403 the person can't push there, or not with this token.
        """
        await self._people.require_push(self._request, repository)

    async def require_served(self, name: str) -> Repository:
        """A repository that this server serves, as its settings write it, to which the person may push.

        In one of their own people could write their own rules, and by another spelling meet another table of locks.

        Raises:
            ApiRefused: 404 it isn't served, or as for `require_push`.
        """
        served = (each for each in self.connection.settings.repositories if each.lower() == name.lower())
        found = next(served, None)
        if found is None:
            raise ApiRefused(404, f"This server doesn't serve {name[:200]}.", "DOCUSTACK_REPOSITORIES has them.")
        owner, _, rest = found.partition("/")
        repository = Repository(owner=owner, name=rest)
        await self.require_push(repository)
        return repository

    def require_signing_key(self, without: str, what_to_do: str = _KEY_IS_SET_BY) -> str:
        """What this person says is signed with it, so that the workers know that they were verified here.

        Args:
            without: what this server doesn't do where it has none, for the person.

        Raises:
            ApiRefused: 503 it has none.
        """
        keys = self.connection.settings.approval_keys
        if not keys:
            raise ApiRefused(503, f"{without}: it has no DOCUSTACK_APPROVAL_KEYS.", what_to_do)
        return keys[0].get_secret_value()


def api_route(
    method: str,
    path: str,
    question: type[Question],
    answer: Callable[[Call, Question], Awaitable[BaseModel]],
    *,
    limit: int = BODY_LIMIT,
) -> Route:
    """An endpoint: `question` is read from the JSON body of a POST, from the query of a GET.

    `answer` may raise `ApiRefused`, and `CommandFailed` as the commands' own functions do.
    """

    async def endpoint(request: Request) -> Response:
        login = "-"
        try:
            people: VerifiedPeople = request.app.state.people
            login = await people.verify_person(request)
            call = Call(login, request.path_params, request.app.state.connection, request, people)
            found = await answer(call, _understood(question, request, await _read_body(request, limit)))
            response = JSONResponse(found.model_dump(mode="json"), headers={"Cache-Control": "no-store"})
        except ApiRefused as refused:
            response = refused.answer()
        except CommandFailed as failed:
            response = _of_command(failed).answer()
        except RPCError as error:
            response = _of_temporal(error).answer()
        except ClientDisconnect:
            response = ApiRefused(400, "The body ended early.", "Send it again.").answer()
        told = {"login": login, "method": method, "path": request.url.path[:200], "status": response.status_code}
        log.info("%s", " ".join(f"{name}={value!r}" for name, value in told.items()), extra={"fields": told})
        return response

    return Route(path, endpoint, methods=[method])


async def no_such_endpoint(_: Request) -> Response:
    """The answer to every other path under `/api`."""
    return ApiRefused(404, "There is no such endpoint.", "docs/api.md has them all.").answer()


async def _read_body(request: Request, limit: int) -> bytes:
    try:
        return await read_body(request, limit=limit, within=BODY_ARRIVES_WITHIN)
    except BodyTooLarge:
        raise ApiRefused(413, f"A body has at most {limit:,} bytes.", "Send less.") from None
    except BodyTooSlow:
        raise ApiRefused(
            408, f"The body took longer than {BODY_ARRIVES_WITHIN:.0f} seconds.", "Send it again."
        ) from None


def _understood(question: type[Question], request: Request, body: bytes) -> Question:
    try:
        if request.method in ("GET", "HEAD"):
            return question.model_validate(dict(request.query_params))
        return question.model_validate_json(body or b"{}")
    except ValidationError as error:
        told = [
            ": ".join(part for part in (".".join(map(str, detail["loc"])), detail["msg"]) if part)
            for detail in error.errors(include_url=False, include_context=False, include_input=False)[:5]
        ]
        where = "The query" if request.method in ("GET", "HEAD") else "The body"
        raise ApiRefused(
            422, f"{where} isn't what this endpoint takes: {'; '.join(told)}.", "docs/api.md has its shape."
        ) from None


def _of_command(failed: CommandFailed) -> ApiRefused:
    return ApiRefused(_STATUS_OF.get(failed.code, 409), failed.message, " ".join(failed.advice))


def _of_temporal(error: RPCError) -> ApiRefused:
    if error.status is RPCStatusCode.NOT_FOUND:
        return ApiRefused(404, "Temporal doesn't find it: it has ended long ago, or was never there.", "")
    if is_away(error):
        return ApiRefused(
            503,
            "Temporal or a worker doesn't answer, so it isn't known whether this was done.",
            "Look, then try again.",
        )
    log.warning("Temporal refused: %s", error)
    return ApiRefused(503, "Temporal refuses this server.", "Look into the log of the server.")
