"""Uncommitted changes of a clone, laid over its commit on every host, with real git."""

import hashlib
import subprocess
from pathlib import Path

import pytest
from temporalio.exceptions import ApplicationError

from activities.artifacts import FolderBlobs
from activities.git import Git
from activities.git_messages import CheckedOut, CheckOutRef
from docustack.errors import ErrorType
from docustack.repository import Repository
from starter.exit_codes import CommandFailed
from starter.working_copy import uncommitted_changes
from tests.integration.origin import Origin

REPOSITORY = Repository(owner="docustack", name="live")


@pytest.fixture
def origin(tmp_path: Path) -> Origin:
    files = {"dev/vpc/terragrunt.hcl": "one\n", "dev/old/terragrunt.hcl": "old\n", ".gitignore": "secret.env\n"}
    return Origin(tmp_path / "origin", files)


@pytest.fixture
def clone(tmp_path: Path, origin: Origin) -> Path:
    subprocess.run(["git", "clone", "--quiet", origin.url, tmp_path / "clone"], check=True)
    return tmp_path / "clone"


def host(tmp_path: Path, origin: Origin, name: str) -> Git:
    blobs = FolderBlobs(tmp_path / "artifacts")
    return Git(data_dir=tmp_path / name, host=name, clone_url=lambda _: origin.url, blobs=blobs)


def change(clone: Path) -> None:
    (clone / "dev/vpc/terragrunt.hcl").write_text("two\n")
    (clone / "dev/vpc/picture.bin").write_bytes(bytes(range(256)))
    (clone / "dev/old/terragrunt.hcl").unlink()
    (clone / "dev/new").mkdir()
    (clone / "dev/new/terragrunt.hcl").write_text("new\n")
    (clone / "secret.env").write_text("hunter2\n")


def kept(tmp_path: Path, patch: bytes) -> str:
    key = f"working-copies/{hashlib.sha256(patch).hexdigest()}.patch"
    FolderBlobs(tmp_path / "artifacts").write(key, patch, "text/x-patch")
    return key


async def check_out(trees: Git, ref: str, patch: str) -> CheckedOut:
    question = CheckOutRef(repository=REPOSITORY, run_id="run:1", base_ref="main", ref=ref, patch=patch)
    return await trees.check_out_ref(question)


async def test_what_is_uncommitted_lies_in_the_tree_on_every_host(tmp_path: Path, origin: Origin, clone: Path) -> None:
    change(clone)
    changes = uncommitted_changes(clone)
    assert set(changes.files) == {
        "dev/vpc/terragrunt.hcl",
        "dev/vpc/picture.bin",
        "dev/old/terragrunt.hcl",
        "dev/new/terragrunt.hcl",
    }
    assert b"hunter2" not in changes.patch, "what git ignores stays here"
    here, there = host(tmp_path, origin, "here"), host(tmp_path, origin, "there")
    tree = (await check_out(here, changes.commit, kept(tmp_path, changes.patch))).tree
    assert (tree.head_commit, tree.base_commit) == (changes.commit,) * 2
    assert tree.tree_commit != changes.commit
    for trees in (here, there):
        folder = await trees.ensure(tree)
        assert (folder / "dev/vpc/terragrunt.hcl").read_text() == "two\n"
        assert (folder / "dev/vpc/picture.bin").read_bytes() == bytes(range(256))
        assert (folder / "dev/new/terragrunt.hcl").read_text() == "new\n"
        assert not (folder / "dev/old").exists()


def test_the_clone_is_left_as_it_is(clone: Path) -> None:
    change(clone)
    before = subprocess.run(["git", "status", "--porcelain"], cwd=clone, check=True, capture_output=True).stdout
    uncommitted_changes(clone)
    after = subprocess.run(["git", "status", "--porcelain"], cwd=clone, check=True, capture_output=True).stdout
    assert before == after


def commit_unpushed(clone: Path) -> None:
    identity = ["-c", "user.name=D", "-c", "user.email=d@example.com"]
    subprocess.run(["git", *identity, "commit", "--quiet", "--allow-empty", "-m", "mine"], cwd=clone, check=True)


def test_a_commit_that_nobody_has_pushed_is_told_to_be_pushed_before_anything_is_sent(clone: Path) -> None:
    commit_unpushed(clone)
    change(clone)
    with pytest.raises(CommandFailed, match="was never pushed") as refused:
        uncommitted_changes(clone)
    assert "git push" in refused.value.advice[0]


def forget_remote(clone: Path) -> None:
    subprocess.run(["git", "remote", "remove", "origin"], cwd=clone, check=True)


async def test_a_commit_that_the_remote_does_not_have_is_told_to_be_pushed(
    tmp_path: Path, origin: Origin, clone: Path
) -> None:
    """A clone that knows no branch of its remote can't tell."""
    commit_unpushed(clone)
    change(clone)
    forget_remote(clone)
    changes = uncommitted_changes(clone)
    with pytest.raises(ApplicationError) as caught:
        await check_out(host(tmp_path, origin, "here"), changes.commit, kept(tmp_path, changes.patch))
    assert caught.value.type == ErrorType.NOT_FOUND
    assert "push it first" in caught.value.message
    assert "any more" not in caught.value.message


async def test_changes_that_are_gone_or_do_not_fit_say_so(tmp_path: Path, origin: Origin, clone: Path) -> None:
    trees, commit = host(tmp_path, origin, "here"), origin.git("rev-parse", "main")
    change(clone)
    patch = uncommitted_changes(clone).patch
    later = origin.commit({"dev/vpc/terragrunt.hcl": "three\n"})
    for ref, key, error in (
        (commit, "working-copies/gone.patch", ErrorType.NOT_FOUND),
        (later, kept(tmp_path, patch), ErrorType.MERGE_CONFLICT),
        (commit, kept(tmp_path, patch.replace(b"b/dev/new/", b"b/../../../")), ErrorType.MERGE_CONFLICT),
        (commit, kept(tmp_path, patch.replace(b"b/dev/new/", b"b/.git/")), ErrorType.MERGE_CONFLICT),
    ):
        with pytest.raises(ApplicationError) as caught:
            await check_out(trees, ref, key)
        assert caught.value.type == error


def test_a_folder_that_is_no_clone_is_told(tmp_path: Path) -> None:
    with pytest.raises(CommandFailed, match="not a git repository"):
        uncommitted_changes(tmp_path)


def test_a_folder_within_a_clone_is_not_its_top(clone: Path) -> None:
    with pytest.raises(CommandFailed, match="is not the top of its clone"):
        uncommitted_changes(clone / "dev")
