"""The scenarios that there are, by name."""

from collections.abc import Callable
from dataclasses import dataclass

from local.demo import new_service
from local.demo.stage import Stage


@dataclass(frozen=True)
class Scenario:
    """What can be played; `play` raises Differs where something is not as it should be."""

    summary: str
    play: Callable[[Stage], object]


SCENARIOS = {
    "new-service": Scenario("a pull request becomes applied infrastructure", new_service.play),
}
DEFAULT = "new-service"
