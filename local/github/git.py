"""Real git on a bare repository: refs, commits, differences, files, and merges made without a work tree."""

import os
import subprocess
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

NO_COMMIT = "0" * 40
_FORMAT = "%x1e%H%x00%T%x00%P%x00%an%x00%ae%x00%aI%x00%cn%x00%ce%x00%cI%x00%B"


class GitError(Exception):
    """Git refused; the message is what it printed."""


@dataclass(frozen=True)
class Person:
    """A name as git writes it into a commit."""

    name: str
    email: str


@dataclass(frozen=True)
class Commit:
    sha: str
    tree: str
    parents: tuple[str, ...]
    author: Person
    authored_at: datetime
    committer: Person
    committed_at: datetime
    message: str

    @property
    def subject(self) -> str:
        return self.message.partition("\n")[0]


@dataclass(frozen=True)
class ChangedFile:
    path: str
    previous_path: str | None
    status: str
    blob: str
    additions: int
    deletions: int
    patch: str | None


class Repository:
    """One bare repository. Every method raises `GitError` when git does not do what was asked."""

    def __init__(self, git_dir: Path) -> None:
        self.git_dir = git_dir

    def run(self, *arguments: str, identity: Mapping[str, str] | None = None, stdin: str | None = None) -> str:
        result = self._call(arguments, identity or {}, stdin)
        if result.returncode != 0:
            raise GitError(result.stderr.strip() or f"git {arguments[0]} exited with {result.returncode}")
        return result.stdout

    def _call(
        self, arguments: Sequence[str], identity: Mapping[str, str], stdin: str | None = None
    ) -> subprocess.CompletedProcess[str]:
        # Variables such as GIT_DIR, set when a hook or a rebase started us, would lead git elsewhere.
        environment = {name: value for name, value in os.environ.items() if not name.startswith("GIT_")}
        return subprocess.run(
            ["git", "--git-dir", str(self.git_dir), *arguments],
            env={**environment, **identity, "GIT_TERMINAL_PROMPT": "0", "LC_ALL": "C.UTF-8"},
            input=stdin if stdin is not None else "",
            capture_output=True,
            text=True,
            errors="replace",
            check=False,
        )

    def branches(self) -> dict[str, str]:
        """Commit of each branch, by the branch's full ref."""
        lines = self.run("for-each-ref", "--format=%(refname) %(objectname)", "refs/heads").splitlines()
        return dict(line.rsplit(" ", 1) for line in lines)

    def resolve(self, revision: str) -> str | None:
        """The commit that a branch, tag, ref or sha means; nothing when there is none."""
        if revision.startswith("-"):
            return None
        result = self._call(["rev-parse", "--verify", "--quiet", f"{revision}^{{commit}}"], {})
        return result.stdout.strip() if result.returncode == 0 else None

    def set_ref(self, ref: str, sha: str, before: str | None = None) -> None:
        """Move or make a ref; with `before`, only if it still points there."""
        self.run("update-ref", ref, sha, *([before] if before is not None else []))

    def delete_ref(self, ref: str) -> None:
        self.run("update-ref", "-d", ref)

    def is_ancestor(self, ancestor: str, descendant: str) -> bool:
        return self._call(["merge-base", "--is-ancestor", ancestor, descendant], {}).returncode == 0

    def merge_base(self, one: str, other: str) -> str | None:
        return self._call(["merge-base", one, other], {}).stdout.strip() or None

    def count(self, revisions: str) -> int:
        return int(self.run("rev-list", "--count", revisions))

    def commit(self, sha: str) -> Commit:
        return self._commits("log", "-1", sha)[0]

    def commits(self, base: str, head: str) -> list[Commit]:
        """Commits that `head` has and `base` lacks, oldest first."""
        return self._commits("log", "--reverse", "--topo-order", f"{base}..{head}")

    def _commits(self, command: str, *arguments: str) -> list[Commit]:
        output = self.run(command, f"--format={_FORMAT}", *arguments, "--")
        return [_parse_commit(entry) for entry in output.split("\x1e")[1:]]

    def changed_files(self, base: str, head: str) -> list[ChangedFile]:
        """What `head` changed since it left `base`, as a pull request shows it."""
        start = self.merge_base(base, head) or self.run("hash-object", "-t", "tree", "--stdin").strip()
        names = self.run("diff", "--raw", "-z", "-M", "--abbrev=40", start, head).split("\0")
        counts = self.run("diff", "--numstat", "-z", "-M", start, head).split("\0")
        patches = ("\n" + self.run("diff", "-M", start, head)).split("\ndiff --git ")[1:]
        return _parse_changes(names, counts, patches)

    def file(self, revision: str, path: str) -> bytes | None:
        """A file's bytes; nothing where there is no such file."""
        result = subprocess.run(
            ["git", "--git-dir", str(self.git_dir), "cat-file", "blob", f"{revision}:{path}"],
            capture_output=True,
            check=False,
        )
        return result.stdout if result.returncode == 0 else None

    def blob(self, revision: str, path: str) -> str:
        return self.run("rev-parse", f"{revision}:{path}").strip()

    def folder(self, revision: str, path: str) -> list[tuple[str, str, str]] | None:
        """Type (`blob`, `tree`), object and path of each entry of a folder; nothing where there is no such folder."""
        result = self._call(["ls-tree", "-z", f"{revision}:{path}".removesuffix("/")], {})
        if result.returncode != 0:
            return None
        entries = [entry.partition("\t") for entry in result.stdout.split("\0") if entry]
        return [(meta.split()[1], meta.split()[2], f"{path}/{name}".lstrip("/")) for meta, _, name in entries]

    def fetch(self, other: Path, ref: str, into: str) -> None:
        self.run("fetch", "--quiet", "--no-tags", str(other), f"+{ref}:{into}")

    def merged_tree(self, base: str, head: str) -> str | None:
        """The tree that a merge of `head` into `base` gives; nothing when they conflict."""
        result = self._call(["merge-tree", "--write-tree", base, head], {})
        if result.returncode > 1:
            raise GitError(result.stderr.strip())
        return result.stdout.splitlines()[0] if result.returncode == 0 else None

    def make_commit(self, tree: str, parents: Sequence[str], message: str, identity: Mapping[str, str]) -> str:
        options = [option for parent in parents for option in ("-p", parent)]
        return self.run("commit-tree", tree, *options, "-F", "-", identity=identity, stdin=message).strip()

    def replay(self, commit: Commit, onto: str, committer: Mapping[str, str]) -> str | None:
        """What a rebase does with one commit; nothing when it conflicts."""
        # Git < 2.40 has no `merge-tree --merge-base`: a child of the commit's parent that holds `onto`'s tree
        # makes that parent the merge base.
        stand_in = self.make_commit(f"{onto}^{{tree}}", commit.parents, "onto", committer)
        tree = self.merged_tree(stand_in, commit.sha)
        if tree is None:
            return None
        return self.make_commit(tree, [onto], commit.message, {**committer, **author_identity(commit)})


def identity(author: Person, committer: Person) -> dict[str, str]:
    """The environment under which git writes these two names into a commit."""
    return {
        "GIT_AUTHOR_NAME": author.name,
        "GIT_AUTHOR_EMAIL": author.email,
        "GIT_COMMITTER_NAME": committer.name,
        "GIT_COMMITTER_EMAIL": committer.email,
    }


def author_identity(commit: Commit) -> dict[str, str]:
    return {
        "GIT_AUTHOR_NAME": commit.author.name,
        "GIT_AUTHOR_EMAIL": commit.author.email,
        "GIT_AUTHOR_DATE": commit.authored_at.isoformat(),
    }


def _parse_commit(entry: str) -> Commit:
    sha, tree, parents, an, ae, ad, cn, ce, cd, message = entry.split("\0", 9)
    return Commit(
        sha=sha,
        tree=tree,
        parents=tuple(parents.split()),
        author=Person(an, ae),
        authored_at=datetime.fromisoformat(ad),
        committer=Person(cn, ce),
        committed_at=datetime.fromisoformat(cd),
        message=message.strip("\n"),
    )


_STATUS = {"A": "added", "D": "removed", "M": "modified", "R": "renamed", "C": "copied", "T": "changed"}


def _parse_changes(names: list[str], counts: list[str], patches: list[str]) -> list[ChangedFile]:
    """Join git's three views of one difference; all three list the files in the same order."""
    changes: list[ChangedFile] = []
    raw, numbers, texts = iter(names), iter(counts), iter(patches)
    for meta in (entry for entry in raw if entry):
        _, _, before, after, status = meta.split(" ")
        path = next(raw)
        previous = None
        if status[0] in "RC":
            previous, path = path, next(raw)
        added, deleted, _ = next(numbers).split("\t", 2)
        if previous is not None:
            next(numbers), next(numbers)
        body = next(texts).partition("\n@@")
        if status == "T":
            next(texts)  # a file that became a link, say, is shown as two differences
        changes.append(
            ChangedFile(
                path=path,
                previous_path=previous,
                status=_STATUS.get(status[0], "changed"),
                blob=before if status[0] == "D" else after,
                additions=0 if added == "-" else int(added),
                deletions=0 if deleted == "-" else int(deleted),
                patch=f"@@{body[2]}".rstrip("\n") if body[1] else None,
            )
        )
    return changes
