"""The repository itself: commits, comparisons, branches, refs, files."""

import base64

from pydantic import BaseModel

from local.github import pushes
from local.github.api.call import Answer, Call, route
from local.github.bodies import Body, commits
from local.github.bodies.repository import repository
from local.github.errors import GitHubError, not_found
from local.github.people import require_push


class RefCreate(BaseModel):
    ref: str
    sha: str


class RefUpdate(BaseModel):
    sha: str
    force: bool = False


def commit_of(call: Call, revision: str) -> str:
    """The commit that a branch, tag or sha names. Raises GitHubError 422 when there is none."""
    sha = call.hub.repository.resolve(revision)
    if sha is None:
        raise GitHubError(422, f"No commit found for SHA: {revision}")
    return sha


def get_repository(call: Call) -> Answer:
    rights: Body = {"admin": call.actor.permission == "admin", "push": call.actor.may_push, "pull": True}
    return Answer({**repository(call.hub), "permissions": rights})


def get_commit(call: Call) -> Answer:
    sha = commit_of(call, call.parameters["ref"])
    return Answer(commits.full_commit(call.hub, call.hub.repository.commit(sha)))


def compare(call: Call) -> Answer:
    base, dots, head = call.parameters["basehead"].partition("...")
    ends = [call.hub.repository.resolve(end) for end in (base, head)] if dots else [None]
    found = commits.comparison(call.hub, *(end for end in ends if end)) if None not in ends else None
    if found is None:
        raise not_found()
    return Answer(found)


def get_branch(call: Call) -> Answer:
    name = call.parameters["branch"]
    sha = call.hub.repository.resolve(f"refs/heads/{name}")
    if sha is None:
        raise GitHubError(404, "Branch not found")
    return Answer(commits.branch(call.hub, name, sha))


def get_ref(call: Call) -> Answer:
    name, sha = _ref(call)
    if sha is None:
        raise not_found()
    return Answer(commits.ref(call.hub, name, sha))


def create_ref(call: Call) -> Answer:
    require_push(call.actor)
    wanted = call.read(RefCreate)
    if not wanted.ref.startswith("refs/heads/") or wanted.ref.count("/") < 2:
        raise GitHubError(422, "Reference name must start with 'refs/heads/'.")
    if call.hub.repository.resolve(wanted.ref) is not None:
        raise GitHubError(422, "Reference already exists")
    return Answer(_move(call, wanted.ref, wanted.sha), 201)


def update_ref(call: Call) -> Answer:
    require_push(call.actor)
    name, sha = _ref(call)
    wanted = call.read(RefUpdate)
    if sha is None:
        raise GitHubError(422, "Reference does not exist")
    if not wanted.force and not call.hub.repository.is_ancestor(sha, wanted.sha):
        raise GitHubError(422, "Update is not a fast forward")
    return Answer(_move(call, name, wanted.sha))


def delete_ref(call: Call) -> Answer:
    require_push(call.actor)
    name, sha = _ref(call)
    if sha is None:
        raise GitHubError(422, "Reference does not exist")
    call.hub.repository.delete_ref(name)
    pushes.notice(call.hub, call.actor)
    return Answer(None, 204)


def get_content(call: Call) -> Answer:
    path = call.parameters["path"].strip("/")
    revision = call.query.get("ref") or "main"
    sha = call.hub.repository.resolve(revision)
    if sha is None:
        raise GitHubError(404, f"No commit found for the ref {revision}")
    found = call.hub.repository.file(sha, path)
    if found is None:
        return _folder(call, sha, revision, path)
    if "raw" in call.accept:
        return Answer(found)
    entry = _entry(call, revision, path, "file", call.hub.repository.blob(sha, path))
    return Answer({**entry, "size": len(found), "encoding": "base64", "content": base64.encodebytes(found).decode()})


def _folder(call: Call, sha: str, revision: str, path: str) -> Answer:
    entries = call.hub.repository.folder(sha, path)
    if entries is None:
        raise not_found()
    kinds = {"blob": "file", "tree": "dir"}
    return Answer([{**_entry(call, revision, name, kinds[kind], blob), "size": 0} for kind, blob, name in entries])


def _entry(call: Call, revision: str, path: str, kind: str, blob: str) -> Body:
    url = f"{call.hub.api_url}/contents/{path}?ref={revision}"
    page = f"{call.hub.repository_url}/blob/{revision}/{path}"
    git_url = f"{call.hub.api_url}/git/blobs/{blob}"
    return {
        "type": kind,
        "name": path.rpartition("/")[2],
        "path": path,
        "sha": blob,
        "url": url,
        "git_url": git_url,
        "html_url": page,
        "download_url": page if kind == "file" else None,
        "_links": {"self": url, "git": git_url, "html": page},
    }


def _ref(call: Call) -> tuple[str, str | None]:
    """The full name of the branch's ref in the path, and its commit."""
    name = f"refs/{call.parameters['ref']}"
    if not name.startswith("refs/heads/"):
        raise not_found()
    return name, call.hub.repository.resolve(name)


def _move(call: Call, name: str, sha: str) -> Body:
    if call.hub.repository.resolve(sha) != sha:
        raise GitHubError(422, "Object does not exist")
    call.hub.repository.set_ref(name, sha)
    pushes.notice(call.hub, call.actor)
    return commits.ref(call.hub, name, sha)


routes = [
    route("GET", "{repo}", get_repository),
    route("GET", "{repo}/commits/{ref:path}", get_commit),
    route("GET", "{repo}/compare/{basehead:path}", compare),
    route("GET", "{repo}/branches/{branch:path}", get_branch),
    route("GET", "{repo}/git/ref/{ref:path}", get_ref),
    route("POST", "{repo}/git/refs", create_ref),
    route("PATCH", "{repo}/git/refs/{ref:path}", update_ref),
    route("DELETE", "{repo}/git/refs/{ref:path}", delete_ref),
    route("GET", "{repo}/contents/{path:path}", get_content),
]
