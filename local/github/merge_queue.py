"""GitHub's merge queue as it is seen from outside: a commit for each place in line, merged once its checks are green.

People enter it by `/_stand_in/merge-queue/NUMBER`: GitHub itself has only GraphQL for it.
"""

from local.github import merging, pulls, pushes
from local.github.bodies import Body
from local.github.bodies.commits import pushed_commit
from local.github.errors import GitHubError
from local.github.hub import Hub
from local.github.mergeability import GOOD, latest_checks, mergeability
from local.github.people import require_push
from local.github.records import Protection, PullRequest, QueueEntry, User
from local.github.webhooks import announce


def enqueue(hub: Hub, actor: User, pull: PullRequest) -> None:
    """Take the last place in the line of the pull request's base branch.

    Raises:
        GitHubError: 403 without push right, 422 where it could not be merged as it is, or stands in line already.
    """
    require_push(actor)
    found = mergeability(hub, pull)
    if found.reasons or not found.mergeable:
        raise GitHubError(422, " ".join(found.reasons) or "Pull request is not mergeable")
    if hub.store.all(QueueEntry, pull.within):
        raise GitHubError(422, "Pull request is already in the merge queue")
    hub.store.add(QueueEntry(number=pull.number, actor=actor.login, head_sha=pull.head_sha, base_ref=pull.base_ref))
    pulls.tell(hub, "enqueued", actor, pull)
    advance(hub)


def advance(hub: Hub) -> None:
    """Whatever has happened: drop what is out, make the commits that are missing, merge what is green."""
    for base_ref in sorted({entry.base_ref for entry in hub.store.all(QueueEntry)}):
        while _step(hub, base_ref):
            pass


def _step(hub: Hub, base_ref: str) -> bool:
    """The first thing that is to be done in a line; False where there is nothing."""
    line = [entry for entry in hub.store.all(QueueEntry) if entry.base_ref == base_ref]
    before = tip = hub.repository.resolve(f"refs/heads/{base_ref}") or ""
    for entry in line:
        pull = hub.pull(entry.number)
        if (pull.state, pull.head_sha, pull.base_ref) != ("open", entry.head_sha, base_ref):
            return _leave(hub, entry, "dequeued")
        if entry.group_base != before:
            return _make_group(hub, entry, before)
        if (green := _is_green(hub, entry)) is False:
            return _leave(hub, entry, "dequeued")
        if green and before == tip:
            return _merge(hub, entry, tip)
        before = entry.group_sha
    return False


def _is_green(hub: Hub, entry: QueueEntry) -> bool | None:
    """By the checks of its commit that the base branch requires; None as long as one of them is open."""
    rule = hub.store.first(Protection, entry.base_ref)
    found = {run.name: run.conclusion for run in latest_checks(hub, entry.group_sha)}
    conclusions = [found.get(name) for name in (rule.required_checks if rule else [])]
    if any(conclusion is not None and conclusion not in GOOD for conclusion in conclusions):
        return False
    return None if None in conclusions else True


def _make_group(hub: Hub, entry: QueueEntry, base: str) -> bool:
    """Its commit on what is before it in line now; checks are asked for anew."""
    if entry.group_sha:
        _destroy(hub, entry, "invalidated")
    actor = hub.user(entry.actor)
    try:
        made = merging.merge_commit(hub, actor, hub.pull(entry.number), base)
    except GitHubError:
        return _leave(hub, entry.model_copy(update={"group_sha": ""}), "dequeued")
    grouped = entry.model_copy(update={"group_base": base, "group_sha": made})
    hub.repository.set_ref(grouped.ref, made)
    hub.store.save(grouped)
    pushes.notice(hub, actor)
    _tell(hub, grouped, "checks_requested")
    return True


def _merge(hub: Hub, entry: QueueEntry, tip: str) -> bool:
    actor = hub.user(entry.actor)
    hub.repository.set_ref(f"refs/heads/{entry.base_ref}", entry.group_sha, before=tip)
    pulls.mark_merged(hub, actor, hub.pull(entry.number), entry.group_sha)
    return _leave(hub, entry, "merged")


def _leave(hub: Hub, entry: QueueEntry, reason: str) -> bool:
    if entry.group_sha:
        _destroy(hub, entry, reason)
    hub.store.remove(entry)
    if reason != "merged":
        pulls.tell(hub, "dequeued", hub.user(entry.actor), hub.pull(entry.number), reason="CI_FAILURE")
    return True


def _destroy(hub: Hub, entry: QueueEntry, reason: str) -> None:
    _tell(hub, entry, "destroyed", reason=reason)
    hub.repository.delete_ref(entry.ref)
    pushes.notice(hub, hub.user(entry.actor))


def _tell(hub: Hub, entry: QueueEntry, action: str, **more: object) -> None:
    group: Body = {
        "head_sha": entry.group_sha,
        "head_ref": entry.ref,
        "base_sha": entry.group_base,
        "base_ref": f"refs/heads/{entry.base_ref}",
        "head_commit": pushed_commit(hub, hub.repository.commit(entry.group_sha), []),
    }
    announce(hub, "merge_group", action, hub.user(entry.actor), {"merge_group": group, **more})
