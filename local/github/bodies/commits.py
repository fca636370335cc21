"""Commits, changed files, branches and refs, as GitHub shows them."""

from local.github.bodies import Body, people
from local.github.git import ChangedFile, Commit, Person
from local.github.hub import Hub
from local.github.people import login_of
from local.github.records import Protection


def commit(hub: Hub, found: Commit) -> Body:
    api = f"{hub.api_url}/commits/{found.sha}"
    return {
        "url": api,
        "sha": found.sha,
        "node_id": f"C_{found.sha}",
        "html_url": f"{hub.repository_url}/commit/{found.sha}",
        "comments_url": f"{api}/comments",
        "commit": {
            "url": f"{hub.api_url}/git/commits/{found.sha}",
            "author": _signature(found.author, found.authored_at.isoformat()),
            "committer": _signature(found.committer, found.committed_at.isoformat()),
            "message": found.message,
            "comment_count": 0,
            "tree": {"sha": found.tree, "url": f"{hub.api_url}/git/trees/{found.tree}"},
        },
        "author": people.login(hub, login_of(hub.store, found.author)),
        "committer": people.login(hub, login_of(hub.store, found.committer)),
        "parents": [
            {
                "sha": parent,
                "url": f"{hub.api_url}/commits/{parent}",
                "html_url": f"{hub.repository_url}/commit/{parent}",
            }
            for parent in found.parents
        ],
    }


def full_commit(hub: Hub, found: Commit) -> Body:
    parent = found.parents[0] if found.parents else found.sha
    files = hub.repository.changed_files(parent, found.sha)
    added, deleted = sum(entry.additions for entry in files), sum(entry.deletions for entry in files)
    return {
        **commit(hub, found),
        "stats": {"additions": added, "deletions": deleted, "total": added + deleted},
        "files": [changed_file(hub, found.sha, entry) for entry in files],
    }


def pushed_commit(hub: Hub, found: Commit, files: list[ChangedFile]) -> Body:
    """A commit in the shape that the body of a `push` webhook has."""
    return {
        "id": found.sha,
        "tree_id": found.tree,
        "distinct": True,
        "message": found.message,
        "timestamp": found.committed_at.isoformat(),
        "url": f"{hub.repository_url}/commit/{found.sha}",
        "author": _pusher(hub, found.author),
        "committer": _pusher(hub, found.committer),
        "added": [entry.path for entry in files if entry.status in ("added", "renamed", "copied")],
        "removed": [entry.previous_path or entry.path for entry in files if entry.status in ("removed", "renamed")],
        "modified": [entry.path for entry in files if entry.status in ("modified", "changed")],
    }


def changed_file(hub: Hub, sha: str, entry: ChangedFile) -> Body:
    previous: Body = {"previous_filename": entry.previous_path} if entry.previous_path else {}
    return {
        "sha": entry.blob,
        "filename": entry.path,
        "status": entry.status,
        "additions": entry.additions,
        "deletions": entry.deletions,
        "changes": entry.additions + entry.deletions,
        "blob_url": f"{hub.repository_url}/blob/{sha}/{entry.path}",
        "raw_url": f"{hub.repository_url}/raw/{sha}/{entry.path}",
        "contents_url": f"{hub.api_url}/contents/{entry.path}?ref={sha}",
        **({"patch": entry.patch} if entry.patch is not None else {}),
        **previous,
    }


def comparison(hub: Hub, base: str, head: str) -> Body | None:
    """What `head` has over `base`; nothing where they share no history."""
    start = hub.repository.merge_base(base, head)
    if start is None:
        return None
    ahead, behind = hub.repository.count(f"{base}..{head}"), hub.repository.count(f"{head}..{base}")
    status = {(False, False): "identical", (True, False): "ahead", (False, True): "behind", (True, True): "diverged"}
    page = f"{hub.repository_url}/compare/{base}...{head}"
    return {
        "url": f"{hub.api_url}/compare/{base}...{head}",
        "html_url": page,
        "permalink_url": page,
        "diff_url": f"{page}.diff",
        "patch_url": f"{page}.patch",
        "base_commit": commit(hub, hub.repository.commit(base)),
        "merge_base_commit": commit(hub, hub.repository.commit(start)),
        "status": status[bool(ahead), bool(behind)],
        "ahead_by": ahead,
        "behind_by": behind,
        "total_commits": ahead,
        "commits": [commit(hub, found) for found in hub.repository.commits(base, head)],
        "files": [changed_file(hub, head, entry) for entry in hub.repository.changed_files(base, head)],
    }


def branch(hub: Hub, name: str, sha: str) -> Body:
    api = f"{hub.api_url}/branches/{name}"
    rule = hub.store.first(Protection, name)
    return {
        "name": name,
        "commit": commit(hub, hub.repository.commit(sha)),
        "_links": {"self": api, "html": f"{hub.repository_url}/tree/{name}"},
        "protected": rule is not None,
        "protection": {
            "enabled": rule is not None,
            "required_status_checks": {
                "enforcement_level": "everyone" if rule else "off",
                "contexts": rule.required_checks if rule else [],
                "checks": [{"context": check, "app_id": None} for check in (rule.required_checks if rule else [])],
            },
        },
        "protection_url": f"{api}/protection",
    }


def ref(hub: Hub, name: str, sha: str) -> Body:
    return {
        "ref": name,
        "node_id": f"REF_{name}",
        "url": f"{hub.api_url}/git/{name}",
        "object": {"type": "commit", "sha": sha, "url": f"{hub.api_url}/git/commits/{sha}"},
    }


def _signature(person: Person, date: str) -> Body:
    return {"name": person.name, "email": person.email, "date": date}


def _pusher(hub: Hub, person: Person) -> Body:
    username = login_of(hub.store, person)
    return {"name": person.name, "email": person.email, **({"username": username} if username else {})}
