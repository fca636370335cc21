"""Commands that are given where everybody sees them: as a comment in the pull request, by the person at the terminal.

GitHub says who that is, the pull request keeps what was said, and there is one way to unlock or apply, not two.
"""

import os
import time
from datetime import timedelta

import httpx
from pydantic import BaseModel, TypeAdapter, ValidationError

from docustack.comment_text import as_text
from docustack.pull_request_state import PullRequestState
from docustack.repository import Repository
from starter.console import errors
from starter.exit_codes import CommandFailed, ExitCode
from starter.github_token import own_token
from starter.server_client import world_token_missing
from starter.surroundings import living_world
from worker.settings import Process, Settings, variable

_ANSWERS_WITHIN = 30.0
_EVERY = 1.0
_SIGNS = {"+1": True, "rocket": True, "-1": False, "confused": False}
"""What a command's end looks like (docs/commands.md), and whether it went well."""


class _User(BaseModel):
    login: str


class _Comment(BaseModel):
    id: int
    html_url: str
    body: str = ""
    user: _User | None = None


class _Reaction(BaseModel):
    content: str
    user: _User | None = None


_REACTIONS = TypeAdapter(list[_Reaction])
_COMMENTS = TypeAdapter(list[_Comment])


class Commenter:
    """One person's comments on GitHub."""

    def __init__(self, api_url: str, token: str) -> None:
        self._api_url = api_url.rstrip("/")
        self._headers = {"authorization": f"Bearer {token}", "accept": "application/vnd.github+json"}

    def carry_out(
        self, repository: Repository, number: int, state: PullRequestState, words: str, *, within: timedelta, fails: str
    ) -> str:
        """Comment a command, and wait until it has ended well; gives the comment's address.

        Raises:
            CommandFailed: GitHub doesn't take the comment, the command has no sign in time, or it ended badly: then
                `fails` says so, with what the pull request was told.
        """
        address, went_well = self._command(repository, number, state, words, within)
        if not went_well:
            said = self._answer_after(repository, number, state, address)
            raise CommandFailed(fails, *as_text(said).splitlines(), address)
        return address

    def _command(
        self, repository: Repository, number: int, state: PullRequestState, words: str, within: timedelta
    ) -> tuple[str, bool]:
        """The comment's address, and whether the sign at its end is a good one."""
        issue = f"repos/{repository.full_name}/issues"
        body = f"{state.comment_prefixes[0]} {words}"
        sent = self._ask("POST", f"{issue}/{number}/comments", {"body": body})
        comment = _Comment.model_validate_json(sent)
        errors().print(f"Commented in #{number}: {body}", markup=False)
        end = time.monotonic() + within.total_seconds()
        with errors().status("Waiting for its end…"):
            while time.monotonic() < end:
                found = _REACTIONS.validate_json(self._ask("GET", f"{issue}/comments/{comment.id}/reactions"))
                signs = [one.content for one in found if one.user and one.user.login == state.bot_login]
                for sign in signs:
                    if sign in _SIGNS:
                        return comment.html_url, _SIGNS[sign]
                time.sleep(_EVERY)
        raise CommandFailed(
            f"It has no end yet: it may wait for an approval, or something else may run in #{number} before it.",
            f"It goes on by itself; its answer comes there: {comment.html_url}",
            code=ExitCode.UNREACHABLE,
        )

    def _answer_after(self, repository: Repository, number: int, state: PullRequestState, since: str) -> str:
        """The bot's newest comment since the one at `since`, which was refused; empty where there is none."""
        found = _COMMENTS.validate_json(
            self._ask("GET", f"repos/{repository.full_name}/issues/{number}/comments?per_page=100")
        )
        after = found[next((i for i, one in enumerate(found) if one.html_url == since), len(found)) :]
        said = [one.body for one in after if one.user and one.user.login == state.bot_login]
        return said[-1].partition("<!--")[0].strip() if said else ""

    def _ask(self, method: str, path: str, content: object = None) -> bytes:
        try:
            response = httpx.request(
                method, f"{self._api_url}/{path}", json=content, headers=self._headers, timeout=_ANSWERS_WITHIN
            )
        except httpx.HTTPError as error:
            raise CommandFailed(
                f"GitHub at {self._api_url} doesn't answer: {type(error).__name__}.",
                f"{variable('github_api_url')} says where it is.",
                code=ExitCode.UNREACHABLE,
            ) from None
        if response.status_code == 401:
            raise CommandFailed("GitHub doesn't know your token.", "Sign in with `gh auth login`.", code=ExitCode.USAGE)
        if not response.is_success:
            raise CommandFailed(
                f"GitHub doesn't take it from you: {response.status_code} {_message(response)}",
                "Your token needs to write comments on pull requests there.",
            )
        return response.content


def connect_github() -> Commenter:
    """GitHub as the person whose token is at hand: that of the local world, where one lives, else the configured one.

    Raises:
        CommandFailed: USAGE, no token is known.
    """
    settings = Settings.load(Process.CLIENT)
    given = settings.github_user_token.get_secret_value() if settings.github_user_token else ""
    world = None if os.environ.get(variable("temporal_address")) else living_world()
    if world is None:
        return Commenter(settings.github_api_url, given or own_token(settings))
    if not given:
        raise world_token_missing()
    return Commenter(world.url("github"), given)


def _message(response: httpx.Response) -> str:
    try:
        return _Refusal.model_validate_json(response.content).message[:200]
    except ValidationError:
        return response.reason_phrase


class _Refusal(BaseModel):
    message: str
