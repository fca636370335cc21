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
    empty_account: bool = False

    def play(self, stage: "Stage") -> object:
        """Raises Differs where something is not as it should be."""
        return importlib.import_module(self.module).play(stage)


SCENARIOS = {
    "new-service": Scenario("a pull request becomes applied infrastructure", "local.demo.new_service"),
    "team": Scenario("a team's pull requests, over the same units at once", "local.demo.team", workers=2),
    "bootstrap": Scenario(
        "from an empty AWS account to four deployed environments", "local.demo.first_deployment", empty_account=True
    ),
}
ALL = "all"
"""Plays each of them, one after the other, each on a world of its own."""

DEFAULT = "new-service"
