"""Pull requests: https://docs.github.com/rest/pulls/pulls."""

from typing import Literal

from pydantic import BaseModel

from local.github import merging, pulls
from local.github.api.call import Answer, Call, route
from local.github.bodies.commits import changed_file
from local.github.bodies.pulls import pull_request, simple_pull
from local.github.records import PullRequest


class PullCreate(BaseModel):
    title: str
    head: str
    base: str
    body: str | None = None
    draft: bool = False


class PullUpdate(BaseModel):
    """GitHub's own fields, and `draft`, which GitHub lets change only by GraphQL: here people change it too."""

    title: str | None = None
    body: str | None = None
    base: str | None = None
    state: Literal["open", "closed"] | None = None
    draft: bool | None = None


class PullMerge(BaseModel):
    commit_title: str | None = None
    commit_message: str | None = None
    sha: str | None = None
    merge_method: merging.Method = "merge"


def list_pulls(call: Call) -> Answer:
    state = call.query.get("state", "open")
    found = [pull for pull in call.hub.store.all(PullRequest) if state in (pull.state, "all")]
    if base := call.query.get("base"):
        found = [pull for pull in found if pull.base_ref == base]
    if head := call.query.get("head"):
        found = [pull for pull in found if f"{pull.head_owner}:{pull.head_ref}" == head]
    updated = call.query.get("sort") == "updated"
    ascending = call.query.get("direction", "desc" if "sort" not in call.query or updated else "asc") == "asc"
    found.sort(key=lambda pull: (pull.updated_at if updated else pull.created_at, pull.number), reverse=not ascending)
    return call.page([simple_pull(call.hub, pull) for pull in found])


def create(call: Call) -> Answer:
    wanted = call.read(PullCreate)
    return Answer(pull_request(call.hub, pulls.open_pull(call.hub, call.actor, **wanted.model_dump())), 201)


def get(call: Call) -> Answer:
    return Answer(pull_request(call.hub, call.hub.pull(call.number("number"))))


def update(call: Call) -> Answer:
    hub, actor, wanted = call.hub, call.actor, call.read(PullUpdate)
    pull = hub.pull(call.number("number"))
    pull = pulls.edit(hub, actor, pull, title=wanted.title, body=wanted.body, base=wanted.base)
    if wanted.draft is not None:
        pull = pulls.set_draft(hub, actor, pull, wanted.draft)
    if wanted.state == "closed":
        pull = pulls.close(hub, actor, pull)
    elif wanted.state == "open":
        pull = pulls.reopen(hub, actor, pull)
    return Answer(pull_request(hub, pull))


def merge(call: Call) -> Answer:
    wanted = call.read(PullMerge)
    sha = merging.merge(
        call.hub,
        call.actor,
        call.hub.pull(call.number("number")),
        method=wanted.merge_method,
        sha=wanted.sha,
        title=wanted.commit_title,
        message=wanted.commit_message,
    )
    return Answer({"sha": sha, "merged": True, "message": "Pull Request successfully merged"})


def is_merged(call: Call) -> Answer:
    return Answer(None, 204 if call.hub.pull(call.number("number")).merged else 404)


def files(call: Call) -> Answer:
    pull = call.hub.pull(call.number("number"))
    changed = call.hub.repository.changed_files(pull.base_sha, pull.head_sha)
    return call.page([changed_file(call.hub, pull.head_sha, entry) for entry in changed])


routes = [
    route("GET", "{repo}/pulls", list_pulls),
    route("POST", "{repo}/pulls", create),
    route("GET", "{repo}/pulls/{number}", get),
    route("PATCH", "{repo}/pulls/{number}", update),
    route("PUT", "{repo}/pulls/{number}/merge", merge),
    route("GET", "{repo}/pulls/{number}/merge", is_merged),
    route("GET", "{repo}/pulls/{number}/files", files),
]
