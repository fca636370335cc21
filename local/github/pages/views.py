"""The pages that show: the list of pull requests, and of each its conversation, files and checks."""

from collections.abc import Awaitable, Callable, Mapping
from datetime import datetime
from pathlib import Path

from jinja2 import Environment, FileSystemLoader
from markupsafe import Markup
from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import HTMLResponse, RedirectResponse, Response
from starlette.routing import Route

from local.github import pushes
from local.github.errors import GitHubError, not_found
from local.github.git import GitError
from local.github.hub import Hub, now
from local.github.mergeability import latest_checks, mergeability
from local.github.pages import differences, timeline
from local.github.pages.markdown import rendered
from local.github.records import Comment, PullRequest, User

REPOSITORY = "/{owner}/{repository}"
_PICTURES = {
    "+1": "👍",
    "-1": "👎",
    "laugh": "😄",
    "confused": "😕",
    "heart": "❤️",
    "hooray": "🎉",
    "rocket": "🚀",
    "eyes": "👀",
}
_templates = Environment(
    loader=FileSystemLoader(Path(__file__).parent / "templates"), autoescape=True, trim_blocks=True, lstrip_blocks=True
)
_templates.globals |= {"pictures": _PICTURES, "lines": differences.lines, "light": timeline.light}
View = Callable[[Hub, Request], Response]


def page(hub: Hub, request: Request, template: str, values: Mapping[str, object], status: int = 200) -> Response:
    """One template, with what every page has."""
    people = hub.store.all(User)
    logins = frozenset(user.login for user in people)

    def markdown(text: str | None) -> Markup:
        return rendered(text, logins)

    common = {
        "settings": hub.settings,
        "home": f"/{hub.settings.full_name}",
        "people": [user for user in people if user.kind == "User"],
        "bots": [user.login for user in people if user.kind == "Bot"],
        "acting": request.cookies.get("acting", "developer"),
        "markdown": markdown,
        "ago": _ago,
        "open_count": sum(1 for pull in hub.store.all(PullRequest) if pull.state == "open"),
    }
    return HTMLResponse(_templates.get_template(template).render({**common, **values}), status_code=status)


def view_route(path: str, view: View) -> Route:
    return Route(REPOSITORY + path, endpoint(view), methods=["GET"])


def endpoint(view: View) -> Callable[[Request], Awaitable[Response]]:
    async def answer(request: Request) -> Response:
        return await run_in_threadpool(viewed, view, request)

    return answer


def viewed(view: View, request: Request) -> Response:
    hub: Hub = request.app.state.hub
    named = f"{request.path_params['owner']}/{request.path_params['repository']}"
    try:
        if named != hub.settings.full_name:
            raise not_found()
        with hub.store.transaction():
            pushes.notice(hub)
            return view(hub, request)
    except GitHubError as error:
        return HTMLResponse(error.reason(), status_code=error.status, media_type="text/plain")
    except GitError as error:
        return HTMLResponse(f"git: {error}", status_code=500, media_type="text/plain")


def pulls(hub: Hub, request: Request) -> Response:
    """The list, newest first."""
    state = "closed" if request.query_params.get("state") == "closed" else "open"
    every = hub.store.all(PullRequest)[::-1]
    rows = [
        {
            "pull": pull,
            "comments": len(hub.store.all(Comment, pull.within)),
            "light": timeline.light(latest_checks(hub, pull.head_sha)),
        }
        for pull in every
        if pull.state == state
    ]
    counts = {name: sum(1 for pull in every if pull.state == name) for name in ("open", "closed")}
    return page(hub, request, "pulls.html", {"rows": rows, "state": state, "counts": counts})


def new(hub: Hub, request: Request) -> Response:
    """The form that opens a pull request from a pushed branch."""
    return show_new(hub, request, {})


def show_new(hub: Hub, request: Request, typed: Mapping[str, str], error: str = "", status: int = 200) -> Response:
    taken = {pull.head_ref for pull in hub.store.all(PullRequest) if pull.state == "open"}
    branches = [ref.removeprefix("refs/heads/") for ref in hub.repository.branches()]
    heads = [branch for branch in branches if branch not in taken and branch not in ("main", "staging")]
    values = {"branches": branches, "heads": heads, "typed": typed, "error": error}
    return page(hub, request, "new.html", values, status)


def conversation(hub: Hub, request: Request) -> Response:
    return show_conversation(hub, request, hub.pull(request.path_params["number"]))


def show_conversation(
    hub: Hub, request: Request, pull: PullRequest, *, typed: str = "", error: str = "", status: int = 200
) -> Response:
    """The conversation; after a refused action with what was typed, and why."""
    entries = timeline.timeline(hub, pull)
    values = {
        **_heading(hub, pull),
        "tab": "conversation",
        "entries": entries,
        "reviewers": list(
            {entry.review.author: entry for entry in entries if isinstance(entry, timeline.ReviewEntry)}.values()
        ),
        "merge": mergeability(hub, pull),
        "typed": typed,
        "error": error,
    }
    return page(hub, request, "conversation.html", values, status)


def files(hub: Hub, request: Request) -> Response:
    pull = hub.pull(request.path_params["number"])
    return page(hub, request, "files.html", {**_heading(hub, pull), "tab": "files"})


def checks(hub: Hub, request: Request) -> Response:
    pull = hub.pull(request.path_params["number"])
    return page(hub, request, "checks.html", {**_heading(hub, pull), "tab": "checks"})


def commit(hub: Hub, request: Request) -> Response:
    sha = hub.repository.resolve(request.path_params["sha"])
    if sha is None:
        raise not_found()
    found = hub.repository.commit(sha)
    changed = hub.repository.changed_files(found.parents[0], sha) if found.parents else []
    return page(hub, request, "commit.html", {"commit": found, "changed": changed})


def _heading(hub: Hub, pull: PullRequest) -> dict[str, object]:
    """What stands above every page of one pull request."""
    start = hub.repository.merge_base(pull.base_sha, pull.head_sha) or pull.base_sha
    return {
        "pull": pull,
        "commit_count": hub.repository.count(f"{start}..{pull.head_sha}"),
        "comment_count": len(hub.store.all(Comment, pull.within)),
        "changed": hub.repository.changed_files(pull.base_sha, pull.head_sha),
        "checks": sorted(latest_checks(hub, pull.head_sha), key=lambda run: run.name),
    }


def _ago(moment: datetime) -> str:
    seconds = int((now() - moment).total_seconds())
    for size, unit in ((86_400, "day"), (3_600, "hour"), (60, "minute")):
        if seconds >= size:
            count = seconds // size
            return f"{count} {unit}{'s' if count > 1 else ''} ago"
    return "now"


def home(hub: Hub, request: Request) -> Response:
    return RedirectResponse(f"/{hub.settings.full_name}/pulls")


async def start(request: Request) -> Response:
    hub: Hub = request.app.state.hub
    return home(hub, request)


routes = [
    Route("/", start),
    view_route("", home),
    view_route("/pulls", pulls),
    view_route("/compare", new),
    view_route("/commit/{sha}", commit),
    view_route("/pull/{number:int}", conversation),
    view_route("/pull/{number:int}/files", files),
    view_route("/pull/{number:int}/checks", checks),
]
