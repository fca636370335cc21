"""The repository and its forks, as GitHub shows them."""

from local.github.bodies import Body, people
from local.github.hub import Hub
from local.github.records import PullRequest

_LINKS = {
    "archive": "{archive_format}{/ref}",
    "assignees": "{/user}",
    "blobs": "git/blobs{/sha}",
    "branches": "{/branch}",
    "collaborators": "{/collaborator}",
    "comments": "{/number}",
    "commits": "{/sha}",
    "compare": "{base}...{head}",
    "contents": "contents/{+path}",
    "contributors": "",
    "deployments": "",
    "downloads": "",
    "events": "",
    "forks": "",
    "git_commits": "git/commits{/sha}",
    "git_refs": "git/refs{/sha}",
    "git_tags": "git/tags{/sha}",
    "hooks": "",
    "issue_comment": "issues/comments{/number}",
    "issue_events": "issues/events{/number}",
    "issues": "{/number}",
    "keys": "{/key_id}",
    "labels": "{/name}",
    "languages": "",
    "merges": "",
    "milestones": "{/number}",
    "notifications": "{?since,all,participating}",
    "pulls": "{/number}",
    "releases": "{/id}",
    "stargazers": "",
    "statuses": "{/sha}",
    "subscribers": "",
    "subscription": "",
    "tags": "",
    "teams": "",
    "trees": "git/trees{/sha}",
}
_LONG_AGO = "2024-01-01T00:00:00Z"


def _link(api: str, name: str, rest: str) -> str:
    return f"{api}/{rest}" if rest and not rest.startswith("{") else f"{api}/{name}{rest}"


def repository(hub: Hub, owner: str | None = None) -> Body:
    """The repository, or its fork in the account `owner`."""
    owner = owner or hub.settings.owner
    fork = owner != hub.settings.owner
    full_name = f"{owner}/{hub.settings.repository}"
    api = f"{hub.url}/repos/{full_name}"
    git_dir = str(hub.git_of(owner).git_dir)
    open_pulls = sum(1 for pull in hub.store.all(PullRequest) if pull.state == "open" and not fork)
    return {
        "id": 2 + hub.user(owner).id if fork else 1,
        "node_id": f"R_{owner}",
        "name": hub.settings.repository,
        "full_name": full_name,
        "owner": people.user(hub, hub.user(owner)) if fork else people.account(hub, owner, 1, "Organization"),
        "private": False,
        "visibility": "public",
        "html_url": f"{hub.url}/{full_name}",
        "description": None,
        "fork": fork,
        "url": api,
        **{f"{name}_url": _link(api, name, rest) for name, rest in _LINKS.items()},
        **dict.fromkeys(("git_url", "ssh_url", "clone_url", "svn_url"), git_dir),
        **dict.fromkeys(("mirror_url", "homepage", "language", "license")),
        **dict.fromkeys(("forks", "forks_count", "stargazers_count", "watchers", "watchers_count"), 0),
        **dict.fromkeys(("subscribers_count", "network_count", "size"), 0),
        "open_issues": open_pulls,
        "open_issues_count": open_pulls,
        "default_branch": "main",
        "has_issues": True,
        **dict.fromkeys(("has_projects", "has_wiki", "has_pages", "has_discussions", "has_downloads"), False),
        **dict.fromkeys(("archived", "disabled", "is_template", "web_commit_signoff_required"), False),
        "allow_forking": True,
        "topics": [],
        "pushed_at": _LONG_AGO,
        "created_at": _LONG_AGO,
        "updated_at": _LONG_AGO,
    }
