"""What happens to pull requests: opened, edited, closed, reopened, moved on by pushes."""

from local.github.bodies import Body
from local.github.bodies.pulls import pull_request
from local.github.errors import forbidden, invalid
from local.github.hub import Hub, now
from local.github.people import require_push
from local.github.records import Happening, PullRequest, User
from local.github.webhooks import announce


def tell(hub: Hub, action: str, actor: User, pull: PullRequest, **more: object) -> None:
    """Send the `pull_request` webhook of one action."""
    content: Body = {"number": pull.number, "pull_request": pull_request(hub, pull), **more}
    announce(hub, "pull_request", action, actor, content)


def change(hub: Hub, pull: PullRequest, **fields: object) -> PullRequest:
    changed = pull.model_copy(update={"updated_at": now(), **fields})
    hub.store.save(changed)
    return changed


def note(hub: Hub, actor: User, pull: PullRequest, happening: dict[str, object]) -> None:
    """Add a line to the pull request's timeline."""
    fields = {"number": pull.number, "actor": actor.login, "at": now(), **happening}
    hub.store.add(Happening.model_validate(fields))


def open_pull(hub: Hub, actor: User, *, title: str, body: str | None, head: str, base: str, draft: bool) -> PullRequest:
    """Open a pull request from `branch` or, in a fork, `owner:branch`.

    Raises:
        GitHubError: 422 where GitHub would refuse it, 403 for one who may not push to the head's repository.
    """
    owner, _, branch = head.rpartition(":")
    owner = owner or hub.settings.owner
    if owner == hub.settings.owner:
        require_push(actor)
    elif owner != actor.login:
        raise forbidden(f"{actor.login} must have push access to {owner}'s fork.")
    if not title.strip():
        raise invalid("PullRequest", "title", "missing_field")
    base_sha = hub.repository.resolve(f"refs/heads/{base}")
    if base_sha is None:
        raise invalid("PullRequest", "base")
    head_sha = hub.git_of(owner).resolve(f"refs/heads/{branch}")
    if head_sha is None:
        raise invalid("PullRequest", "head")
    number = len(hub.store.all(PullRequest)) + 1
    pull = PullRequest(
        number=number,
        title=title,
        body=body,
        author=actor.login,
        draft=draft,
        head_owner=owner,
        head_ref=branch,
        head_sha=head_sha,
        base_ref=base,
        base_sha=base_sha,
        created_at=now(),
        updated_at=now(),
    )
    _require_new(hub, pull)
    _keep_head(hub, pull)
    if hub.repository.is_ancestor(head_sha, base_sha):
        hub.repository.delete_ref(pull.ref)
        raise invalid("PullRequest", "head", "custom", f"No commits between {base} and {branch}")
    pull = hub.store.add(pull)
    tell(hub, "opened", actor, pull)
    return pull


def edit(
    hub: Hub, actor: User, pull: PullRequest, *, title: str | None, body: str | None, base: str | None
) -> PullRequest:
    """Change what is given; the rest stays."""
    _require_right(actor, pull)
    changes: dict[str, object] = {}
    before = pull
    if title is not None and title != pull.title:
        if not title.strip():
            raise invalid("PullRequest", "title", "missing_field")
        changes["title"] = {"from": pull.title}
        note(hub, actor, pull, {"kind": "renamed", "before": pull.title, "after": title})
        pull = change(hub, pull, title=title)
    if body is not None and body != pull.body:
        changes["body"] = {"from": pull.body}
        pull = change(hub, pull, body=body)
    if base is not None and base != pull.base_ref:
        pull = _retarget(hub, actor, pull, base)
        changes["base"] = {"ref": {"from": before.base_ref}, "sha": {"from": before.base_sha}}
    if changes:
        tell(hub, "edited", actor, pull, changes=changes)
    return pull


def _retarget(hub: Hub, actor: User, pull: PullRequest, base: str) -> PullRequest:
    sha = hub.repository.resolve(f"refs/heads/{base}")
    if sha is None or pull.state == "closed":
        raise invalid("PullRequest", "base")
    note(hub, actor, pull, {"kind": "retargeted", "before": pull.base_ref, "after": base})
    return change(hub, pull, base_ref=base, base_sha=sha)


def set_draft(hub: Hub, actor: User, pull: PullRequest, draft: bool) -> PullRequest:
    _require_right(actor, pull)
    if pull.draft == draft:
        return pull
    note(hub, actor, pull, {"kind": "drafted" if draft else "readied"})
    pull = change(hub, pull, draft=draft)
    tell(hub, "converted_to_draft" if draft else "ready_for_review", actor, pull)
    return pull


def close(hub: Hub, actor: User, pull: PullRequest) -> PullRequest:
    _require_right(actor, pull)
    return _closed(hub, actor, pull)


def close_without_branch(hub: Hub, actor: User, pull: PullRequest) -> None:
    """The head branch was deleted, which closes what is open."""
    _closed(hub, actor, pull)


def _closed(hub: Hub, actor: User, pull: PullRequest) -> PullRequest:
    if pull.state == "closed":
        return pull
    note(hub, actor, pull, {"kind": "closed"})
    pull = change(hub, pull, state="closed", closed_at=now())
    tell(hub, "closed", actor, pull)
    return pull


def reopen(hub: Hub, actor: User, pull: PullRequest) -> PullRequest:
    _require_right(actor, pull)
    if pull.state == "open":
        return pull
    head = hub.git_of(pull.head_owner).resolve(f"refs/heads/{pull.head_ref}")
    if pull.merged or head is None:
        reason = "it was merged" if pull.merged else f"the {pull.head_ref} branch was deleted"
        raise invalid("PullRequest", "state", "custom", f"state cannot be changed: {reason}.")
    _require_new(hub, pull)
    note(hub, actor, pull, {"kind": "reopened"})
    pull = change(hub, pull, state="open", closed_at=None, head_sha=head)
    _keep_head(hub, pull)
    tell(hub, "reopened", actor, pull)
    return pull


def move_head(hub: Hub, actor: User, pull: PullRequest, after: str) -> None:
    """The head branch was pushed: an open pull request follows it, a closed one does not."""
    if pull.state == "closed" or pull.head_sha == after:
        return
    before = pull.head_sha
    base = hub.repository.resolve(f"refs/heads/{pull.base_ref}") or pull.base_sha
    pull = change(hub, pull, head_sha=after, base_sha=base)
    _keep_head(hub, pull)
    forced = "" if hub.repository.is_ancestor(before, after) else "forced"
    note(hub, actor, pull, {"kind": "pushed", "before": before, "after": after, "detail": forced})
    tell(hub, "synchronize", actor, pull, before=before, after=after)


def mark_merged_by_push(hub: Hub, actor: User, pull: PullRequest, before: str, after: str) -> None:
    """Somebody pushed a base branch that now holds the head: GitHub counts that as merged."""
    holds, held = (hub.repository.is_ancestor(pull.head_sha, tip) for tip in (after, before))
    if holds and not held:
        mark_merged(hub, actor, pull, after)


def mark_merged(hub: Hub, actor: User, pull: PullRequest, sha: str) -> PullRequest:
    note(hub, actor, pull, {"kind": "merged", "after": sha})
    ended = now()
    pull = change(hub, pull, state="closed", closed_at=ended, merged_at=ended, merged_by=actor.login, merge_sha=sha)
    tell(hub, "closed", actor, pull)
    return pull


def _keep_head(hub: Hub, pull: PullRequest) -> None:
    """Point `refs/pull/N/head` at the head, so that it can be fetched and never gets lost."""
    if pull.head_owner == hub.settings.owner:
        hub.repository.set_ref(pull.ref, pull.head_sha)
    else:
        hub.repository.fetch(hub.git_of(pull.head_owner).git_dir, f"refs/heads/{pull.head_ref}", pull.ref)


def _require_new(hub: Hub, pull: PullRequest) -> None:
    label = (pull.head_owner, pull.head_ref, pull.base_ref)
    for other in hub.store.all(PullRequest):
        if other.state == "open" and (other.head_owner, other.head_ref, other.base_ref) == label:
            raise invalid("PullRequest", "head", "custom", f"A pull request already exists for {label[0]}:{label[1]}.")


def _require_right(actor: User, pull: PullRequest) -> None:
    if not actor.may_push and actor.login != pull.author:
        raise forbidden(f"{actor.login} must have push access to the repository.")
