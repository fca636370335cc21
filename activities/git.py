"""Git: the configuration at a branch's tip, and one work tree a run, which every host can make again."""

import asyncio
import logging
import re
import shutil
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path

from temporalio import activity

from activities.artifacts import ArtifactMissing, Blobs
from activities.errored_files import not_committed
from activities.failures import failure
from activities.git_command import TokenSource, git
from activities.git_messages import (
    AskContained,
    CheckedOut,
    CheckOut,
    CheckOutRef,
    ContainedAnswer,
    LoadConfiguration,
    LoadedConfiguration,
    RemoveWorkTree,
)
from activities.git_mirror import Mirror
from activities.git_push import try_push
from activities.unit_work import heartbeats
from docustack.configuration_file import CONFIGURATION_PATH, read_configuration_files
from docustack.errors import ErrorType
from docustack.model import Nothing
from docustack.repository import Repository, WorkTree
from docustack.rule_changes import NewRules, new_rules
from docustack.terrateam import CONFIGURATION_PATHS
from docustack.unwritten_states import ERRORED

log = logging.getLogger("docustack.work_trees")

MAX_LISTED_FILES = 5_000
"""A longer diff isn't passed on, it wouldn't fit into an activity's result: whoever needs it asks git again."""

_READY = "docustack-ready"


class Git:
    """One bare mirror a repository and one work tree a run, under `data_dir`; shared by all workers of the host."""

    def __init__(
        self,
        *,
        data_dir: Path,
        host: str,
        clone_url: Callable[[Repository], str],
        token: TokenSource = None,
        environments: Sequence[str] = (),
        blobs: Blobs | None = None,
    ) -> None:
        """`blobs`: where patches of working copies lie; without it none can be planned."""
        self._data_dir = data_dir.resolve()
        self._host = host
        self._clone_url = clone_url
        self._token = token
        self._environments = tuple(environments)
        self._blobs = blobs

    @activity.defn
    @heartbeats
    async def load_configuration(self, question: LoadConfiguration) -> LoadedConfiguration:
        """Read both configuration files from the tip of a branch; what is wrong in them is an answer, not a failure."""
        mirror = self.mirror(question.repository)
        async with mirror.exclusive() as lock:
            ref = question.ref or await mirror.default_branch(lock)
            commit = await mirror.fetch_branch(ref, lock)
        texts = await mirror.read_files(commit, (CONFIGURATION_PATH, *CONFIGURATION_PATHS))
        read = read_configuration_files(texts, where=f"branch `{ref}`")
        return LoadedConfiguration(
            commit=commit,
            ref=ref,
            configuration=read.configuration,
            terrateam=read.terrateam,
            problems=tuple(problem.describe() for problem in read.problems),
            warnings=read.warnings,
            lines=dict(read.lines),
        )

    async def try_push(self, repository: Repository) -> None:
        """Raises as `git_push.try_push`, with the remote and the token of this worker."""
        await try_push(repository, self._clone_url(repository), self._token)

    @activity.defn
    @heartbeats
    async def check_out(self, question: CheckOut) -> CheckedOut:
        """Fetch, merge the head into the base branch's tip, and check that out; of a merged one, what it has become.

        Raises:
            ApplicationError: MERGE_CONFLICT, NOT_FOUND (branch or commit), CREDENTIALS, UNAVAILABLE (retried).
        """
        if not re.fullmatch(r"[0-9a-f]{40}([0-9a-f]{24})?", question.head_commit):
            raise failure(ErrorType.INVALID_INPUT, f"`{question.head_commit}` is not the id of a commit.")
        mirror = self.mirror(question.repository)
        async with mirror.exclusive() as lock:
            base_commit = await mirror.fetch_branch(question.base_ref, lock)
            await mirror.fetch_commit(question.head_commit, question.pull_request, lock)
        head_commit = own_head = await mirror.resolve(question.head_commit)
        base_tip = ""
        if question.merge_commit:
            base_tip = base_commit
            base_commit = await mirror.before_merge(question.merge_commit, own_head, into=base_commit)
            head_commit = question.merge_commit
        tree = WorkTree(
            repository=question.repository,
            run_id=question.run_id,
            base_ref=question.base_ref,
            base_commit=base_commit,
            head_commit=head_commit,
            merge_base=await mirror.merge_base(base_commit, head_commit),
            tree_commit=await mirror.merge(base_commit, head_commit, question.base_ref),
            name=question.name,
            base_tip=base_tip,
        )
        await self.ensure(tree)
        changed_files = await mirror.changed_files(await mirror.merge_base(base_commit, own_head), own_head)
        new_rules = await _new_rules(mirror, tree)
        return CheckedOut(
            tree=tree,
            changed_files=changed_files[:MAX_LISTED_FILES],
            host=self._host,
            environments=self._environments,
            new_rules=new_rules,
        )

    @activity.defn
    @heartbeats
    async def check_out_ref(self, question: CheckOutRef) -> CheckedOut:
        """Fetch a branch, a tag or a commit, and check it out as it is there.

        Raises:
            ApplicationError: NOT_FOUND (nothing has that name, or the branch doesn't contain it), CREDENTIALS,
                UNAVAILABLE (retried).
        """
        mirror = self.mirror(question.repository)
        async with mirror.exclusive() as lock:
            commit = await mirror.fetch_ref(question.ref or question.base_ref, lock)
            if question.on_branch:
                tip = await mirror.fetch_branch(question.base_ref, lock)
                if not await mirror.contains(tip, commit):
                    told = f"`{question.base_ref}` doesn't contain `{commit[:12]}` (any more), so it is not deployed."
                    raise failure(ErrorType.NOT_FOUND, told)
            made = await self._patched(mirror, commit, question.patch, lock) if question.patch else commit
        tree = WorkTree(
            repository=question.repository,
            run_id=question.run_id,
            base_ref=question.base_ref,
            base_commit=commit,
            head_commit=commit,
            merge_base=commit,
            tree_commit=made,
            patch=question.patch,
        )
        await self.ensure(tree)
        return CheckedOut(tree=tree, changed_files=(), host=self._host, environments=self._environments)

    @activity.defn
    @heartbeats
    async def ask_contained(self, question: AskContained) -> ContainedAnswer:
        """A commit that isn't here is in no tree that was made here."""
        tree, mirror = question.tree, self.mirror(question.tree.repository)
        await self.ensure(tree)
        return ContainedAnswer(contained=await mirror.contains(tree.tree_commit, question.commit))

    @activity.defn
    @heartbeats
    async def remove_work_tree(self, question: RemoveWorkTree) -> Nothing:
        """Drop all work trees of a run; they may be gone already."""
        await self._drop(self.mirror(question.repository), question.run_id)
        return Nothing()

    async def kept_folders(self) -> set[str]:
        """The folders (`WorkTree.folder`) of all runs that have, or may be about to have, a work tree on this host."""
        names = [path.name for path in (self._data_dir / "worktrees").glob("*+*")]
        for mirror in self._mirrors():
            names += [ref.rpartition("/")[2] for ref in await _kept_refs(mirror, "*")]
        return {name.rpartition("+")[0] for name in names}

    async def drop(self, folder: str) -> None:
        """Remove a run's work trees, whichever repository they are of."""
        for mirror in self._mirrors():
            await self._drop(mirror, folder)
        for path in self.work_trees_of(folder):  # of a mirror that is gone
            if await _has_unwritten_state(path):
                continue
            await asyncio.to_thread(shutil.rmtree, path, ignore_errors=True)

    async def _drop(self, mirror: Mirror, folder: str) -> None:
        trees = self.work_trees_of(folder)
        async with mirror.exclusive() as lock:
            needed = {tree for tree in trees if await _has_unwritten_state(tree)}
            await self._remove(mirror, [tree for tree in trees if tree not in needed], lock)
            if needed:
                return
            for ref in await _kept_refs(mirror, _kept_name(folder, "*")):
                await git(mirror.path, "update-ref", "-d", ref, lock=lock)

    async def ensure(self, tree: WorkTree) -> Path:
        """The folder of the run's work tree, made here if it isn't yet; many may ask at once.

        One that a killed process left half made is made anew; in a ready one nothing is touched, whatever Terragrunt
        has written there.
        """
        path = self.work_tree_path(tree.folder, tree.tree_commit)
        if _is_ready(path, tree.tree_commit):
            return path
        mirror = self.mirror(tree.repository)
        async with mirror.exclusive() as lock:
            if not _is_ready(path, tree.tree_commit):
                await self._bring_commits(mirror, tree, lock)
                await self._remove(mirror, [path], lock)
                await self._add(mirror, tree, path, lock)
        return path

    def mirror(self, repository: Repository) -> Mirror:
        path = self._data_dir / "mirrors" / f"{_safe(repository.owner)}+{_safe(repository.name)}.git"
        return Mirror(path, repository, self._clone_url(repository), self._token)

    def _mirrors(self) -> list[Mirror]:
        found = [path.stem.partition("+") for path in (self._data_dir / "mirrors").glob("*+*.git")]
        return [self.mirror(Repository(owner=owner, name=name)) for owner, _, name in found]

    def work_tree_path(self, folder: str, commit: str) -> Path:
        """A run that follows its base branch gets a tree for each commit: nothing is pulled from under what works."""
        return self._data_dir / "worktrees" / _kept_name(folder, commit)

    def work_trees_of(self, folder: str) -> list[Path]:
        return list((self._data_dir / "worktrees").glob(_kept_name(folder, "*")))

    async def _bring_commits(self, mirror: Mirror, tree: WorkTree, lock: int) -> None:
        """On another host than the one that checked out first, the commits come again and the merge is made again."""
        await mirror.fetch_commit(tree.base_commit, None, lock)
        await mirror.fetch_commit(tree.head_commit, None, lock)
        if not await mirror.has(tree.tree_commit):
            if tree.patch:
                merged = await self._patched(mirror, tree.head_commit, tree.patch, lock)
            else:
                merged = await mirror.merge(tree.base_commit, tree.head_commit, tree.base_ref)
            if merged != tree.tree_commit:
                raise failure(
                    ErrorType.FAILED,
                    f"This host's git merges {tree.head_commit[:12]} into {tree.base_commit[:12]} differently than the "
                    "host that began the run: their versions of git differ. Plan again.",
                )

    async def _patched(self, mirror: Mirror, commit: str, patch: str, lock: int) -> str:
        """The commit with somebody's uncommitted changes on it; the same one on every host."""
        try:
            if self._blobs is None:
                raise ArtifactMissing(patch)
            text = await asyncio.to_thread(self._blobs.read, patch)
        except ArtifactMissing:
            raise failure(
                ErrorType.NOT_FOUND, f"The changes of this working copy ({patch}) are gone. Give the order again."
            ) from None
        return await mirror.patched(commit, text, lock)

    async def _add(self, mirror: Mirror, tree: WorkTree, path: Path, lock: int) -> None:
        path.parent.mkdir(parents=True, exist_ok=True)
        # The ref keeps the commits from being collected as garbage for as long as the run may ask for them.
        await git(mirror.path, "update-ref", _kept_ref(tree.folder, tree.tree_commit), tree.tree_commit, lock=lock)
        command = ("worktree", "add", "--quiet", "--force", "--detach", str(path), tree.tree_commit)
        await git(mirror.path, *command, lock=lock)
        directory = _git_directory(path)
        assert directory is not None
        (directory / _READY).write_text(tree.tree_commit)

    async def _remove(self, mirror: Mirror, paths: Iterable[Path], lock: int) -> None:
        for path in paths:
            await asyncio.to_thread(shutil.rmtree, path, ignore_errors=True)
        await git(mirror.path, "worktree", "prune", "--expire", "now", lock=lock)


async def _new_rules(mirror: Mirror, tree: WorkTree) -> NewRules | None:
    """Compared with the tip of the base branch: what others have changed there is no change of this pull request."""
    paths = (CONFIGURATION_PATH, *CONFIGURATION_PATHS)
    before, after = [await mirror.read_files(commit, paths) for commit in (tree.base_commit, tree.tree_commit)]
    files = tuple(path for path in paths if before.get(path) != after.get(path))
    if not files:
        return None
    old = read_configuration_files(before, where=f"branch `{tree.base_ref}`")
    new = await asyncio.to_thread(read_configuration_files, after, where="this pull request")
    return new_rules(files, old, new)


def _is_ready(path: Path, commit: str) -> bool:
    directory = _git_directory(path)
    if directory is None:
        return False
    try:
        return (directory / _READY).read_text() == commit
    except OSError:
        return False


def _git_directory(path: Path) -> Path | None:
    """Where the mirror keeps what it knows of a work tree; its `.git` is a file that says so."""
    try:
        return Path((path / ".git").read_text().removeprefix("gitdir:").strip())
    except OSError:
        return None


async def _has_unwritten_state(tree: Path) -> bool:
    """The only copy of a state: what an apply has kept is gone from its tree, so nobody has read how this one ended."""
    found = await asyncio.to_thread(lambda: list(tree.rglob(ERRORED)))
    for left in await not_committed(tree, found):
        log.error("%s stays: Terraform could not write that state to its backend, and nobody has kept it", left)
        return True
    return False


async def _kept_refs(mirror: Mirror, names: str) -> list[str]:
    _, kept = await git(mirror.path, "for-each-ref", "--format=%(refname)", f"refs/docustack/runs/{names}")
    return kept.decode().split()


def _kept_ref(folder: str, commit: str) -> str:
    return f"refs/docustack/runs/{_kept_name(folder, commit)}"


def _kept_name(folder: str, commit: str) -> str:
    """Of a run's tree and a commit; no safe name has a plus, so none begins with another's."""
    return f"{_safe(folder)}+{commit[:12]}"


def _safe(name: str) -> str:
    """A name as one part of a path: ids of runs may hold colons, and nothing may lead out of the folder."""
    return re.sub(r"[^A-Za-z0-9._-]", "-", name).lstrip(".") or "-"
