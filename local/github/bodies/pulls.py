"""Pull requests with their comments, reactions and reviews, as GitHub shows them."""

from datetime import datetime

from local.github.bodies import Body, people, repository
from local.github.hub import Hub
from local.github.mergeability import mergeability
from local.github.people import association
from local.github.records import Comment, PullRequest, Reaction, Review

_REACTIONS = ("+1", "-1", "laugh", "confused", "heart", "hooray", "eyes", "rocket")


def moment(value: datetime | None) -> str | None:
    return value.strftime("%Y-%m-%dT%H:%M:%SZ") if value else None


def simple_pull(hub: Hub, pull: PullRequest) -> Body:
    """A pull request as it stands in a list."""
    page, api = f"{hub.repository_url}/pull/{pull.number}", f"{hub.api_url}/pulls/{pull.number}"
    issue = f"{hub.api_url}/issues/{pull.number}"
    links = {
        "self": api,
        "html": page,
        "issue": issue,
        "comments": f"{issue}/comments",
        "review_comments": f"{api}/comments",
        "review_comment": f"{hub.api_url}/pulls/comments{{/number}}",
        "commits": f"{api}/commits",
        "statuses": f"{hub.api_url}/statuses/{pull.head_sha}",
    }
    return {
        "url": api,
        "id": pull.id,
        "node_id": f"PR_{pull.id}",
        "html_url": page,
        "diff_url": f"{page}.diff",
        "patch_url": f"{page}.patch",
        "issue_url": issue,
        **{f"{name}_url": links[name] for name in list(links)[3:]},
        "number": pull.number,
        "state": pull.state,
        "locked": False,
        "title": pull.title,
        "user": people.login(hub, pull.author),
        "body": pull.body,
        **{name: [] for name in ("labels", "assignees", "requested_reviewers", "requested_teams")},
        **dict.fromkeys(("milestone", "assignee", "auto_merge", "active_lock_reason")),
        "draft": pull.draft,
        "created_at": moment(pull.created_at),
        "updated_at": moment(pull.updated_at),
        "closed_at": moment(pull.closed_at),
        "merged_at": moment(pull.merged_at),
        "merge_commit_sha": pull.merge_sha,
        "head": _end(hub, pull.head_owner, pull.head_ref, pull.head_sha),
        "base": _end(hub, hub.settings.owner, pull.base_ref, pull.base_sha),
        "_links": {name: {"href": href} for name, href in links.items()},
        "author_association": association(hub.user(pull.author)),
    }


def pull_request(hub: Hub, pull: PullRequest) -> Body:
    """A pull request with what GitHub works out only for one at a time."""
    found = mergeability(hub, pull)
    files = hub.repository.changed_files(pull.base_sha, pull.head_sha)
    start = hub.repository.merge_base(pull.base_sha, pull.head_sha) or pull.base_sha
    return {
        **simple_pull(hub, pull),
        "merged": pull.merged,
        "mergeable": found.mergeable,
        "rebaseable": found.mergeable,
        "mergeable_state": found.state,
        "merged_by": people.login(hub, pull.merged_by),
        "comments": len(hub.store.all(Comment, pull.within)),
        "review_comments": 0,
        "maintainer_can_modify": False,
        "commits": hub.repository.count(f"{start}..{pull.head_sha}"),
        "additions": sum(entry.additions for entry in files),
        "deletions": sum(entry.deletions for entry in files),
        "changed_files": len(files),
    }


def issue(hub: Hub, pull: PullRequest) -> Body:
    """The pull request as the issue that it also is: `issue_comment` webhooks carry this."""
    api, page = f"{hub.api_url}/issues/{pull.number}", f"{hub.repository_url}/pull/{pull.number}"
    urls = {"url": f"{hub.api_url}/pulls/{pull.number}", "html_url": page}
    return {
        "url": api,
        "repository_url": hub.api_url,
        "labels_url": f"{api}/labels{{/name}}",
        "comments_url": f"{api}/comments",
        "events_url": f"{api}/events",
        "timeline_url": f"{api}/timeline",
        "html_url": page,
        "id": pull.id,
        "node_id": f"PR_{pull.id}",
        "number": pull.number,
        "title": pull.title,
        "user": people.login(hub, pull.author),
        "labels": [],
        "state": pull.state,
        "locked": False,
        "assignees": [],
        **dict.fromkeys(("assignee", "milestone", "active_lock_reason", "performed_via_github_app", "state_reason")),
        "comments": len(hub.store.all(Comment, pull.within)),
        "created_at": moment(pull.created_at),
        "updated_at": moment(pull.updated_at),
        "closed_at": moment(pull.closed_at),
        "author_association": association(hub.user(pull.author)),
        "draft": pull.draft,
        "pull_request": {
            **urls,
            "diff_url": f"{page}.diff",
            "patch_url": f"{page}.patch",
            "merged_at": moment(pull.merged_at),
        },
        "body": pull.body,
        "reactions": _rollup(f"{api}/reactions", []),
    }


def comment(hub: Hub, record: Comment) -> Body:
    api = f"{hub.api_url}/issues/comments/{record.id}"
    return {
        "id": record.id,
        "node_id": f"IC_{record.id}",
        "url": api,
        "html_url": f"{hub.repository_url}/pull/{record.number}#issuecomment-{record.id}",
        "issue_url": f"{hub.api_url}/issues/{record.number}",
        "body": record.body,
        "user": people.login(hub, record.author),
        "created_at": moment(record.created_at),
        "updated_at": moment(record.updated_at),
        "author_association": association(hub.user(record.author)),
        "performed_via_github_app": None,
        "reactions": _rollup(f"{api}/reactions", hub.store.all(Reaction, str(record.id))),
    }


def reaction(hub: Hub, record: Reaction) -> Body:
    return {
        "id": record.id,
        "node_id": f"REA_{record.id}",
        "user": people.login(hub, record.author),
        "content": record.content,
        "created_at": moment(record.created_at),
    }


def review(hub: Hub, record: Review) -> Body:
    page = f"{hub.repository_url}/pull/{record.number}#pullrequestreview-{record.id}"
    api = f"{hub.api_url}/pulls/{record.number}"
    return {
        "id": record.id,
        "node_id": f"PRR_{record.id}",
        "user": people.login(hub, record.author),
        "body": record.body,
        "state": record.state,
        "html_url": page,
        "pull_request_url": api,
        "_links": {"html": {"href": page}, "pull_request": {"href": api}},
        "submitted_at": moment(record.submitted_at),
        "commit_id": record.commit_id,
        "author_association": association(hub.user(record.author)),
    }


def _end(hub: Hub, owner: str, ref: str, sha: str) -> Body:
    fork = owner != hub.settings.owner
    user = people.login(hub, owner) if fork else people.account(hub, owner, 1, "Organization")
    return {
        "label": f"{owner}:{ref}",
        "ref": ref,
        "sha": sha,
        "user": user,
        "repo": repository.repository(hub, owner),
    }


def _rollup(url: str, reactions: list[Reaction]) -> Body:
    contents: list[str] = [record.content for record in reactions]
    return {"url": url, "total_count": len(contents), **{name: contents.count(name) for name in _REACTIONS}}
