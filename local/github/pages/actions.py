"""What a person does on the pages, as the login chosen there."""

from collections.abc import Awaitable, Callable, Mapping
from typing import cast, get_args
from urllib.parse import parse_qsl, urlsplit

from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response
from starlette.routing import Route

from local.github import conversation as talk
from local.github import merging, pulls
from local.github.errors import GitHubError, forbidden
from local.github.hub import Hub
from local.github.pages import views
from local.github.records import PullRequest, User

Form = Mapping[str, str]
Act = Callable[[Hub, User, PullRequest, Form], object]


def _comment_first(hub: Hub, actor: User, pull: PullRequest, form: Form) -> None:
    """Closing and reopening take along what was typed."""
    if form.get("body", "").strip():
        talk.comment(hub, actor, pull, form["body"])


def _comment(hub: Hub, actor: User, pull: PullRequest, form: Form) -> None:
    talk.comment(hub, actor, pull, form.get("body", ""))


def _approve(hub: Hub, actor: User, pull: PullRequest, form: Form) -> None:
    talk.review(hub, actor, pull, verdict="APPROVE", body=form.get("body", ""))


def _request_changes(hub: Hub, actor: User, pull: PullRequest, form: Form) -> None:
    talk.review(hub, actor, pull, verdict="REQUEST_CHANGES", body=form.get("body", ""))


def _close(hub: Hub, actor: User, pull: PullRequest, form: Form) -> None:
    _comment_first(hub, actor, pull, form)
    pulls.close(hub, actor, pull)


def _reopen(hub: Hub, actor: User, pull: PullRequest, form: Form) -> None:
    _comment_first(hub, actor, pull, form)
    pulls.reopen(hub, actor, pull)


def _merge(hub: Hub, actor: User, pull: PullRequest, form: Form) -> None:
    method = form.get("method", "merge")
    if method not in get_args(merging.Method):
        raise GitHubError(422, f"There is no merge method {method}.")
    merging.merge(hub, actor, pull, method=cast(merging.Method, method), sha=form.get("sha"))


def _ready(hub: Hub, actor: User, pull: PullRequest, form: Form) -> None:
    pulls.set_draft(hub, actor, pull, False)


def _draft(hub: Hub, actor: User, pull: PullRequest, form: Form) -> None:
    pulls.set_draft(hub, actor, pull, True)


_ACTS: dict[str, Act] = {
    "comment": _comment,
    "approve": _approve,
    "request_changes": _request_changes,
    "close": _close,
    "reopen": _reopen,
    "merge": _merge,
    "ready": _ready,
    "draft": _draft,
}


def on_pull(hub: Hub, request: Request, form: Form) -> Response:
    pull = hub.pull(request.path_params["number"])
    try:
        with hub.store.transaction():
            act = _ACTS.get(form.get("action", ""))
            if act is None:
                raise GitHubError(422, "There is no such action.")
            act(hub, hub.user(form.get("login", "")), pull, form)
    except GitHubError as error:
        return views.show_conversation(
            hub, request, pull, typed=form.get("body", ""), error=error.reason(), status=error.status
        )
    return RedirectResponse(f"/{hub.settings.full_name}/pull/{pull.number}#new", status_code=303)


def create(hub: Hub, request: Request, form: Form) -> Response:
    try:
        with hub.store.transaction():
            pull = pulls.open_pull(
                hub,
                hub.user(form.get("login", "")),
                title=form.get("title", ""),
                body=form.get("body") or None,
                head=form.get("head", ""),
                base=form.get("base", ""),
                draft="draft" in form,
            )
    except GitHubError as error:
        return views.show_new(hub, request, form, error.reason(), error.status)
    return RedirectResponse(f"/{hub.settings.full_name}/pull/{pull.number}", status_code=303)


def _route(path: str, act: Callable[[Hub, Request, Form], Response]) -> Route:
    return Route(views.REPOSITORY + path, _endpoint(act), methods=["POST"])


def _endpoint(act: Callable[[Hub, Request, Form], Response]) -> Callable[[Request], Awaitable[Response]]:
    async def endpoint(request: Request) -> Response:
        form = dict(parse_qsl((await request.body()).decode(errors="replace"), keep_blank_values=True))
        # Browsers send line ends as CR LF.
        form = {name: value.replace("\r\n", "\n") for name, value in form.items()}
        response = await run_in_threadpool(_acted, act, request, form)
        if login := form.get("login"):
            response.set_cookie("acting", login, httponly=True, samesite="strict")
        return response

    return endpoint


def _acted(act: Callable[[Hub, Request, Form], Response], request: Request, form: Form) -> Response:
    def view(hub: Hub, request: Request) -> Response:
        _require_own_page(request)
        return act(hub, request, form)

    return views.viewed(view, request)


def _require_own_page(request: Request) -> None:
    """A page from elsewhere, opened in the same browser, must not act here."""
    origin = request.headers.get("origin")
    if origin is not None and urlsplit(origin).netloc != request.headers.get("host"):
        raise forbidden("This form was sent from another site.")


routes = [_route("/pull/{number:int}", on_pull), _route("/compare", create)]
