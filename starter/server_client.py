"""The command line's way to the server: its address, who is asking, and in words what went wrong."""

import os
from ipaddress import ip_address
from typing import TypeVar
from urllib.parse import quote, urlsplit

import httpx
from pydantic import BaseModel, ValidationError

from docustack.model import Model
from starter.api_messages import RefusalAnswer
from starter.exit_codes import CommandFailed, ExitCode
from starter.github_token import own_token
from starter.standalone.surrounding import standalone
from starter.surroundings import living_world
from worker.settings import Process, Settings, variable

ANSWER_WITHIN = 60.0
"""Longer than the server itself waits for a run to answer."""

TEXT_WITHIN = 10.0
_CODES = {404: ExitCode.NOT_FOUND, 422: ExitCode.USAGE, 503: ExitCode.UNREACHABLE}

Answer = TypeVar("Answer", bound=BaseModel)


class ServerRefused(CommandFailed):
    """The server's own no; `refusal` is a word for programs, where there is one."""

    def __init__(self, status: int, told: RefusalAnswer) -> None:
        advice = [told.what_to_do] if told.what_to_do else []
        super().__init__(told.error, *advice, code=_CODES.get(status, ExitCode.FAILED))
        self.refusal = told.refusal


class Server:
    """Calls of `/api` as one person."""

    def __init__(self, url: str, token: str) -> None:
        self._url = url.rstrip("/")
        self._token = token

    def get(self, path: str, answer: type[Answer]) -> Answer:
        return self._ask("GET", path, None, answer)

    def post(self, path: str, question: Model, answer: type[Answer]) -> Answer:
        return self._ask("POST", path, question, answer)

    def text(self, key: str) -> str | None:
        """A log or text of the artifact store; None where there is none, or the server doesn't answer now."""
        try:
            response = httpx.get(f"{self._url}/logs/{quote(key)}", timeout=TEXT_WITHIN)
        except httpx.HTTPError:
            return None
        return response.text if response.status_code == 200 else None

    def _ask(self, method: str, path: str, question: Model | None, answer: type[Answer]) -> Answer:
        """Raises CommandFailed: UNREACHABLE where nothing answers, else what the server says."""
        content = question.model_dump_json().encode() if question is not None else None
        headers = {"authorization": f"Bearer {self._token}", "content-type": "application/json"}
        try:
            response = httpx.request(
                method, f"{self._url}/api{path}", content=content, headers=headers, timeout=ANSWER_WITHIN
            )
        except httpx.HTTPError as error:
            raise CommandFailed(
                f"The server at {self._url} doesn't answer: {type(error).__name__}.",
                f"Is that the address of `docustack serve`? {variable('public_url')} says so.",
                code=ExitCode.UNREACHABLE,
            ) from None
        try:
            if response.status_code != 200:
                raise ServerRefused(response.status_code, RefusalAnswer.model_validate_json(response.content))
            return answer.model_validate_json(response.content)
        except ValidationError:
            raise CommandFailed(
                f"What answers at {self._url} ({response.status_code}) is no DocuStack server of this version.",
                f"Check {variable('public_url')}.",
                code=ExitCode.UNREACHABLE,
            ) from None


def connect_server() -> Server:
    """The server that is configured or standalone, else that of the local world; as the person whose token is at hand.

    Raises:
        CommandFailed: USAGE, no server or no token is known, or the token would travel in the clear.
    """
    standalone.surround(engine=True)
    settings = Settings.load(Process.CLIENT)
    given = settings.github_user_token.get_secret_value() if settings.github_user_token else ""
    if settings.public_url:
        _refuse_in_the_clear(settings.public_url)
        return Server(settings.public_url, given or own_token(settings))
    world = living_world()
    if world is None or os.environ.get(variable("temporal_address")):
        raise CommandFailed(
            "Which server? None is configured.",
            f"Set {variable('public_url')} to the address of `docustack serve`, as people reach it.",
            "Without an installation: docustack --standalone …",
            code=ExitCode.USAGE,
        )
    if not given:  # a token of the real GitHub has no business in a local world
        raise world_token_missing()
    return Server(world.url("server"), given)


def server_at_hand() -> Server | None:
    """The same for what nobody has to be known for: texts of runs; None where no server is known."""
    settings = Settings.load(Process.CLIENT)
    if settings.public_url:
        return Server(settings.public_url, "")
    world = living_world()
    if world is None or os.environ.get(variable("temporal_address")):
        return None
    return Server(world.url("server"), "")


def world_token_missing() -> CommandFailed:
    """Nobody is anybody in a local world without saying so."""
    return CommandFailed(
        "Who are you? The people of the local world have tokens of their own.",
        f"{variable('github_user_token')}=$(docustack local token lead) docustack …",
        code=ExitCode.USAGE,
    )


def _refuse_in_the_clear(url: str) -> None:
    parts = urlsplit(url)
    host = parts.hostname or ""
    if parts.scheme == "https" or host == "localhost" or host.endswith(".localhost") or _is_loopback(host):
        return
    raise CommandFailed(
        f"{url} is plain HTTP: your token would travel in the clear.",
        f"Put TLS before the server, and set {variable('public_url')} to https://…",
        code=ExitCode.USAGE,
    )


def _is_loopback(host: str) -> bool:
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return False
