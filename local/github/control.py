"""`/_stand_in/…`: what a test or the local world does to the stand-in that GitHub's API has no words for."""

import html
import subprocess
import zlib
from collections.abc import Awaitable, Callable

from pydantic import BaseModel, ConfigDict, Field, ValidationError
from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from local.github import hook, merge_queue, people, pushes
from local.github.bodies import Body
from local.github.errors import GitHubError
from local.github.hub import Hub
from local.github.records import Delivery, Fork, Permission, Protection, PullRequest, Team, User

FAULTS = frozenset(
    {
        "secondary_rate_limit",  # 403 with `retry-after`, nothing done
        "server_error",  # `status`, nothing done
        "lost_answer",  # the request is carried out, the caller gets `status`
        "slow",  # answered after `delay` seconds
        "mergeability_unknown",  # `mergeable: null`, as right after a push; the path is `/NUMBER`
        "drop_deliveries",  # webhooks are recorded as failed, never sent; the path is the event
    }
)
Act = Callable[[Hub, Request, bytes], Body | None]


class UserChange(BaseModel):
    """Makes a login, or changes its right on the repository."""

    model_config = ConfigDict(extra="forbid")

    permission: Permission
    organization_member: bool = True
    name: str = ""


class TeamChange(BaseModel):
    """Makes a team, or sets its members (login: `active` or `pending`) and the team above it."""

    model_config = ConfigDict(extra="forbid")

    members: dict[str, str]
    parent: str | None = None


class ProtectionChange(BaseModel):
    model_config = ConfigDict(extra="forbid")

    required_checks: list[str] = Field(default_factory=list)
    required_approvals: int = Field(default=0, ge=0)


class Enqueuing(BaseModel):
    """Puts a pull request into the merge queue of its base branch, as this login."""

    model_config = ConfigDict(extra="forbid")

    actor: str


class ForkChange(BaseModel):
    model_config = ConfigDict(extra="forbid")

    owner: str


def _route(method: str, path: str, act: Act) -> Route:
    return Route(f"/_stand_in{path}", _endpoint(act), methods=[method])


def _endpoint(act: Act) -> Callable[[Request], Awaitable[Response]]:
    async def endpoint(request: Request) -> Response:
        body = await request.body()
        try:
            content = await run_in_threadpool(_act, act, request, body)
        except ValidationError as error:
            return JSONResponse({"message": str(error)}, status_code=422)
        except GitHubError as error:
            return JSONResponse(error.body(), status_code=error.status)
        return JSONResponse(content) if content is not None else Response(status_code=204)

    return endpoint


def _act(act: Act, request: Request, body: bytes) -> Body | None:
    hub: Hub = request.app.state.hub
    with hub.store.transaction():
        return act(hub, request, body)


def health(hub: Hub, request: Request, body: bytes) -> Body:
    """What is running; `waiting` counts webhooks not yet sent."""
    return {
        "repository": hub.settings.full_name,
        "pulls": len(hub.store.all(PullRequest)),
        "waiting": len(hub.store.all(Delivery, "waiting")),
    }


def pushed(hub: Hub, request: Request, body: bytes) -> None:
    pushes.notice(hub)
    merge_queue.advance(hub)


def put_user(hub: Hub, request: Request, body: bytes) -> Body:
    wanted, login = UserChange.model_validate_json(body), request.path_params["login"]
    user = hub.store.first(User, login)
    if user is None:
        name = wanted.name or login
        user = people.add_user(
            hub.store, login, name, wanted.permission, organization_member=wanted.organization_member
        )
    else:
        user = user.model_copy(update=wanted.model_dump(exclude_defaults=True))
        hub.store.save(user)
    people.write_tokens(hub.store, hub.settings.data_dir)
    return {"login": user.login, "permission": user.permission}


def put_team(hub: Hub, request: Request, body: bytes) -> Body:
    slug = request.path_params["slug"]
    team = hub.store.first(Team, slug) or hub.store.add(Team(slug=slug, name=slug))
    wanted = TeamChange.model_validate_json(body)
    for login in wanted.members:
        hub.user(login)
    changed = Team.model_validate({**team.model_dump(), **wanted.model_dump()})
    hub.store.save(changed)
    return changed.model_dump()


def put_protection(hub: Hub, request: Request, body: bytes) -> Body:
    branch = request.path_params["branch"]
    rule = hub.store.first(Protection, branch) or hub.store.add(Protection(branch=branch))
    changed = rule.model_copy(update=ProtectionChange.model_validate_json(body).model_dump())
    hub.store.save(changed)
    return changed.model_dump()


def remove_protection(hub: Hub, request: Request, body: bytes) -> None:
    rule = hub.store.first(Protection, request.path_params["branch"])
    if rule is not None:
        hub.store.remove(rule)


def enqueue(hub: Hub, request: Request, body: bytes) -> None:
    actor = hub.user(Enqueuing.model_validate_json(body).actor)
    merge_queue.enqueue(hub, actor, hub.pull(request.path_params["number"]))


def make_fork(hub: Hub, request: Request, body: bytes) -> Body:
    """Fork the repository into an account; the answer says where to push."""
    owner = hub.user(ForkChange.model_validate_json(body).owner).login
    fork = hub.store.first(Fork, owner)
    if fork is None:
        target = (hub.settings.data_dir / "forks" / f"{owner}.git").resolve()
        target.parent.mkdir(exist_ok=True)
        command = ["git", "clone", "--quiet", "--bare", str(hub.settings.git_dir), str(target)]
        subprocess.run(command, check=True, capture_output=True)
        hook.install(target, hub.settings.data_dir)
        fork = hub.store.add(Fork(owner=owner, git_dir=str(target)))
    return {"owner": owner, "git_dir": fork.git_dir}


async def avatar(request: Request) -> Response:
    """A coloured disc with a letter, since nothing is loaded from elsewhere."""
    login: str = request.path_params["login"]
    hue = zlib.crc32(login.encode()) % 360
    letter = html.escape(login[:1].upper())
    picture = (
        '<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 40 40">'
        f'<rect width="40" height="40" fill="hsl({hue} 45% 45%)"/>'
        '<text x="20" y="21" fill="#fff" font-family="sans-serif" font-size="20" text-anchor="middle"'
        f' dominant-baseline="middle">{letter}</text></svg>'
    )
    return Response(picture, media_type="image/svg+xml", headers={"cache-control": "max-age=3600"})


routes = [
    _route("GET", "/health", health),
    _route("POST", "/pushed", pushed),
    _route("PUT", "/users/{login}", put_user),
    _route("PUT", "/teams/{slug}", put_team),
    _route("PUT", "/protection/{branch:path}", put_protection),
    _route("DELETE", "/protection/{branch:path}", remove_protection),
    _route("POST", "/forks", make_fork),
    _route("POST", "/merge-queue/{number}", enqueue),
    Route("/_stand_in/avatars/{login}.svg", avatar),
]
