"""The user of a token, teams and their members, collaborators, the rate limit."""

import time

from local.github import people
from local.github.api.call import Answer, Call, route
from local.github.bodies import Body
from local.github.bodies import people as bodies
from local.github.errors import forbidden, not_found
from local.github.records import Team

_ROLES = {"none": "none", "read": "read", "triage": "read", "write": "write", "maintain": "write", "admin": "admin"}
_RIGHTS = ("pull", "triage", "push", "maintain", "admin")
_ORDER = ("read", "triage", "write", "maintain", "admin")


def current(call: Call) -> Answer:
    return Answer(bodies.full_user(call.hub, call.actor))


def list_teams(call: Call) -> Answer:
    _require_member(call)
    return call.page([bodies.team(call.hub, team) for team in call.hub.store.all(Team)])


def get_team(call: Call) -> Answer:
    return Answer(bodies.full_team(call.hub, _team(call)))


def list_members(call: Call) -> Answer:
    logins = people.members(call.hub.store, _team(call).slug)
    return call.page([bodies.user(call.hub, call.hub.user(login)) for login in logins])


def membership(call: Call) -> Answer:
    team, login = _team(call), call.parameters["username"]
    state = people.membership(call.hub.store, team.slug, login)
    if state is None:
        raise not_found()
    return Answer({"url": call.url, "role": "member", "state": state})


def is_collaborator(call: Call) -> Answer:
    user = call.hub.user(call.parameters["username"])
    if not (user.may_push or user.organization_member):
        raise not_found()
    return Answer(None, 204)


def permission(call: Call) -> Answer:
    user = call.hub.user(call.parameters["username"])
    held = _ORDER.index(user.permission) + 1 if user.permission in _ORDER else 0
    rights: Body = {right: place < held for place, right in enumerate(_RIGHTS)}
    shown = {**bodies.user(call.hub, user), "permissions": rights, "role_name": user.permission}
    return Answer({"permission": _ROLES[user.permission], "role_name": user.permission, "user": shown})


def rate_limit(call: Call) -> Answer:
    rate: Body = {"limit": 5000, "used": 1, "remaining": 4999, "reset": int(time.time()) + 3600}
    return Answer({"resources": {"core": rate, "search": rate, "graphql": rate}, "rate": rate})


def _require_member(call: Call) -> None:
    if not call.actor.organization_member and call.actor.kind != "Bot":
        raise forbidden("Must be a member of the organization.")


def _team(call: Call) -> Team:
    _require_member(call)
    team = call.hub.store.first(Team, call.parameters["slug"])
    if team is None:
        raise not_found()
    return team


routes = [
    route("GET", "/user", current),
    route("GET", "/rate_limit", rate_limit),
    route("GET", "/orgs/{org}/teams", list_teams),
    route("GET", "/orgs/{org}/teams/{slug}", get_team),
    route("GET", "/orgs/{org}/teams/{slug}/members", list_members),
    route("GET", "/orgs/{org}/teams/{slug}/memberships/{username}", membership),
    route("GET", "{repo}/collaborators/{username}", is_collaborator),
    route("GET", "{repo}/collaborators/{username}/permission", permission),
]
