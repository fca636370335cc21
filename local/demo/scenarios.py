"""The scenarios that there are, by name."""

import importlib
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from local.demo.stage import Stage


@dataclass(frozen=True)
class Scenario:
    """What can be played: a module with a function `play`, loaded when it is, since its clients take a second."""

    summary: str
    module: str
    workers: int = 1

    def play(self, stage: "Stage") -> object:
        """Raises Differs where something is not as it should be."""
        return importlib.import_module(self.module).play(stage)


SCENARIOS = {
    "new-service": Scenario("a pull request becomes applied infrastructure", "local.demo.new_service"),
    "team": Scenario("a team's pull requests, over the same units at once", "local.demo.team", workers=2),
}
DEFAULT = "new-service"
