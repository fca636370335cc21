"""A person's clone of the live repository: branches, commits and pushes under that person's name."""

import shutil
from pathlib import Path

from local.live_repository import LEFT_BY_TOOLS, git


class WorkTree:
    """One clone. Whose commits they are is told by the address, as on GitHub."""

    def __init__(self, path: Path, login: str) -> None:
        self.path = path
        self._identity = {
            f"GIT_{role}_{field}": value
            for role in ("AUTHOR", "COMMITTER")
            for field, value in (("NAME", login), ("EMAIL", f"{login}@users.noreply.github.com"))
        }

    @classmethod
    def clone(cls, url: str, path: Path, login: str) -> "WorkTree":
        path.parent.mkdir(parents=True, exist_ok=True)
        git(path.parent, "clone", "--quiet", url, str(path))
        return cls(path, login)

    def git(self, *arguments: str) -> str:
        """Run git here; gives what it prints."""
        return git(self.path, *arguments, identity=self._identity)

    def branch(self, name: str, base: str = "main") -> None:
        """A new branch from what the base is now."""
        self.git("fetch", "--quiet", "origin")
        self.git("checkout", "--quiet", "--no-track", "-B", name, f"origin/{base}")

    def write(self, path: str, text: str) -> None:
        target = self.path / path
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_text(text, encoding="utf-8")

    def read(self, path: str) -> str:
        return (self.path / path).read_text(encoding="utf-8")

    def lay_over(self, folder: Path) -> None:
        """Copy the files of a folder over those that are here."""
        shutil.copytree(folder, self.path, dirs_exist_ok=True, ignore=LEFT_BY_TOOLS)

    def commit(self, message: str) -> str:
        """Commit everything that differs; gives the commit."""
        self.git("add", "--all")
        self.git("commit", "--quiet", "--message", message)
        return self.head

    def push(self, *, force: bool = False) -> str:
        """Push the branch; gives its commit, which is then the head on the remote."""
        branch = self.git("branch", "--show-current")
        self.git("push", "--quiet", *(["--force"] if force else []), "--set-upstream", "origin", branch)
        return self.head

    @property
    def head(self) -> str:
        return self.git("rev-parse", "HEAD")
