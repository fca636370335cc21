"""Units that can be held: their plan or apply tells when it begins and ends, and goes on when it is let go."""

from pathlib import Path

from local.waiting import wait_for
from tests.e2e.pull_requests.change import Change
from tests.e2e.pull_requests.live_repository import MOCK, dependent, provisioned, unit
from tests.e2e.pull_requests.small_world import SmallWorld


class Held:
    """One step that waits; what it has done stands in a file, so that it can be counted."""

    def __init__(self, world: SmallWorld, path: str) -> None:
        self.path = path
        self._world = world
        name = path.replace("/", "-")
        self._told, self._let_go = world.folder / f"{name}.told", world.folder / f"{name}.go"
        wait = f"for i in $(seq 600); do test -e {self._let_go} && break; sleep 0.2; done"
        self.command = f"echo begun >> {self._told}; {wait}; echo done >> {self._told}"

    def lines(self) -> list[str]:
        return self._told.read_text().split() if self._told.exists() else []

    def begun(self) -> None:
        wait_for(lambda: "begun" in self.lines(), f"the beginning of {self.path}", 120)

    def let_go(self) -> None:
        self._let_go.touch()


class SlowUnit(Held):
    """A unit whose apply is held; its plan too where `hcl` says so, if it depends on no other."""

    def __init__(
        self, world: SmallWorld, name: str, *, after: str = "", folder: str = "dev/crash", hcl: str = ""
    ) -> None:
        super().__init__(world, f"{folder}/{name}")
        module = provisioned(self.command)
        self.files = dependent(self.path, after, MOCK, module) if after else unit(self.path, hcl, module)

    def applied_exactly_once(self, value: str = "") -> None:
        assert self.lines() == ["begun", "done"]
        assert self._world.states.output(self.path) == (value or f"one-{Path(self.path).name}")
        assert not self._world.states.is_locked(self.path)


class SlowPlan(Held):
    """A unit whose plan is held."""

    def __init__(self, world: SmallWorld, name: str) -> None:
        super().__init__(world, f"dev/crash/{name}")
        self.hook = f"""
terraform {{
  before_hook "held" {{
    commands = ["plan"]
    execute  = ["sh", "-c", "{self.command}"]
  }}
}}
"""
        self.files = unit(self.path, self.hook)


def told_once(change: Change, path: str, *, destroyed: int = 0) -> None:
    """One comment with its end, one green check."""
    bodies = change.applies()[path]
    assert len(bodies) == 1, bodies
    assert "**Status:** ✅ Success" in bodies[0]
    assert f"Resources: 1 added, 0 changed, {destroyed} destroyed." in bodies[0]
    change.wait(lambda: change.concluded("apply") == "success", "the check of the apply")
