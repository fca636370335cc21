"""Merges a pull request with real git: as a merge commit, squashed, or rebased."""

from typing import Literal

from local.github import pulls, pushes
from local.github.errors import GitHubError
from local.github.git import GitError, Person, identity
from local.github.hub import Hub
from local.github.mergeability import mergeability
from local.github.people import require_push, signature
from local.github.records import PullRequest, User

Method = Literal["merge", "squash", "rebase"]
_GITHUB = Person("GitHub", "noreply@github.com")


def merge(
    hub: Hub,
    actor: User,
    pull: PullRequest,
    *,
    method: Method = "merge",
    sha: str | None = None,
    title: str | None = None,
    message: str | None = None,
) -> str:
    """Merge into the base branch; returns the commit that the base branch then has.

    Raises:
        GitHubError: 403 without push right, 405 when not mergeable, 409 when the head is not `sha` any more.
    """
    require_push(actor)
    if sha is not None and sha != pull.head_sha:
        raise GitHubError(409, "Head branch was modified. Review and try the merge again.")
    found = mergeability(hub, pull)
    if found.state in ("dirty", "unknown"):
        raise GitHubError(405, "Pull Request is not mergeable")
    if found.reasons:
        raise GitHubError(405, " ".join(found.reasons))
    branch = f"refs/heads/{pull.base_ref}"
    base = hub.repository.resolve(branch) or pull.base_sha
    merged = _make(hub, actor, pull, base, method, (title, message))
    try:
        hub.repository.set_ref(branch, merged, before=base)
    except GitError as error:
        raise GitHubError(409, "Base branch was modified. Review and try the merge again.") from error
    pulls.mark_merged(hub, actor, pull, merged)
    pushes.notice(hub, actor)
    return merged


def merge_commit(hub: Hub, actor: User, pull: PullRequest, base: str) -> str:
    """The commit that a merge of the head into this one makes; no branch has it yet.

    Raises:
        GitHubError: 405 where they conflict.
    """
    return _make(hub, actor, pull, base, "merge", (None, None))


def _make(
    hub: Hub, actor: User, pull: PullRequest, base: str, method: Method, words: tuple[str | None, str | None]
) -> str:
    title, message = words
    if method == "rebase":
        return _rebase(hub, actor, pull, base)
    tree = hub.repository.merged_tree(base, pull.head_sha)
    if tree is None:
        raise GitHubError(405, "Pull Request is not mergeable")
    names = identity(signature(actor), _GITHUB)
    if method == "squash":
        text = _text(title or f"{pull.title} (#{pull.number})", message)
        return hub.repository.make_commit(tree, [base], text, names)
    source = f"{pull.head_owner}/{pull.head_ref}"
    text = _text(title or f"Merge pull request #{pull.number} from {source}", message or pull.title)
    return hub.repository.make_commit(tree, [base, pull.head_sha], text, names)


def _rebase(hub: Hub, actor: User, pull: PullRequest, base: str) -> str:
    tip: str | None = base
    for commit in hub.repository.commits(base, pull.head_sha):
        if tip is not None and len(commit.parents) == 1:
            tip = hub.repository.replay(commit, tip, identity(signature(actor), signature(actor)))
    if tip is None or tip == base:
        raise GitHubError(405, "This branch can't be rebased")
    return tip


def _text(title: str, message: str | None) -> str:
    return f"{title}\n\n{message}\n" if message else f"{title}\n"
