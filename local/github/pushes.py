"""Notices what was pushed, by comparing git's branches with those known, and tells pull requests and webhooks of it."""

from local.github import pulls
from local.github.bodies import Body
from local.github.bodies.commits import pushed_commit
from local.github.git import NO_COMMIT, Repository
from local.github.hub import Hub
from local.github.people import NOREPLY, login_of
from local.github.records import Fork, KnownRef, PullRequest, User
from local.github.webhooks import announce

_COMMITS_SHOWN = 20


def notice(hub: Hub, pusher: User | None = None) -> None:
    """Bring everything up to what git holds now. `pusher` is who did it, where that is known.

    Called when the hook says that something came, at start, and before every answer: so nothing is missed
    that was pushed while the stand-in was down.
    """
    for owner in (hub.settings.owner, *(fork.owner for fork in hub.store.all(Fork))):
        known = {ref.ref: ref for ref in hub.store.all(KnownRef, owner)}
        present = hub.git_of(owner).branches()
        for ref in sorted(known.keys() | present.keys()):
            before = known[ref].sha if ref in known else NO_COMMIT
            after = present.get(ref, NO_COMMIT)
            if before != after:
                with hub.store.transaction():
                    _remember(hub, owner, ref, after, known.get(ref))
                    _react(hub, owner, ref, before, after, pusher)


def take_as_known(hub: Hub) -> None:
    """On the very first start, what is there was not pushed just now."""
    if not hub.store.all(KnownRef, hub.settings.owner):
        with hub.store.transaction():
            for ref, sha in hub.repository.branches().items():
                hub.store.add(KnownRef(owner=hub.settings.owner, ref=ref, sha=sha))


def _remember(hub: Hub, owner: str, ref: str, sha: str, known: KnownRef | None) -> None:
    if known is None:
        hub.store.add(KnownRef(owner=owner, ref=ref, sha=sha))
    elif sha == NO_COMMIT:
        hub.store.remove(known)
    else:
        hub.store.save(known.model_copy(update={"sha": sha}))


def _react(hub: Hub, owner: str, ref: str, before: str, after: str, pusher: User | None) -> None:
    git = hub.git_of(owner)
    branch = ref.removeprefix("refs/heads/")
    own = owner == hub.settings.owner
    headed = [pull for pull in hub.store.all(PullRequest) if (pull.head_owner, pull.head_ref) == (owner, branch)]
    actor = pusher or _pusher(hub, git, after, headed)
    if own:
        announce(hub, "push", None, actor, _push(hub, git, ref, before, after, actor))
    for pull in headed:
        if after == NO_COMMIT:
            pulls.close_without_branch(hub, actor, pull)
        else:
            pulls.move_head(hub, actor, pull, after)
    if own and NO_COMMIT not in (before, after):
        for pull in hub.store.all(PullRequest):
            if pull.base_ref == branch and pull.state == "open":
                pulls.mark_merged_by_push(hub, actor, pull, before, after)


def _pusher(hub: Hub, git: Repository, after: str, headed: list[PullRequest]) -> User:
    """A push by file path names nobody: the commit does, or else the pull request it went to."""
    committer = git.commit(after).committer if after != NO_COMMIT else None
    login = login_of(hub.store, committer) if committer else None
    if login is None and headed:
        login = headed[0].author
    return hub.user(login) if login else hub.store.all(User)[0]


def _push(hub: Hub, git: Repository, ref: str, before: str, after: str, actor: User) -> Body:
    created, deleted = before == NO_COMMIT, after == NO_COMMIT
    start = git.resolve("refs/heads/main") if created else before
    new = [] if deleted or start is None else git.commits(start, after)[-_COMMITS_SHOWN:]
    commits = [
        pushed_commit(hub, commit, git.changed_files(commit.parents[0], commit.sha) if commit.parents else [])
        for commit in new
    ]
    return {
        "ref": ref,
        "before": before,
        "after": after,
        "created": created,
        "deleted": deleted,
        "forced": not created and not deleted and not git.is_ancestor(before, after),
        "base_ref": None,
        "compare": f"{hub.repository_url}/compare/{before[:12]}...{after[:12]}",
        "commits": commits,
        "head_commit": commits[-1] if commits else None,
        "pusher": {"name": actor.login, "email": f"{actor.login}@{NOREPLY}"},
    }
