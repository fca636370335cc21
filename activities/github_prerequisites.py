"""Asks GitHub for what a live repository needs: access, rights, teams, the webhook and its deliveries."""

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from typing import Any

import githubkit
from githubkit import AppInstallationAuthStrategy
from pydantic import BaseModel, ConfigDict, TypeAdapter
from temporalio.exceptions import ApplicationError

from activities.github_bodies import MEMBERSHIP
from activities.github_calls import ask, is_not_found, read
from activities.limited_checks import limited
from docustack.errors import ErrorType
from docustack.github_prerequisites import PUSHES, Delivery, GitHubExpectations, Webhook
from docustack.prerequisites import Prerequisite
from docustack.repository import Repository

Client = githubkit.GitHub[Any]

_HOOKS = "webhooks: read (a classic token: admin:repo_hook)"
_TOKEN = "export DOCUSTACK_GITHUB_TOKEN=$(gh auth token)"  # noqa: S105 - a command
_SCOPE = "gh auth refresh --scopes admin:repo_hook"


class _Body(BaseModel):
    model_config = ConfigDict(extra="ignore")


class _Rights(_Body):
    push: bool = False


class _Repository(_Body):
    default_branch: str = ""
    permissions: _Rights = _Rights()


class _User(_Body):
    login: str


class _Team(_Body):
    members_count: int = 0


class _Config(_Body):
    url: str = ""
    content_type: str = ""


class _Hook(_Body):
    id: int
    active: bool = True
    events: list[str] = []
    config: _Config = _Config()


class _Delivery(_Body):
    id: int
    guid: str
    event: str
    status: str
    status_code: int
    delivered_at: str


_REPOSITORY, _USER, _TEAM = TypeAdapter(_Repository), TypeAdapter(_User), TypeAdapter(_Team)
_HOOK_LIST, _DELIVERIES, _APP_HOOK = TypeAdapter(list[_Hook]), TypeAdapter(list[_Delivery]), TypeAdapter(_Config)


@dataclass(frozen=True)
class GitHubPrerequisites:
    """`engine` is the identity of DocuStack, `person` that of who asks; each may be unknown.

    `try_push` goes as far as a push of the worker's git does, and raises where it was refused.
    """

    repository: Repository
    teams: Sequence[str]  # slugs
    public_url: str
    engine: Client | None
    person: Client | None
    sign_in: str = "gh auth login"
    try_push: Callable[[], Awaitable[None]] | None = None

    async def check_engine(self, *, pushes: bool) -> list[Prerequisite]:
        """What a worker itself needs for a deployment; with `pushes` also for a bootstrap, which offers a change.

        Raises:
            ApplicationError: retryable; GitHub is away or busy, so nothing is known.
        """
        expected = GitHubExpectations(self.repository, self.public_url, self.sign_in)
        nobody: asyncio.Future[str | None] = asyncio.get_running_loop().create_future()
        nobody.set_result(None)
        mend = f"give DocuStack's token or App members: read of {self.repository.owner}"
        made = await asyncio.gather(
            limited(expected.access, self._check_access(expected), _TOKEN, asked_again=True),
            *(self._pushing(expected, asked_again=True) if pushes else ()),
            *self._teams(expected, nobody, mend, asked_again=True),
            return_exceptions=True,  # what one of them raises is told once all have ended
        )
        for each in made:
            if isinstance(each, BaseException):
                raise each
        return [each for each in made if not isinstance(each, BaseException)]

    async def check(self) -> list[Prerequisite]:
        """All at once, each with a limit of its own; what needs the person is skipped where nobody is known."""
        expected = GitHubExpectations(self.repository, self.public_url, self.sign_in)
        login = asyncio.ensure_future(self._login())
        made = await asyncio.gather(
            limited(expected.access, self._check_access(expected), _TOKEN),
            limited(expected.push, self._check_push(expected, login), self.sign_in),
            *self._teams(expected, login, self.sign_in),
            *self._pushing(expected),
        )
        optional = [check.as_optional() if check.name in PUSHES else check for check in made]
        return [*optional, *await self._check_webhook(expected)]

    def _teams(
        self,
        expected: GitHubExpectations,
        login: "asyncio.Future[str | None]",
        mend: str,
        *,
        asked_again: bool = False,
    ) -> list[Awaitable[Prerequisite]]:
        return [
            limited(expected.team(slug), self._check_team(expected, slug, login), mend, asked_again=asked_again)
            for slug in dict.fromkeys(self.teams)
        ]

    def _pushing(self, expected: GitHubExpectations, *, asked_again: bool = False) -> list[Awaitable[Prerequisite]]:
        mend = f"give DocuStack's account write access: https://github.com/{self.repository.full_name}/settings/access"
        return [
            limited(expected.git_push, self._check_git_push(expected), mend, asked_again=asked_again),
            limited(expected.pull_requests, self._check_pull_requests(expected), mend, asked_again=asked_again),
        ]

    @property
    def _any(self) -> Client | None:
        return self.engine or self.person

    async def _login(self) -> str | None:
        if self.person is None:
            return None
        user = await read("read whose token it is", "", self.person.rest.users.async_get_authenticated(), _USER)
        return user.login

    async def _check_access(self, expected: GitHubExpectations) -> Prerequisite:
        if self._any is None:
            return expected.access.failed(
                "there is none: DOCUSTACK_GITHUB_TOKEN is not set, nor a GitHub App's", _TOKEN
            )
        await self._read_repository(self._any)
        whose = "" if self.engine else " (your own: DOCUSTACK_GITHUB_TOKEN is not set here)"
        return expected.access.met(f"it sees {self.repository.full_name}{whose}")

    async def _read_repository(self, client: Client) -> _Repository:
        owner, name = self.repository.owner, self.repository.name
        return await read(
            f"read {self.repository.full_name}", "metadata: read", client.rest.repos.async_get(owner, name), _REPOSITORY
        )

    async def _check_git_push(self, expected: GitHubExpectations) -> Prerequisite:
        if self.try_push is None:
            return expected.git_push.skipped("not asked: there is no token")
        await self.try_push()
        return expected.git_push.met(f"the worker's git may push to {self.repository.full_name}")

    async def _check_pull_requests(self, expected: GitHubExpectations) -> Prerequisite:
        """By one that can't be opened, of a branch into itself: GitHub looks at rights first, and then at that.

        What a token or an installation may do can't be read in any other way that holds for all kinds of them.
        """
        if self.engine is None:
            return expected.pull_requests.skipped("not asked: there is no token")
        branch = (await self._read_repository(self.engine)).default_branch
        owner, name = self.repository.owner, self.repository.name
        call = self.engine.rest.pulls.async_create(owner, name, title="May it?", head=branch, base=branch)
        try:
            await ask(f"open a pull request in {self.repository.full_name}", "pull requests: write", call)
        except ApplicationError as error:
            if error.type != ErrorType.INVALID_INPUT:
                raise
        return expected.pull_requests.met(f"it may open them in {self.repository.full_name}")

    async def _check_push(self, expected: GitHubExpectations, asked: "asyncio.Future[str | None]") -> Prerequisite:
        login = await asyncio.shield(asked)
        if self.person is None or login is None:
            return expected.nobody()
        return expected.judge_push(login, (await self._read_repository(self.person)).permissions.push)

    async def _check_team(
        self, expected: GitHubExpectations, slug: str, asked: "asyncio.Future[str | None]"
    ) -> Prerequisite:
        client = self._any
        if client is None:
            return expected.team(slug).skipped("not asked: there is no token")
        owner = self.repository.owner
        try:
            team = await read(
                f"read the team {owner}/{slug}",
                "members: read",
                client.rest.teams.async_get_by_name(owner, slug),
                _TEAM,
            )
        except ApplicationError as error:
            if is_not_found(error):
                return expected.no_team(slug)
            raise
        try:
            login = await asyncio.shield(asked)
        except ApplicationError:
            login = None  # told by the check of push access
        is_member = login is not None and await self._is_member(client, slug, login)
        return expected.judge_team(slug, team.members_count, login, is_member)

    async def _is_member(self, client: Client, slug: str, login: str) -> bool:
        try:
            call = client.rest.teams.async_get_membership_for_user_in_org(self.repository.owner, slug, login)
            return (
                await read(f"read {login}'s membership in {slug}", "members: read", call, MEMBERSHIP)
            ).state == "active"
        except ApplicationError as error:
            if is_not_found(error):
                return False
            raise

    # ---- the webhook -------------------------------------------------------------------------------------------------

    async def _check_webhook(self, expected: GitHubExpectations) -> list[Prerequisite]:
        if self._any is None:
            return [each.skipped("not asked: there is no token") for each in (expected.webhook, expected.deliveries)]
        found = _Found()
        webhook = await limited(expected.webhook, self._find_webhook(expected, found), _SCOPE)
        if found.hook is None or found.client is None:
            return [webhook, expected.deliveries.skipped(f"not asked: {expected.webhook.name} failed")]
        deliveries = self._check_deliveries(expected, found.hook, found.client)
        return [webhook, await limited(expected.deliveries, deliveries, _SCOPE)]

    async def _find_webhook(self, expected: GitHubExpectations, found: "_Found") -> Prerequisite:
        """Of the repository, as whoever may see it; else of the GitHub App."""
        refused: ApplicationError | None = None
        hooks: list[Webhook] = []
        for client in filter(None, (self.engine, self.person)):
            try:
                hooks = await self._list_hooks(client)
            except ApplicationError as error:
                refused = error
                continue
            refused = None
            found.hook, found.client = expected.choose(hooks), client
            break
        if found.hook is None and (app := _as_app(self.engine)) is not None:
            config = await read(
                "read the webhook of the GitHub App", "", app.rest.apps.async_get_webhook_config_for_app(), _APP_HOOK
            )
            hooks = [*hooks, Webhook(hook_id=None, url=config.url)]
            found.hook, found.client, refused = expected.choose(hooks), app, None
        if refused is not None:
            raise refused
        return expected.judge_webhook(found.hook, hooks)

    async def _list_hooks(self, client: Client) -> list[Webhook]:
        owner, name = self.repository.owner, self.repository.name
        call = client.rest.repos.async_list_webhooks(owner, name, per_page=100)
        hooks = await read(f"list the webhooks of {self.repository.full_name}", _HOOKS, call, _HOOK_LIST)
        return [
            Webhook(
                hook_id=hook.id,
                url=hook.config.url,
                content_type=hook.config.content_type,
                active=hook.active,
                events=tuple(hook.events),
            )
            for hook in hooks
        ]

    async def _check_deliveries(self, expected: GitHubExpectations, hook: Webhook, client: Client) -> Prerequisite:
        doing = "list the deliveries of the webhook"
        if hook.hook_id is None:
            found = await read(doing, _HOOKS, client.rest.apps.async_list_webhook_deliveries(per_page=50), _DELIVERIES)
        else:
            owner, name = self.repository.owner, self.repository.name
            call = client.rest.repos.async_list_webhook_deliveries(owner, name, hook.hook_id, per_page=50)
            found = await read(doing, _HOOKS, call, _DELIVERIES)
        deliveries = [
            Delivery(
                delivery_id=one.id,
                guid=one.guid,
                event=one.event,
                status=one.status,
                status_code=one.status_code,
                delivered_at=one.delivered_at,
            )
            for one in found
        ]
        return expected.judge_deliveries(hook, deliveries)


@dataclass
class _Found:
    hook: Webhook | None = None
    client: Client | None = None


def _as_app(client: Client | None) -> Client | None:
    """The GitHub App itself, without one of its installations: only it may read its own webhook."""
    if client is None or not isinstance(client.auth, AppInstallationAuthStrategy):
        return None
    return client.with_auth(client.auth.as_app())
