"""Who there is: logins, their rights on the repository, teams with their members, tokens."""

import json
import os
import re
import secrets
from pathlib import Path

from local.github.errors import forbidden
from local.github.git import Person
from local.github.records import Permission, Team, User
from local.store import Store

BOT = "docustack[bot]"
NOREPLY = "users.noreply.github.com"

_PEOPLE: tuple[tuple[str, str, Permission, bool], ...] = (
    ("developer", "Dana Developer", "write", True),
    ("infra-member", "Ines Infra", "write", True),
    ("lead", "Leo Lead", "admin", True),
    ("second-lead", "Lea Lead", "write", True),
    ("security-reviewer", "Sam Security", "write", True),
    ("outsider", "Olga Outsider", "read", False),
    (BOT, "DocuStack", "write", False),
)
_TEAMS: tuple[tuple[str, str, tuple[str, ...]], ...] = (
    ("infra", "Applies to dev and staging", ("infra-member", "lead", "second-lead")),
    ("leads", "Approves and applies to production", ("lead", "second-lead")),
    ("security", "Reviews promotions to production", ("security-reviewer",)),
)


def settle(store: Store, data_dir: Path) -> None:
    """Make the people and teams of the local world, once, and write their tokens where the local world reads them."""
    with store.transaction():
        if not store.all(User):
            for login, name, permission, member in _PEOPLE:
                add_user(store, login, name, permission, organization_member=member)
            for slug, description, members in _TEAMS:
                team = Team(slug=slug, name=slug, description=description)
                team.members.update((login, "active") for login in members)
                store.add(team)
    write_tokens(store, data_dir)


def add_user(store: Store, login: str, name: str, permission: Permission, *, organization_member: bool) -> User:
    bot = login.endswith("[bot]")
    token = ("ghs_" if bot else "ghp_") + secrets.token_urlsafe(27).replace("-", "x").replace("_", "y")
    user = User(
        login=login,
        name=name,
        kind="Bot" if bot else "User",
        permission=permission,
        organization_member=organization_member,
        token=token,
    )
    return store.add(user)


def write_tokens(store: Store, data_dir: Path) -> None:
    """`tokens.json`: token by login, readable by its owner only."""
    target, draft = data_dir / "tokens.json", data_dir / "tokens.json.new"
    descriptor = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    with os.fdopen(descriptor, "w") as file:
        json.dump({user.login: user.token for user in store.all(User)}, file, indent=2)
    draft.replace(target)


def user_by_token(store: Store, token: str) -> User | None:
    matching = (user for user in store.all(User) if secrets.compare_digest(user.token.encode(), token.encode()))
    return next(matching, None)


def require_push(actor: User) -> None:
    """Raises GitHubError 403 for one who has no push right."""
    if not actor.may_push:
        raise forbidden(f"{actor.login} must have push access to the repository.")


def membership(store: Store, slug: str, login: str) -> str | None:
    """`active`, `pending`, or nothing. A member of a child team is a member of its parents."""
    states = {team.members[login] for team in _with_children(store, slug) if login in team.members}
    return "active" if "active" in states else "pending" if states else None


def members(store: Store, slug: str) -> list[str]:
    """Logins that are active in the team or in one below it."""
    teams = _with_children(store, slug)
    return sorted({login for team in teams for login, state in team.members.items() if state == "active"})


def _with_children(store: Store, slug: str) -> list[Team]:
    teams = store.all(Team)
    found = [team for team in teams if team.slug == slug]
    for parent in found:
        found.extend(team for team in teams if team.parent == parent.slug and team not in found)
    return found


def association(user: User | None) -> str:
    """How GitHub calls the author's relation to the repository."""
    if user is None or user.kind == "Bot":
        return "NONE"
    if user.organization_member:
        return "MEMBER"
    return "COLLABORATOR" if user.may_push else "NONE"


def signature(user: User) -> Person:
    """The name that GitHub writes into commits it makes for this person."""
    return Person(user.name, f"{user.id}+{user.login}@{NOREPLY}")


def login_of(store: Store, person: Person) -> str | None:
    """Whose commit it is: told by the part before the @, as in `developer@…` or `1+developer@…`."""
    login = re.sub(r"^\d+\+", "", person.email.partition("@")[0])
    return login if store.first(User, login) else None
