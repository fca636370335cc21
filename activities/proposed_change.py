"""Pushes one changed file on a branch of ours: what people review is a commit, not a description of one."""

from temporalio import activity
from temporalio.exceptions import ApplicationError

from activities.bootstrap_messages import ProposeChange, PushedChange
from activities.git import Git
from activities.git_mirror import Mirror
from activities.unit_work import heartbeats
from docustack.bootstrap_file import edited
from docustack.errors import ErrorType


class ProposedChange:
    """With the worker's own token, which has to be one that may push branches."""

    def __init__(self, git: Git) -> None:
        self._git = git

    @activity.defn
    @heartbeats
    async def push_change(self, change: ProposeChange) -> PushedChange:
        """On top of the base branch, or of what the branch has by now; nothing where either has the file so already.

        On top of another branch of ours that waits to be merged, where it changes the same lines to something else: so
        the two pull requests can be merged one after the other, and the later one's lines hold.
        """
        mirror = self._git.mirror(change.tree.repository)
        async with mirror.exclusive() as lock:
            base = await mirror.fetch_branch(change.tree.base_ref, lock)
            text = await _text(mirror, base, change.path)
            wanted = edited(text, remote_state=change.remote_state, account_id=change.account_id)
            if wanted == text:
                return PushedChange()
            tip = await _tip(mirror, change.branch, lock)
            if tip is not None and await mirror.contains(base, tip):
                tip = None  # merged long ago
            if tip is not None and await _text(mirror, tip, change.path) == wanted:
                return PushedChange(commit=tip)
            commit = await mirror.commit_file(tip or base, change.path, wanted, change.message, lock)
            if tip is None and (on := await _in_the_way(mirror, commit, base, change, lock)):
                commit = await mirror.commit_file(on, change.path, wanted, change.message, lock)
            await mirror.push(commit, change.branch, lock)
        return PushedChange(commit=commit)


async def _in_the_way(mirror: Mirror, commit: str, base: str, change: ProposeChange, lock: int) -> str:
    """The tip of the last such branch with which the commit doesn't merge; empty where it merges with all of them."""
    others = await mirror.fetch_branches(change.beside, lock) if change.beside else {}
    found = ""
    for name, tip in sorted(others.items()):
        if name == change.branch or (found and await mirror.contains(found, tip)):
            continue
        if await _waits(mirror, tip, base, change.path) and not await _merges(mirror, tip, commit):
            found = tip
    return found


async def _waits(mirror: Mirror, tip: str, base: str, path: str) -> bool:
    """False for what was merged, also by another commit, and for what can't be merged any more."""
    if await mirror.contains(base, tip) or await _text(mirror, tip, path) == await _text(mirror, base, path):
        return False
    return await _merges(mirror, base, tip)


async def _merges(mirror: Mirror, one: str, other: str) -> bool:
    try:
        await mirror.merge(one, other, "")
    except ApplicationError as error:
        if error.type != ErrorType.MERGE_CONFLICT:
            raise
        return False
    return True


async def _text(mirror: Mirror, commit: str, path: str) -> str:
    return (await mirror.read_files(commit, [path])).get(path, "")


async def _tip(mirror: Mirror, branch: str, lock: int) -> str | None:
    try:
        return await mirror.fetch_branch(branch, lock)
    except ApplicationError as error:
        if error.type != ErrorType.NOT_FOUND:
            raise
        return None
