"""An apply survives what kills its worker or Temporal itself: applied once, told once, no lock left behind."""

from pathlib import Path

from local.waiting import wait_for
from tests.e2e.pull_requests.change import Change, open_change
from tests.e2e.pull_requests.live_repository import provisioned, unit
from tests.e2e.pull_requests.small_world import SmallWorld


class SlowUnit:
    """A unit whose apply tells when it begins and ends, so that it can be counted; it ends when it is let go."""

    def __init__(self, world: SmallWorld, name: str) -> None:
        self.path = f"dev/crash/{name}"
        self._world = world
        self._told = world.folder / f"{name}.told"
        self._let_go = world.folder / f"{name}.go"
        wait = f"for i in $(seq 600); do test -e {self._let_go} && break; sleep 0.2; done"
        command = f"echo begun >> {self._told}; {wait}; echo done >> {self._told}"
        self.files = unit(self.path, module=provisioned(command))

    def lines(self) -> list[str]:
        return self._told.read_text().split() if self._told.exists() else []

    def begun(self) -> None:
        wait_for(lambda: "begun" in self.lines(), f"the apply of {self.path}", 120)

    def let_go(self) -> None:
        self._let_go.touch()

    def applied_exactly_once(self) -> None:
        assert self.lines() == ["begun", "done"]
        assert self._world.states.output(self.path) == f"one-{Path(self.path).name}"
        assert not self._world.states.is_locked(self.path)


def told_once(change: Change, slow: SlowUnit) -> None:
    """One comment with its end, one green check."""
    bodies = change.applies()[slow.path]
    assert len(bodies) == 1, bodies
    assert "**Status:** ✅ Success" in bodies[0]
    assert "Resources: 1 added, 0 changed, 0 destroyed." in bodies[0]
    change.wait(lambda: change.concluded("apply") == "success", "the check of the apply")


def test_a_worker_killed_during_applies_attends_what_runs_and_reads_what_has_ended(breakable_world: SmallWorld) -> None:
    world = breakable_world
    running, ended = SlowUnit(world, "running"), SlowUnit(world, "ended")
    changes = {slow: open_change(world, f"crash-{slow.path[-5:]}", slow.files) for slow in (running, ended)}
    for slow, change in changes.items():
        change.planned(slow.path)
    commands = {slow: change.command("terrateam apply") for slow, change in changes.items()}
    running.begun()
    ended.begun()
    world.kill("worker")
    ended.let_go()
    wait_for(lambda: bool(world.states.output(ended.path)), "the end of an apply that nobody attends", 120)
    world.restart("worker")
    assert running.lines() == ["begun"]
    assert all(change.applies() == {} for change in changes.values())
    running.let_go()
    for slow, change in changes.items():
        assert change.end_of(commands[slow], 120) == "rocket"
        slow.applied_exactly_once()
        told_once(change, slow)


def test_a_worker_killed_between_plan_and_apply_loses_nothing(breakable_world: SmallWorld) -> None:
    world = breakable_world
    path = "dev/crash/between"
    change = open_change(world, "crash-between", unit(path))
    change.planned(path)
    world.kill("worker")
    command = change.command("terrateam apply")
    world.restart("worker")
    assert change.end_of(command) == "rocket"
    assert world.states.output(path) == "one-between"
    assert len(change.applies()[path]) == 1
    assert "Planned again" not in change.applies()[path][0], "the saved plan itself was applied"


def test_temporal_and_worker_killed_during_an_apply_lose_nothing(breakable_world: SmallWorld) -> None:
    world = breakable_world
    slow = SlowUnit(world, "both")
    change = open_change(world, "crash-both", slow.files)
    change.planned(slow.path)
    command = change.command("terrateam apply")
    slow.begun()
    world.kill("temporal")
    world.kill("worker")
    world.restart("temporal", "worker")
    slow.let_go()
    assert change.end_of(command, 150) == "rocket"
    slow.applied_exactly_once()
    told_once(change, slow)
