"""Who somebody is on GitHub: the teams a login is in, and whether it may push."""

import asyncio
import time
from collections.abc import Callable
from typing import Any

import githubkit
from temporalio.exceptions import ApplicationError

from activities.github_bodies import MEMBERSHIP, PERMISSION
from activities.github_calls import is_not_found, read
from docustack.access import Person
from docustack.repository import Repository

MEMBERSHIP_SECONDS = 60.0

_MEMBERS = "members: read, of the organisation"
_COLLABORATORS = "metadata: read"


class People:
    """Asks GitHub, and remembers memberships for a minute: a gate asks about the same people again and again."""

    def __init__(self, client: githubkit.GitHub[Any], *, clock: Callable[[], float] = time.monotonic) -> None:
        self._client = client
        self._clock = clock
        self._memberships: dict[tuple[str, str, str], tuple[float, bool]] = {}

    async def read_person(self, repository: Repository, login: str, teams: dict[str, str]) -> Person:
        """The person by the team names of docustack.yaml; `teams` maps each to GitHub's slug."""
        can_push, *in_teams = await asyncio.gather(
            self._can_push(repository, login),
            *(self._is_member(repository.owner, slug, login) for slug in teams.values()),
        )
        member_of = [name for name, is_in in zip(teams, in_teams, strict=True) if is_in]
        return Person(login=login, teams=tuple(member_of), can_push=can_push)

    async def _is_member(self, organisation: str, slug: str, login: str) -> bool:
        key = (organisation.lower(), slug.lower(), login.lower())
        now = self._clock()
        self._memberships = {k: v for k, v in self._memberships.items() if now - v[0] < MEMBERSHIP_SECONDS}
        if key not in self._memberships:
            self._memberships[key] = (now, await self._ask_membership(organisation, slug, login))
        return self._memberships[key][1]

    async def _ask_membership(self, organisation: str, slug: str, login: str) -> bool:
        try:
            membership = await read(
                f"read whether {login} is in the team {organisation}/{slug}",
                _MEMBERS,
                # Counts members of child teams too; an invitation that isn't accepted yet is `pending`.
                self._client.rest.teams.async_get_membership_for_user_in_org(organisation, slug, login),
                MEMBERSHIP,
            )
        except ApplicationError as error:
            if is_not_found(error):
                return False
            raise
        return membership.state == "active"

    async def _can_push(self, repository: Repository, login: str) -> bool:
        try:
            answer = await read(
                f"read the rights of {login} in {repository.full_name}",
                _COLLABORATORS,
                self._client.rest.repos.async_get_collaborator_permission_level(
                    repository.owner, repository.name, login
                ),
                PERMISSION,
            )
        except ApplicationError as error:
            if is_not_found(error):
                return False
            raise
        return answer.permission in ("admin", "write")
