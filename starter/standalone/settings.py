"""What a standalone engine works for and as whom: from the person's settings, token, and live repository."""

import hashlib
import hmac
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import httpx
from pydantic import BaseModel, ValidationError

from docustack.configuration_file import CONFIGURATION_PATH, load_configuration
from starter.exit_codes import CommandFailed, ExitCode
from starter.github_token import own_token
from starter.standalone.folder import Remembered
from starter.standalone.parts import environment_of_engine, without_proxy
from starter.tool_paths import executable
from worker.settings import Process, Settings, variable

_ANSWERS_WITHIN = 15.0
_OF_WORK = ("AWS_", "DOCUSTACK_", "TERRAGRUNT_", "TF_", "TG_")
FOUND_OUT = tuple(
    map(variable, ("github_token", "bot_login", "terragrunt", "terraform", "repositories", "environments"))
)
"""Settings that are completed here, where the person's don't say them."""

_OF_A_PERSON = (variable("github_user_token"), variable("data_dir"), variable("debug"), variable("temporal_"))


@dataclass(frozen=True)
class Wanted:
    """For which live repositories, and for which of their environments."""

    repositories: tuple[str, ...]
    environments: tuple[str, ...]


class _User(BaseModel):
    login: str


def wanted_here(remembered: Remembered | None) -> Wanted:
    """By `docustack.yaml` here or above and the person's settings; elsewhere what was worked for last.

    Raises:
        CommandFailed: USAGE, nothing says so.
        ConfigurationError: `docustack.yaml` is wrong.
    """
    repositories = list(Settings.load(Process.CLIENT).repositories)
    environments: tuple[str, ...] = ()
    here = Path.cwd()
    for path in (folder / CONFIGURATION_PATH for folder in (here, *here.parents)):
        if path.is_file():
            rules = load_configuration(path.read_text(encoding="utf-8", errors="replace"), str(path))
            repositories += [rules.repository] if rules.repository and rules.repository not in repositories else []
            environments = tuple(rules.environments)
            break
    if remembered is not None:
        repositories = repositories or list(remembered.repositories)
        environments = environments or remembered.environments
    if not repositories or not environments:
        raise CommandFailed(
            "Which live repository? Standalone, its clone says so.",
            f"Call it in a clone whose {CONFIGURATION_PATH} has the key `repository`,",
            f"or set {variable('repositories')} too.",
            code=ExitCode.USAGE,
        )
    return Wanted(tuple(repositories), environments)


def engine_environment() -> dict[str, str]:
    """This process' environment as the worker and the server get it.

    Where no token or App of DocuStack's own is set, they act as the person, with the person's token.

    Raises:
        CommandFailed: no token is at hand, GitHub refuses it or doesn't answer.
    """
    settings = Settings.load(Process.CLIENT)
    environ = without_proxy(environment_of_engine())
    for name in ("terragrunt", "terraform"):
        environ[variable(name)] = executable(name, settings)
    if settings.github_app_id is None and settings.github_token is None:
        given = settings.github_user_token
        environ[variable("github_token")] = given.get_secret_value() if given else own_token(settings)
    if settings.github_app_id is None and settings.bot_login is None:
        environ[variable("bot_login")] = _login_of(settings.github_api_url, environ[variable("github_token")])
    return environ


def digests(environ: Mapping[str, str], key: str) -> dict[str, str]:
    """What the work depends on, so that another command's can be compared and nothing of it can be read."""
    return {
        name: hmac.new(key.encode(), value.encode(), hashlib.sha256).hexdigest()
        for name, value in environ.items()
        if name.startswith(_OF_WORK) and not name.startswith(_OF_A_PERSON)
    }


def login_of_person() -> str:
    """Whose token is at hand.

    Raises:
        CommandFailed: none is, GitHub refuses it or doesn't answer.
    """
    settings = Settings.load(Process.CLIENT)
    given = settings.github_user_token
    return _login_of(settings.github_api_url, given.get_secret_value() if given else own_token(settings))


def _login_of(api_url: str, token: str) -> str:
    try:
        response = httpx.get(
            f"{api_url.rstrip('/')}/user", headers={"authorization": f"Bearer {token}"}, timeout=_ANSWERS_WITHIN
        )
    except httpx.HTTPError as error:
        raise CommandFailed(
            f"GitHub at {api_url} doesn't answer: {type(error).__name__}.",
            "Standalone too, GitHub says who you are and has the live repository.",
            code=ExitCode.UNREACHABLE,
        ) from None
    try:
        response.raise_for_status()
        return _User.model_validate_json(response.content).login
    except (httpx.HTTPStatusError, ValidationError):
        raise CommandFailed(
            f"GitHub at {api_url} doesn't say whose token this is: it answered {response.status_code}.",
            f"Sign in anew with `gh auth login`, or set {variable('github_user_token')}.",
            code=ExitCode.USAGE,
        ) from None
