"""One changed file on a branch of ours, on a real remote: once, always forward, and only where it is a change."""

from pathlib import Path

import pytest

from activities.bootstrap_messages import ProposeChange
from activities.git import Git
from activities.messages import LoadConfiguration
from activities.proposed_change import ProposedChange
from docustack.bootstrap_file import FILE, with_remote_state
from docustack.repository import Repository, WorkTree
from tests.integration.origin import Origin

OFF = "inputs = {}\n\n# remote_state {\n# }\n"
BRANCH = "docustack/bootstrap-dev"
REPOSITORY = Repository(owner="docustack", name="live")


@pytest.fixture
def origin(tmp_path: Path) -> Origin:
    return Origin(tmp_path / "origin", {FILE: OFF, "other": "1"})


@pytest.fixture
def git(tmp_path: Path, origin: Origin) -> Git:
    return Git(data_dir=tmp_path / "data", host="here", clone_url=lambda _: origin.url)


def change() -> ProposeChange:
    commit = "a" * 40
    tree = WorkTree(
        repository=REPOSITORY,
        run_id="bootstrap-1",
        base_ref="main",
        base_commit=commit,
        head_commit=commit,
        merge_base=commit,
        tree_commit=commit,
    )
    return ProposeChange(tree=tree, path=FILE, remote_state=True, branch=BRANCH, message="Switch it on")


async def test_the_branch_has_the_file_changed_and_nothing_else(origin: Origin, git: Git) -> None:
    pushed = await ProposedChange(git).push_change(change())
    assert origin.git("rev-parse", BRANCH) == pushed.commit
    assert origin.git("diff", "--name-only", "main", BRANCH) == FILE
    assert origin.git("show", f"{BRANCH}:{FILE}") == with_remote_state(OFF).strip()


async def test_a_retry_pushes_the_same_commit(origin: Origin, git: Git, tmp_path: Path) -> None:
    first = await ProposedChange(git).push_change(change())
    elsewhere = Git(data_dir=tmp_path / "other", host="there", clone_url=lambda _: origin.url)
    assert await ProposedChange(elsewhere).push_change(change()) == first


async def test_what_somebody_has_pushed_to_the_branch_stays(origin: Origin, git: Git) -> None:
    await ProposedChange(git).push_change(change())
    theirs = origin.on(BRANCH).commit({"other": "2", FILE: OFF})
    origin.git("checkout", "--quiet", "main")
    pushed = await ProposedChange(git).push_change(change())
    assert origin.git("rev-parse", f"{pushed.commit}^") == theirs


async def test_where_the_base_branch_has_it_so_nothing_is_pushed(origin: Origin, git: Git) -> None:
    origin.commit({FILE: with_remote_state(OFF)})
    assert (await ProposedChange(git).push_change(change())).commit == ""
    assert origin.git("branch", "--list", BRANCH) == ""


async def test_a_branch_that_was_merged_and_left_is_begun_anew_from_the_base(origin: Origin, git: Git) -> None:
    await ProposedChange(git).push_change(change())
    origin.git("merge", "--quiet", BRANCH)
    base = origin.commit({FILE: OFF})
    pushed = await ProposedChange(git).push_change(change())
    assert origin.git("rev-parse", f"{pushed.commit}^") == base


async def test_rules_without_a_branch_are_those_of_the_default_branch(origin: Origin, git: Git) -> None:
    origin.on("another")
    tip = origin.commit({"other": "3"})  # HEAD of the remote is there now
    loaded = await git.load_configuration(LoadConfiguration(repository=REPOSITORY, ref=""))
    assert loaded.commit == tip
