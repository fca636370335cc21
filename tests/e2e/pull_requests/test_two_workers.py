"""Two hosts with workers: a run stays where its work tree is, and goes on elsewhere when that host drains."""

import json
import os
import signal
from collections.abc import Iterator

import pytest

from local.people import Comment
from local.waiting import wait_for
from tests.e2e.pull_requests.cable import Cable
from tests.e2e.pull_requests.change import Change, open_change
from tests.e2e.pull_requests.live_repository import dependent, unit
from tests.e2e.pull_requests.slow_unit import SlowUnit, told_once
from tests.e2e.pull_requests.small_world import SecondWorker, SmallWorld

IN_THE_TREE = {"discover", "plan_unit", "dependency_outputs", "plan_coverage", "apply_unit", "remove_work_tree"}


@pytest.fixture
def second(breakable_world: SmallWorld) -> Iterator[SecondWorker]:
    # Of a run that is gone: swept at the start.
    (breakable_world.data / "second" / "worktrees" / "0123456789+0123456789ab").mkdir(parents=True, exist_ok=True)
    worker = breakable_world.start_worker("second", DOCUSTACK_SHUTDOWN_GRACE="90s")
    yield worker
    worker.kill()


def processes_of(change: Change) -> list[set[int]]:
    """For each run of a pull request, the workers that have done something in its work tree."""
    histories = change.world.histories
    work = [histories.work_of(run) for run in histories.runs_of(change.number)]
    return [{each.process for each in of_run if each.process and each.kind in IN_THE_TREE} for of_run in work]


def begun_on_the_second(world: SmallWorld, branch: str, slow: SlowUnit) -> tuple[Change, Comment]:
    """An apply that has begun on the second host, while there was no other."""
    world.kill("worker")
    change = open_change(world, branch, slow.files)
    change.planned(slow.path)
    command = change.command("terrateam apply")
    slow.begun()
    world.restart("worker")
    return change, command


def test_a_run_stays_with_the_host_that_has_its_work_tree(breakable_world: SmallWorld, second: SecondWorker) -> None:
    world = breakable_world
    a, b, c = (f"dev/stays/{name}" for name in "abc")
    change = open_change(world, "stays", unit(a) | dependent(b, "a") | dependent(c, "b"))
    change.planned(a, b, c)
    assert change.ended("terrateam apply") == "rocket"
    assert world.states.output(c) == "one-a-b-c"

    def trees() -> list[str]:
        folders = [data / "worktrees" for data in (world.data / "worker", second.data)]
        return [path.name for folder in folders if folder.exists() for path in folder.iterdir()]

    wait_for(lambda: not trees(), "the end of its work trees", 60, found_instead=lambda: str(trees()))
    assert [len(processes) for processes in processes_of(change)] == [1, 1], "each run was at one host, whichever"


def test_a_worker_that_drains_lets_its_apply_finish_and_takes_nothing_new(
    breakable_world: SmallWorld, second: SecondWorker
) -> None:
    world, slow, other = breakable_world, SlowUnit(breakable_world, "drained"), "dev/crash/meanwhile"
    change, command = begun_on_the_second(world, "drained", slow)
    second.tell_to_stop()
    meanwhile = open_change(world, "meanwhile", unit(other))
    meanwhile.planned(other)
    assert meanwhile.ended("terrateam apply") == "rocket"
    assert processes_of(meanwhile) == [{world.status.processes["worker"]}] * 2
    assert second.process.poll() is None, "it waits for its apply"
    slow.let_go()
    assert second.end() == 0
    assert change.end_of(command) == "rocket"
    slow.applied_exactly_once()
    told_once(change, slow.path)
    assert "Planned again" not in change.applies()[slow.path][0]


def test_what_outlasts_the_grace_of_a_drain_is_interrupted_and_goes_on_elsewhere(breakable_world: SmallWorld) -> None:
    world, slow = breakable_world, SlowUnit(breakable_world, "outlasts")
    second = world.start_worker("second", DOCUSTACK_SHUTDOWN_GRACE="2s")
    try:
        change, command = begun_on_the_second(world, "outlasts", slow)
        second.tell_to_stop()
        assert second.end() == 0
    finally:
        second.kill()
    # What was interrupted is to be replaced, which nobody has approved yet: the person is asked.
    change.wait_said("the new plan does more than was approved", "replace `terraform_data.this`")
    assert slow.lines() == ["begun"], "it was neither finished nor begun again"
    assert not world.states.is_locked(slow.path)
    slow.let_go()
    change.command("terrateam apply")
    assert change.end_of(command) == "rocket"
    assert slow.lines() == ["begun", "begun", "done"]
    told_once(change, slow.path, destroyed=1)
    assert "Planned again" in change.applies()[slow.path][0]


def test_a_host_that_is_cut_off_ends_its_terraform_and_another_goes_on(breakable_world: SmallWorld) -> None:
    world, slow = breakable_world, SlowUnit(breakable_world, "cut-off")
    told = world.worker_environment() | {"DOCUSTACK_APPLY_LEASE": "10s", "DOCUSTACK_CANCEL_GRACE": "5s"}
    only_dev = {"DOCUSTACK_CONTROL_QUEUE": "false", "DOCUSTACK_ENVIRONMENTS": "dev"}
    world.kill("worker")
    cable = Cable(world.status.temporal.address)
    workers = [world.start_worker("control", told, ["docustack"], DOCUSTACK_ENVIRONMENTS="")]
    try:
        through = {"DOCUSTACK_TEMPORAL_ADDRESS": cable.address}
        cut = world.start_worker("cut-off", told, ["docustack-dev"], **only_dev, **through)
        workers.append(cut)
        change = open_change(world, "cut-off", slow.files)
        change.planned(slow.path)
        command = change.command("terrateam apply")
        slow.begun()
        cut.freeze()
        cable.cut()
        workers.append(world.start_worker("other", told, ["docustack-dev"], **only_dev))
        (apply,) = (cut.data / "applies").iterdir()
        wait_for((apply / "exit.json").exists, "the end of what nobody attends", 60)
        assert json.loads((apply / "exit.json").read_text())["reason"] == "lease"
        assert not world.states.is_locked(slow.path), "it ended gracefully"
        # What was interrupted is to be replaced, which nobody has approved yet: the person is asked.
        change.wait_said("the new plan does more than was approved", "replace `terraform_data.this`", seconds=150)
        slow.let_go()
        change.command("terrateam apply")
        assert change.end_of(command, 120) == "rocket"
        cable.mend()
        cut.thaw()
        after = "dev/crash/after-the-cut"
        later = open_change(world, "after-the-cut", unit(after))
        later.planned(after)
        assert later.ended("terrateam apply") == "rocket"
    finally:
        for worker in workers:
            worker.kill()
        cable.close()
        world.restart("worker")
    assert slow.lines() == ["begun", "begun", "done"], "the first, back again, has done nothing more"
    assert world.states.output(slow.path) == "one-cut-off"
    told_once(change, slow.path, destroyed=1)
    assert "Planned again" in change.applies()[slow.path][0]


def test_two_attempts_of_one_apply_at_once_apply_once(breakable_world: SmallWorld) -> None:
    world, slow = breakable_world, SlowUnit(breakable_world, "twice")
    change = open_change(world, "twice", slow.files)
    change.planned(slow.path)
    command = change.command("terrateam apply")
    slow.begun()
    run = world.histories.runs_of(change.number)[-1]
    # For Temporal the first attempt is dead after this, while it lives and only doesn't know.
    pid = world.status.processes["worker"]
    os.kill(pid, signal.SIGSTOP)
    try:
        wait_for(lambda: world.histories.attempts_of(run, "apply_unit") == 2, "the second attempt", 60)
    finally:
        os.kill(pid, signal.SIGCONT)
    wait_for(lambda: world.histories.attempts_of(run, "apply_unit", begun=True) == 2, "that it has begun", 90)
    slow.let_go()
    assert change.end_of(command, 120) == "rocket"
    slow.applied_exactly_once()
    told_once(change, slow.path)
