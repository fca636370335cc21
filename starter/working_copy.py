"""The uncommitted changes of a clone, as a patch: what is tracked, and what is new and not ignored."""

import os
import subprocess
import tempfile
from dataclasses import dataclass
from pathlib import Path

from starter.exit_codes import CommandFailed, ExitCode
from starter.working_copy_endpoint import WORKING_COPY_LIMIT

PATCH_LIMIT = WORKING_COPY_LIMIT * 3 // 4 - 1024


@dataclass(frozen=True)
class Changes:
    """What differs from the commit that is checked out."""

    commit: str
    patch: bytes
    files: tuple[str, ...]


def uncommitted_changes(root: Path) -> Changes:
    """Nothing of the clone is touched, its index neither.

    Raises:
        CommandFailed: the folder is no clone, its commit was never pushed, or its changes are too many.
    """
    top = Path(_git(root, "rev-parse", "--show-toplevel").decode().strip())
    if top.resolve() != root.resolve():
        raise CommandFailed(f"{root} is not the top of its clone, {top} is.", code=ExitCode.USAGE)
    commit = _git(root, "rev-parse", "HEAD").decode().strip()
    _refuse_unpushed(root, commit)
    with tempfile.TemporaryDirectory() as folder:
        index = {"GIT_INDEX_FILE": f"{folder}/index"}
        _git(root, "read-tree", "HEAD", environ=index)
        _git(root, "add", "--all", environ=index)
        differ = ("diff", "--cached", "--no-ext-diff", "--no-textconv", "--no-renames", "--no-color")
        patch = _git(root, *differ, "--binary", "--full-index", "HEAD", environ=index)
        files = _git(root, *differ, "--name-only", "-z", "HEAD", environ=index).decode(errors="replace")
    if len(patch) > PATCH_LIMIT:
        told = f"The uncommitted changes are {len(patch):,} bytes, and {PATCH_LIMIT:,} can be sent."
        raise CommandFailed(told, "Commit and push them, and say --ref with your branch.", code=ExitCode.USAGE)
    return Changes(commit, patch, tuple(file for file in files.split("\0") if file))


def _refuse_unpushed(root: Path, commit: str) -> None:
    """The worker takes the commit from the remote. A clone that knows no branch of it can't tell, and is believed."""
    if not _git(root, "for-each-ref", "--count=1", "refs/remotes"):
        return
    if not _git(root, "for-each-ref", "--count=1", f"--contains={commit}", "refs/remotes", "refs/tags"):
        raise CommandFailed(
            f"Commit {commit[:7]}, which lies here, was never pushed, and the worker takes it from the remote.",
            "Push it first: git push (any branch will do). Only what is uncommitted is sent along.",
            "If it was pushed from elsewhere: git fetch.",
            code=ExitCode.USAGE,
        )


def _git(folder: Path, *arguments: str, environ: dict[str, str] | None = None) -> bytes:
    try:
        done = subprocess.run(
            ["git", *arguments], cwd=folder, env={**os.environ, **(environ or {})}, capture_output=True, check=False
        )
    except FileNotFoundError:
        raise CommandFailed("There is no git here.", code=ExitCode.USAGE) from None
    if done.returncode != 0:
        said = done.stderr.decode(errors="replace").strip()
        raise CommandFailed(f"git {arguments[0]} in {folder} says: {said}", code=ExitCode.USAGE)
    return done.stdout
