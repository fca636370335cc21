"""Work trees that runs have left on a host are removed, and none that anything still works in."""

import json
from pathlib import Path

import pytest

from activities import runner
from activities.git import Git
from activities.git_messages import CheckedOut, CheckOut, RemoveWorkTree
from activities.left_work_trees import LeftWorkTrees
from docustack.repository import Repository
from tests.integration.origin import Origin


class Host:
    """A host with its trees, and the runs that Temporal knows to be at work."""

    def __init__(self, folder: Path) -> None:
        self.data = folder / "data"
        self.origin = Origin(folder / "origin", {"a.txt": "a"})
        self.trees = Git(data_dir=self.data, host="host-1", clone_url=lambda _: self.origin.url)
        self.running: set[str] = set()

    async def check_out(self, run_id: str, repository: str = "live") -> CheckedOut:
        name = Repository(owner="docustack", name=repository)
        head = self.origin.git("rev-parse", "main")
        return await self.trees.check_out(CheckOut(repository=name, run_id=run_id, base_ref="main", head_commit=head))

    async def sweep(self) -> list[str]:
        async def is_running(run_id: str) -> bool:
            return run_id in self.running

        return await LeftWorkTrees(self.trees, is_running, self.data).sweep()

    def kept(self) -> set[str]:
        return {path.name.partition("+")[0] for path in (self.data / "worktrees").iterdir()}


@pytest.fixture
def host(tmp_path: Path) -> Host:
    return Host(tmp_path)


async def test_the_trees_of_runs_that_are_gone_are_removed_and_those_of_others_stay(host: Host) -> None:
    left, lives = await host.check_out("left"), await host.check_out("lives")
    await host.trees.ensure(left.tree.of_base())
    await host.check_out("elsewhere", repository="another")
    host.running = {"lives"}
    assert await host.sweep() == ["elsewhere", "left", "left-base"]
    assert host.kept() == {"lives"}
    mirror = host.trees.mirror(left.tree.repository)
    kept = host.origin.git(
        "-C", str(mirror.path), "for-each-ref", "--format=%(refname:lstrip=3)", "refs/docustack/runs"
    )
    assert kept.split() == [f"lives+{lives.tree.tree_commit[:12]}"]
    assert await host.sweep() == []


async def test_a_tree_in_which_something_is_still_applied_stays_until_that_has_ended(host: Host) -> None:
    done = await host.check_out("terminated")
    root = await host.trees.ensure(done.tree)
    apply = host.data / "applies" / "one"
    apply.mkdir(parents=True)
    (apply / "command.json").write_text(json.dumps({"cwd": str(root / "dev/vpc")}))
    (apply / "runner.json").write_text(json.dumps(runner.this_process()))
    assert await host.sweep() == []
    (apply / "runner.json").write_text(json.dumps({**runner.this_process(), "boot": "the one before"}))
    assert await host.sweep() == ["terminated"]


async def test_a_tree_with_a_state_that_nobody_has_kept_stays(host: Host) -> None:
    left = await host.check_out("left")
    state = await host.trees.ensure(left.tree) / "dev/vpc/.terragrunt-cache/a/errored.tfstate"
    state.parent.mkdir(parents=True)
    state.write_text("{}")
    await host.trees.remove_work_tree(RemoveWorkTree(repository=left.tree.repository, run_id="left"))
    await host.sweep()
    assert state.is_file()
    state.unlink()
    await host.sweep()
    assert host.kept() == set()


async def test_a_tree_whose_mirror_is_lost_is_removed_too(host: Host) -> None:
    await host.check_out("left")
    (host.data / "mirrors" / "docustack+live.git").rename(host.data / "lost")
    assert await host.sweep() == ["left"]
    assert host.kept() == set()


async def test_a_host_that_has_never_worked_has_nothing_to_sweep(host: Host) -> None:
    assert await host.sweep() == []
