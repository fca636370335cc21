"""A live repository as people push to it: a real git repository, changed and committed in a few words."""

import subprocess
from collections.abc import Mapping
from pathlib import Path


class Origin:
    """The remote (`url`), with the folder in which its commits are made."""

    def __init__(self, folder: Path, files: Mapping[str, str]) -> None:
        self.folder = folder
        folder.mkdir(parents=True)
        self.git("init", "--quiet", "--initial-branch", "main")
        self.git("config", "user.name", "Developer")
        self.git("config", "user.email", "developer@example.com")
        self.commit(files)

    @property
    def url(self) -> str:
        return str(self.folder)

    def git(self, *arguments: str) -> str:
        done = subprocess.run(["git", *arguments], cwd=self.folder, check=True, capture_output=True, text=True)
        return done.stdout.strip()

    def on(self, branch: str, start: str = "main") -> "Origin":
        """Go on with a branch, which begins at `start` if it is new."""
        exists = self.git("branch", "--list", branch)
        self.git("checkout", "--quiet", *([branch] if exists else ["-b", branch, start]))
        return self

    def commit(self, files: Mapping[str, str | None]) -> str:
        """Write files (None deletes one) and commit; gives the commit."""
        for name, text in files.items():
            path = self.folder / name
            if text is None:
                path.unlink()
                continue
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text, encoding="utf-8")
        self.git("add", "--all")
        self.git("commit", "--quiet", "--message", "Change", "--allow-empty")
        return self.git("rev-parse", "HEAD")

    def move(self, old: str, new: str) -> str:
        (self.folder / new).parent.mkdir(parents=True, exist_ok=True)
        self.git("mv", old, new)
        return self.commit({})
