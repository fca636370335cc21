"""An apply survives what kills its worker or Temporal itself: applied once, told once, no lock left behind."""

import itertools
import re
from collections.abc import Callable, Iterator

import pytest

from docustack.comment_markers import find_marker
from local.waiting import wait_for
from tests.e2e.pull_requests.change import Change, open_change
from tests.e2e.pull_requests.live_repository import unit
from tests.e2e.pull_requests.slow_unit import SlowPlan, SlowUnit, told_once
from tests.e2e.pull_requests.small_world import SmallWorld
from tests.e2e.pull_requests.stand_in_faults import is_switched_on, switch_on


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
        told_once(change, slow.path)


# ---- one kill, and pull requests in every phase ----------------------------------------------------------------------


class Phase:
    """A pull request that is brought into one phase, and goes on after the kill."""

    def __init__(self, world: SmallWorld, mark: str) -> None:
        self.world, self.mark = world, mark

    def reach(self) -> Iterator[None]:
        """Step by step, so that all go side by side: opened, commanded, and at the end it is there."""
        raise NotImplementedError

    def go_on(self) -> None:
        """Lets it go."""

    def has_ended_well(self) -> Change:
        """Waits for its end, and looks at everything that it should have left."""
        raise NotImplementedError


class InPlan(Phase):
    def reach(self) -> Iterator[None]:
        self.slow = SlowPlan(self.world, f"{self.mark}-plan")
        self.change = open_change(self.world, f"{self.mark}-plan", self.slow.files)
        yield
        self.slow.begun()

    def go_on(self) -> None:
        self.slow.let_go()

    def has_ended_well(self) -> Change:
        self.change.planned(self.slow.path, seconds=150)
        assert len(self.change.plans()[self.slow.path]) == 1
        assert self.change.concluded("plan") == "success"
        assert self.world.states.text(self.slow.path) == "", "nothing was applied"
        return self.change


class AtGate(Phase):
    def reach(self) -> Iterator[None]:
        self.path = f"prod/crash/{self.mark}-gate"
        self.change = open_change(self.world, f"{self.mark}-gate", unit(self.path), author="infra-member")
        yield
        self.change.planned(self.path)
        self.command = self.change.command("terrateam apply", by="lead")
        yield
        self.change.wait_said("Waiting for approval")

    def go_on(self) -> None:
        self.change.approve("lead")

    def has_ended_well(self) -> Change:
        assert self.change.end_of(self.command, 150) == "rocket"
        assert self.world.states.output(self.path) == f"one-{self.mark}-gate"
        told_once(self.change, self.path)
        assert len(self.change.saying("Waiting for approval")) == 1
        assert "Planned again" not in self.change.applies()[self.path][0], "the saved plan itself was applied"
        return self.change


class InWave(Phase):
    """The first, second or third of three waves."""

    def __init__(self, world: SmallWorld, mark: str, number: int) -> None:
        super().__init__(world, mark)
        self.number = number

    def reach(self) -> Iterator[None]:
        folder = f"dev/crash/{self.mark}-wave-{self.number}"
        a = SlowUnit(self.world, "a", folder=folder)
        b = SlowUnit(self.world, "b", after="a", folder=folder)
        self.units = [a, b, SlowUnit(self.world, "c", after="b", folder=folder)]
        for one in self.units[: self.number - 1]:
            one.let_go()
        files = {path: text for one in self.units for path, text in one.files.items()}
        self.change = open_change(self.world, f"{self.mark}-wave-{self.number}", files)
        yield
        self.change.planned(*(one.path for one in self.units), seconds=150)
        self.command = self.change.command("terrateam apply")
        yield
        self.units[self.number - 1].begun()

    def go_on(self) -> None:
        for one in self.units:
            one.let_go()

    def has_ended_well(self) -> Change:
        assert self.change.end_of(self.command, 150) == "rocket"
        for one, value in zip(self.units, ("one-a", "one-a-b", "one-a-b-c"), strict=True):
            one.applied_exactly_once(value)
            told_once(self.change, one.path)
        return self.change


def next_comment_is_slow(change: Change) -> int:
    """It arrives, and for three seconds nobody hears whether it has; gives the fault, which is gone once it has hit."""
    comments = f".*/issues/{change.number}/comments"
    return switch_on(change.world.status.github.api_url, kind="slow", path=comments, method="POST", delay=3, times=1)


class InPost(Phase):
    """The result is on its way to GitHub, which is slow: nobody hears whether it has arrived."""

    def reach(self) -> Iterator[None]:
        self.path = f"dev/crash/{self.mark}-post"
        self.change = open_change(self.world, f"{self.mark}-post", unit(self.path))
        yield
        self.change.planned(self.path)
        yield
        api = self.world.status.github.api_url
        self.command = self.change.command("terrateam apply")
        slow = next_comment_is_slow(self.change)
        wait_for(lambda: not is_switched_on(api, slow), "the comment to be on its way", 60)

    def has_ended_well(self) -> Change:
        assert self.change.end_of(self.command, 150) == "rocket"
        self.change.applied(self.path, seconds=150)
        assert self.world.states.output(self.path) == f"one-{self.mark}-post"
        told_once(self.change, self.path)
        return self.change


PHASES: dict[str, Callable[[SmallWorld, str], Phase]] = {
    "plan": InPlan,
    "gate": AtGate,
    "first wave": lambda world, mark: InWave(world, mark, 1),
    "second wave": lambda world, mark: InWave(world, mark, 2),
    "third wave": lambda world, mark: InWave(world, mark, 3),
    "post": InPost,
}


@pytest.mark.parametrize("killed", [["worker"], ["temporal", "worker"]], ids=["worker", "both"])
def test_whatever_is_killed_everything_is_applied_once_and_told_once(
    breakable_world: SmallWorld, killed: list[str]
) -> None:
    world, mark = breakable_world, "-".join(killed)
    all_of_it = [begun(world, mark) for begun in PHASES.values()]
    for _ in itertools.zip_longest(*(phase.reach() for phase in all_of_it)):
        pass  # the last one's last step is one that doesn't last: what is sent then is on its way
    for part in killed:
        world.kill(part)
    world.restart(*killed)
    for phase in all_of_it:
        phase.go_on()
    for phase in all_of_it:
        nothing_is_said_twice(phase.has_ended_well())


# ---- one pull request, and a kill in each of its phases --------------------------------------------------------------


def test_temporal_killed_in_each_phase_of_one_pull_request_it_is_applied_once_and_told_once(
    breakable_world: SmallWorld,
) -> None:
    """In its plan, at its gate, in each of three waves, and while its result is on its way."""
    world, folder = breakable_world, "prod/crash/temporal"
    plan = SlowPlan(world, "temporal-plan")
    a = SlowUnit(world, "a", folder=folder, hcl=plan.hook)
    b, c = SlowUnit(world, "b", after="a", folder=folder), SlowUnit(world, "c", after="b", folder=folder)
    waves = (a, b, c)

    def hit() -> None:
        world.kill("temporal")
        world.restart("temporal")

    files = {path: text for one in waves for path, text in one.files.items()}
    change = open_change(world, "temporal-in-each", files, author="infra-member")
    plan.begun()
    hit()
    plan.let_go()
    change.planned(*(one.path for one in waves), seconds=150)
    assert {unit: len(bodies) for unit, bodies in change.plans().items()} == dict.fromkeys((o.path for o in waves), 1)

    command = change.command("terrateam apply", by="lead")
    change.wait_said("Waiting for approval")
    hit()
    change.approve("lead")
    for one in waves:
        one.begun()
        hit()
        if one is c:
            change.applied(b.path)
            slow = next_comment_is_slow(change)
        one.let_go()
    wait_for(lambda: not is_switched_on(world.status.github.api_url, slow), "the comment to be on its way", 120)
    hit()

    assert change.end_of(command, 150) == "rocket"
    change.applied(c.path, seconds=150)
    for one, value in zip(waves, ("one-a", "one-a-b", "one-a-b-c"), strict=True):
        one.applied_exactly_once(value)
        told_once(change, one.path)
    assert len(change.saying("Waiting for approval")) == 1
    nothing_is_said_twice(change)


def nothing_is_said_twice(change: Change) -> None:
    """Comments, checks and signs in the pull request, and what Slack heard of it."""
    keys = [find_marker(body) for body in change.said()]
    assert None not in keys
    assert len(keys) == len(set(keys)), keys
    response = change.author.request("GET", f"commits/{change.head}/check-runs?per_page=100&filter=all")
    names = [run["name"] for run in response.json()["check_runs"]]
    assert len(names) == len(set(names)), names

    def threads() -> list[list[str]]:
        of_this = re.compile(rf"PR #{change.number}\b")
        return [thread.texts for thread in change.world.slack.threads() if of_this.search(thread.text)]

    wait_for(lambda: all(len(texts) == 2 for texts in threads()), "both ends of each thread", 90)
    assert all(len(texts) == len(set(texts)) for texts in threads()), threads()
