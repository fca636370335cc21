"""A bare mirror of one live repository: its commits, how they merge, and what differs between them."""

import asyncio
import re
import tempfile
from collections.abc import AsyncIterator, Iterable
from contextlib import asynccontextmanager
from pathlib import Path
from urllib.parse import quote

from activities.failures import failure
from activities.file_lock import file_lock
from activities.git_command import NETWORK_LIMIT, GitError, TokenSource, git, remote_failure, remote_settings
from activities.git_push import IDENTITY, push_failure
from docustack.errors import ErrorType
from docustack.repository import ChangedFile, Repository

_STATUSES = {"A": "added", "M": "modified", "T": "modified", "D": "deleted", "R": "renamed"}


class Mirror:
    """Methods that take `lock` change the mirror and are called with `exclusive()` held."""

    def __init__(self, path: Path, repository: Repository, url: str, token: TokenSource) -> None:
        self.path = path
        self._repository = repository
        self._url = url
        self._token = token

    @asynccontextmanager
    async def exclusive(self) -> AsyncIterator[int]:
        """Alone on this mirror, on this machine; it exists and no lock file of a dead git is in the way."""
        self.path.parent.mkdir(parents=True, exist_ok=True)
        async with file_lock(self.path.with_suffix(".lock")) as lock:
            if not (self.path / "HEAD").is_file():
                await git(self.path.parent, "init", "--quiet", "--bare", str(self.path), lock=lock)
            await asyncio.to_thread(self._remove_stale_locks)
            yield lock

    def _remove_stale_locks(self) -> None:
        for folder in (self.path, self.path / "worktrees"):
            for stale in folder.glob("*.lock"):
                stale.unlink(missing_ok=True)
        for stale in (self.path / "refs").rglob("*.lock"):
            stale.unlink(missing_ok=True)

    async def fetch_branch(self, branch: str, lock: int) -> str:
        """Fetch one branch; gives its tip.

        Kept under a name without slashes, so that a branch `a` that has become `a/b` is in nobody's way.
        """
        kept = f"refs/docustack/branches/{quote(branch, safe='')}"
        await self._fetch([f"+refs/heads/{branch}:{kept}"], lock)
        return await self.resolve(kept)

    async def fetch_branches(self, prefix: str, lock: int) -> dict[str, str]:
        """The tips of all branches whose names begin so, by their names."""
        kept = f"refs/docustack/beginning/{quote(prefix, safe='')}/"
        await self._fetch([f"+refs/heads/{prefix}*:{kept}*"], lock)
        _, output = await git(self.path, "for-each-ref", "--format=%(objectname) %(refname)", kept)
        pairs = (line.split(" ", 1) for line in output.decode().splitlines())
        return {f"{prefix}{name.removeprefix(kept)}": tip for tip, name in pairs}

    async def default_branch(self, lock: int) -> str:
        """The branch that the remote's HEAD names."""
        settings = await remote_settings(self._url, self._token)
        try:
            _, output = await git(self.path, "ls-remote", "--symref", self._url, "HEAD", settings=settings, lock=lock)
        except GitError as error:
            raise remote_failure(error, self._repository.full_name) from None
        named = re.search(r"^ref: refs/heads/(\S+)\s+HEAD$", output.decode(), re.MULTILINE)
        if named is None:
            raise failure(ErrorType.NOT_FOUND, f"`{self._repository.full_name}` has no default branch.")
        return named[1]

    async def commit_file(self, parent: str, path: str, text: str, message: str, lock: int) -> str:
        """The commit that changes one file of its parent; the same one whenever it is made."""
        _, blob = await git(self.path, "hash-object", "-w", "--stdin", standard_input=text.encode(), lock=lock)
        with tempfile.TemporaryDirectory(dir=self.path) as folder:
            index = {"GIT_INDEX_FILE": f"{folder}/index"}
            await git(self.path, "read-tree", parent, environment=index, lock=lock)
            entry = f"100644,{blob.decode().strip()},{path}"
            await git(self.path, "update-index", "--add", "--cacheinfo", entry, environment=index, lock=lock)
            _, tree = await git(self.path, "write-tree", environment=index, lock=lock)
        return await self._commit(tree.decode().strip(), (parent,), message, date_of=parent)

    async def patched(self, parent: str, patch: bytes, lock: int) -> str:
        """The commit that a patch makes of its parent; the same one whenever it is made.

        Raises:
            ApplicationError: MERGE_CONFLICT where it doesn't fit.
        """
        with tempfile.TemporaryDirectory(dir=self.path) as folder:
            index = {"GIT_INDEX_FILE": f"{folder}/index"}
            await git(self.path, "read-tree", parent, environment=index, lock=lock)
            try:
                apply = ("apply", "--cached", "--binary", "--whitespace=nowarn", "-")
                await git(self.path, *apply, environment=index, standard_input=patch, lock=lock)
            except GitError as error:
                raise failure(
                    ErrorType.MERGE_CONFLICT,
                    f"The changes of the working copy don't fit {parent[:12]}: {error.stderr[-500:]}",
                ) from None
            _, tree = await git(self.path, "write-tree", environment=index, lock=lock)
        return await self._commit(tree.decode().strip(), (parent,), "Uncommitted changes", date_of=parent)

    async def push(self, commit: str, branch: str, lock: int) -> None:
        """Only ever forward: what somebody else has pushed there stays.

        Raises:
            ApplicationError: CREDENTIALS, the worker may not push there; UNAVAILABLE, it can be tried again.
        """
        settings = await remote_settings(self._url, self._token)
        try:
            await git(
                self.path,
                *("push", "--quiet", self._url, f"{commit}:refs/heads/{branch}"),
                settings=settings,
                lock=lock,
            )
        except GitError as error:
            raise push_failure(error, self._repository.full_name, branch) from None

    async def fetch_commit(self, commit: str, pull_request: int | None, lock: int) -> None:
        """Make sure that a commit is here, whether of a branch, of a fork's pull request or no longer of either.

        Raises:
            ApplicationError: NOT_FOUND if the remote doesn't have it, UNAVAILABLE if it can't be asked.
        """
        if not await self._fetched(commit, pull_request, lock):
            raise failure(
                ErrorType.NOT_FOUND,
                f"`{self._repository.full_name}` has no commit {commit[:12]} any more: the branch was pushed over or "
                "deleted. The next push is planned by itself.",
            )

    async def _fetched(self, commit: str, pull_request: int | None, lock: int) -> bool:
        attempts = [[commit], ["+refs/heads/*:refs/docustack/heads/*", "+refs/pull/*/head:refs/docustack/pulls/*"]]
        if pull_request is not None:
            attempts.insert(0, [f"+refs/pull/{pull_request}/head:refs/docustack/pulls/{pull_request}"])
        for refspecs in attempts:
            if await self.has(commit):
                return True
            await self._fetch(refspecs, lock, missing_is_fine=True)
        return await self.has(commit)

    async def fetch_ref(self, ref: str, lock: int) -> str:
        """Have what a branch, a tag or a commit (its first seven digits or more) names; gives the commit.

        Raises:
            ApplicationError: NOT_FOUND if nothing has that name, UNAVAILABLE if the remote can't be asked.
        """
        commit = ref if re.fullmatch(r"[0-9a-f]{40}([0-9a-f]{24})?", ref) else await self._named(ref, lock)
        if not commit and re.fullmatch(r"[0-9a-f]{7,}", ref):
            await self._fetch(["+refs/heads/*:refs/docustack/heads/*"], lock)
            code, output = await git(self.path, "rev-parse", "--verify", f"{ref}^{{commit}}", expected=(0, 128))
            commit = output.decode().strip() if code == 0 else ""
        if not commit:
            raise failure(ErrorType.NOT_FOUND, f"`{self._repository.full_name}` has no branch, tag or commit {ref!r}.")
        if not await self._fetched(commit, None, lock):
            raise failure(
                ErrorType.NOT_FOUND,
                f"`{self._repository.full_name}` has no commit {commit[:12]}. If it is yours, push it first, then "
                "order this again.",
            )
        return await self.resolve(commit)

    async def _named(self, ref: str, lock: int) -> str:
        """The commit of a branch, else of a tag, as the remote has it now; empty where it has neither."""
        settings = await remote_settings(self._url, self._token)
        names = [f"refs/heads/{ref}", f"refs/tags/{ref}^{{}}", f"refs/tags/{ref}"]
        try:
            _, output = await git(self.path, "ls-remote", self._url, *names, settings=settings, lock=lock)
        except GitError as error:
            raise remote_failure(error, self._repository.full_name) from None
        lines = (line.split("\t", 1) for line in output.decode().splitlines())
        found = {name: commit for commit, name in lines}
        return next((found[name] for name in names if name in found), "")

    async def _fetch(self, refspecs: list[str], lock: int, *, missing_is_fine: bool = False) -> None:
        settings = await remote_settings(self._url, self._token)
        command = ("fetch", "--quiet", "--no-tags", "--prune", "--no-write-fetch-head", self._url, *refspecs)
        try:
            async with asyncio.timeout(NETWORK_LIMIT):
                await git(self.path, *command, settings=settings, lock=lock)
        except TimeoutError:
            raise failure(
                ErrorType.UNAVAILABLE, f"`{self._repository.full_name}` couldn't be fetched in {NETWORK_LIMIT:.0f} s."
            ) from None
        except GitError as error:
            said = error.stderr.lower()
            if missing_is_fine and any(mark in said for mark in ("not our ref", "couldn't find remote ref")):
                return
            raise remote_failure(error, self._repository.full_name) from None

    async def has(self, commit: str) -> bool:
        if not self.path.is_dir():
            return False
        code, _ = await git(self.path, "cat-file", "-e", f"{commit}^{{commit}}", expected=(0, 1, 128))
        return code == 0

    async def resolve(self, name: str) -> str:
        _, output = await git(self.path, "rev-parse", "--verify", "--end-of-options", f"{name}^{{commit}}")
        return output.decode().strip()

    async def merge_base(self, base: str, head: str) -> str:
        code, output = await git(self.path, "merge-base", base, head, expected=(0, 1))
        if code == 1:
            raise failure(
                ErrorType.MERGE_CONFLICT,
                "The pull request's branch and its base have no history in common, so there is nothing to compare. "
                "Start the branch from the base branch and put the changes there.",
            )
        return output.decode().strip()

    async def merge(self, base: str, head: str, base_ref: str) -> str:
        """The commit of the head merged into the base; the same one on every host, whenever it is made.

        Raises:
            ApplicationError: MERGE_CONFLICT, with the files.
        """
        common = await self.merge_base(base, head)
        if common == base:
            return head
        if common == head:
            return base
        code, output = await git(
            self.path, "merge-tree", "--write-tree", "--name-only", "--no-messages", "-z", base, head, expected=(0, 1)
        )
        tree, *files = [part for part in output.decode(errors="replace").split("\0") if part]
        if code == 1:
            names = ", ".join(f"`{name}`" for name in files[:20]) + (" and others" if len(files) > 20 else "")
            raise failure(
                ErrorType.MERGE_CONFLICT,
                f"The branch doesn't merge into `{base_ref}`: there are conflicts in {names}. "
                f"Merge `{base_ref}` into the branch (`git fetch && git merge origin/{base_ref}`), resolve them, push.",
            )
        return await self._commit(tree, (base, head), f"Merge {head} into {base}", date_of=head)

    async def _commit(self, tree: str, parents: tuple[str, ...], message: str, *, date_of: str) -> str:
        _, date = await git(self.path, "show", "--no-patch", "--format=%ct", date_of)
        when = f"{date.decode().strip()} +0000"
        _, commit = await git(
            self.path,
            *("commit-tree", tree, *(word for parent in parents for word in ("-p", parent)), "-m", message),
            environment={**IDENTITY, "GIT_AUTHOR_DATE": when, "GIT_COMMITTER_DATE": when},
        )
        return commit.decode().strip()

    async def contains(self, commit: str, other: str) -> bool:
        """Whether another commit is this one or comes before it; one that isn't here doesn't."""
        code, _ = await git(self.path, "merge-base", "--is-ancestor", other, commit, expected=(0, 1, 128))
        return code == 0

    async def before_merge(self, merge: str, head: str, *, into: str) -> str:
        """The commit of the branch right before a pull request came into it: by a merge commit, squashed or rebased.

        Of a rebase each commit of the pull request has a copy, which git knows by what it changes.

        Raises:
            ApplicationError: NOT_FOUND, where the branch (`into`: its tip) doesn't have the merge any more.
        """
        if not await self.contains(into, merge):
            raise failure(
                ErrorType.NOT_FOUND,
                f"The base branch doesn't contain `{merge[:12]}` any more, by which this was merged: it was pushed "
                "over. Nothing of it is applied.",
            )
        copies = ("rev-list", "--first-parent", "--right-only", "--cherry-mark", "--no-merges", f"{head}...{merge}")
        _, output = await git(self.path, *copies)
        copied = {line[1:] for line in output.decode().split() if line.startswith("=")}
        before = await self.resolve(f"{merge}^1")
        while before in copied:
            before = await self.resolve(f"{before}^1")
        return before

    async def changed_files(self, since: str, commit: str) -> tuple[ChangedFile, ...]:
        """What a commit changes since the merge base; renames detected."""
        _, output = await git(
            self.path, "diff", "--name-status", "-z", "-M", "--no-ext-diff", "--no-textconv", since, commit, "--"
        )
        return tuple(_changed_files(output.decode(errors="replace").split("\0")))

    async def list_files(self, commit: str) -> dict[str, str]:
        """Each path with its mode and git's name of its content."""
        _, output = await git(self.path, "ls-tree", "-r", "-z", commit)
        entries = (entry.partition("\t") for entry in output.decode(errors="replace").split("\0") if entry)
        return {path: what for what, _, path in entries}

    async def read_files(self, commit: str, paths: Iterable[str]) -> dict[str, str]:
        """The text of files, as they are in the commit; those that it doesn't have are left out."""
        wanted = [path for path in paths if "\n" not in path]
        if not wanted:
            return {}
        asked = "".join(f"{commit}:{path}\n" for path in wanted)
        _, output = await git(self.path, "cat-file", "--batch", standard_input=asked.encode())
        return dict(_contents(wanted, output))


def _changed_files(parts: list[str]) -> Iterable[ChangedFile]:
    remaining = iter(parts)
    for code in remaining:
        if not code:
            continue
        previous = next(remaining) if code[0] in "RC" else None
        path = next(remaining)
        yield ChangedFile(path=path, status=_STATUSES.get(code[0], "modified"), previous_path=previous)


def _contents(paths: list[str], output: bytes) -> Iterable[tuple[str, str]]:
    """`git cat-file --batch` answers `<id> blob <size>`, the bytes and a newline; or `<name> missing`."""
    position = 0
    for path in paths:
        end = output.index(b"\n", position)
        header = output[position:end].split(b" ")
        position = end + 1
        if header[-1] == b"missing":
            continue
        size = int(header[-1])
        if header[-2] == b"blob":
            yield path, output[position : position + size].decode(errors="replace")
        position += size + 1
