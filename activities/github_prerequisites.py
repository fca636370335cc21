"""Asks GitHub for what a live repository needs: access, the person's rights, teams, the webhook and its deliveries."""

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import githubkit
from githubkit import AppInstallationAuthStrategy
from pydantic import BaseModel, ConfigDict, TypeAdapter
from temporalio.exceptions import ApplicationError

from activities.github_bodies import MEMBERSHIP
from activities.github_calls import is_not_found, read
from activities.limited_checks import limited
from docustack.github_prerequisites import Delivery, GitHubExpectations, Webhook
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
    """`engine` is the identity of DocuStack, `person` that of who asks; each may be unknown."""

    repository: Repository
    teams: Sequence[str]  # slugs
    public_url: str
    engine: Client | None
    person: Client | None
    sign_in: str = "gh auth login"

    async def check(self) -> list[Prerequisite]:
        """All at once, each with a limit of its own; what needs the person is skipped where nobody is known."""
        expected = GitHubExpectations(self.repository, self.public_url, self.sign_in)
        login = asyncio.ensure_future(self._login())
        made = await asyncio.gather(
            limited(expected.access, self._check_access(expected), _TOKEN),
            limited(expected.push, self._check_push(expected, login), self.sign_in),
            *(
                limited(expected.team(slug), self._check_team(expected, slug, login), self.sign_in)
                for slug in dict.fromkeys(self.teams)
            ),
        )
        return [*made, *await self._check_webhook(expected)]

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
