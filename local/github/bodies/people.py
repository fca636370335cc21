"""Users, the organisation and its teams, as GitHub shows them."""

from local.github.bodies import Body
from local.github.hub import Hub
from local.github.people import members
from local.github.records import Team, User

_USER_URLS = (
    "followers",
    "following",
    "gists",
    "starred",
    "subscriptions",
    "organizations",
    "orgs",
    "repos",
    "events",
    "received_events",
)
_ORGANIZATION_URLS = ("repos", "events", "hooks", "issues", "members", "public_members")
_LONG_AGO = "2024-01-01T00:00:00Z"


def account(hub: Hub, login: str, account_id: int, kind: str) -> Body:
    """A user, a bot or an organisation: the fields that GitHub puts wherever one is named."""
    api = f"{hub.url}/users/{login}"
    return {
        "login": login,
        "id": account_id,
        "node_id": f"U_{account_id}",
        "avatar_url": f"{hub.url}/_stand_in/avatars/{login}.svg",
        "gravatar_id": "",
        "url": api,
        "html_url": f"{hub.url}/{login}",
        **{f"{name}_url": f"{api}/{name}" for name in _USER_URLS},
        "type": kind,
        "user_view_type": "public",
        "site_admin": False,
    }


def user(hub: Hub, record: User) -> Body:
    return account(hub, record.login, record.id, record.kind)


def login(hub: Hub, name: str | None) -> Body | None:
    return user(hub, hub.user(name)) if name is not None else None


def full_user(hub: Hub, record: User) -> Body:
    return {
        **user(hub, record),
        "name": record.name,
        **dict.fromkeys(("company", "blog", "location", "email", "hireable", "bio")),
        **dict.fromkeys(("public_repos", "public_gists", "followers", "following"), 0),
        "created_at": _LONG_AGO,
        "updated_at": _LONG_AGO,
    }


def organization(hub: Hub) -> Body:
    owner = hub.settings.owner
    api = f"{hub.url}/orgs/{owner}"
    return {
        "login": owner,
        "id": 1,
        "node_id": "O_1",
        "url": api,
        **{f"{name}_url": f"{api}/{name}" for name in _ORGANIZATION_URLS},
        "avatar_url": f"{hub.url}/_stand_in/avatars/{owner}.svg",
        "description": None,
    }


def team(hub: Hub, record: Team) -> Body:
    api = f"{hub.url}/orgs/{hub.settings.owner}/teams/{record.slug}"
    parents = [other for other in hub.store.all(Team) if other.slug == record.parent]
    return {
        "id": record.id,
        "node_id": f"T_{record.id}",
        "name": record.name,
        "slug": record.slug,
        "description": record.description,
        "privacy": "closed",
        "notification_setting": "notifications_enabled",
        "permission": "pull",
        "url": api,
        "html_url": f"{hub.url}/orgs/{hub.settings.owner}/teams/{record.slug}",
        "members_url": f"{api}/members{{/member}}",
        "repositories_url": f"{api}/repos",
        "type": "organization",
        "organization_id": 1,
        "parent": {**team(hub, parents[0]), "parent": None} if parents else None,
    }


def full_team(hub: Hub, record: Team) -> Body:
    owner = hub.settings.owner
    return {
        **team(hub, record),
        "members_count": len(members(hub.store, record.slug)),
        "repos_count": 1,
        "created_at": _LONG_AGO,
        "updated_at": _LONG_AGO,
        "organization": {
            **account(hub, owner, 1, "Organization"),
            **organization(hub),
            "name": owner,
            "has_organization_projects": False,
            "has_repository_projects": False,
            **dict.fromkeys(("public_repos", "public_gists", "followers", "following"), 0),
            "created_at": _LONG_AGO,
            "updated_at": _LONG_AGO,
            "archived_at": None,
        },
    }
