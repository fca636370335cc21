"""What a scenario plays on: a world that is up, its people, the screen, and the record of what was checked."""

import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

from local.demo.screen import Screen
from local.doors import Doors
from local.people import Comment, Refused
from local.waiting import NotThere
from local.world import World


class Differs(Exception):
    """Something was not as it should be; all of it is on record in the step."""


@dataclass
class Step:
    """One step of a scenario: what it was about, what differed, and how long it took."""

    number: int
    title: str
    seconds: float = 0.0
    checks: int = 0
    differences: list[str] = field(default_factory=list)
    ended: bool = False

    @property
    def is_well(self) -> bool:
        return self.ended and not self.differences


class Stage:
    """Scenarios do everything through `doors`, and say on the stage what they do and what they claim."""

    def __init__(self, world: World, screen: Screen) -> None:
        self.world = world
        self.doors = Doors(world)
        self.screen = screen
        self.steps: list[Step] = []
        self.complete = False  # played to its end, and all was as it should be
        self._seen: set[int] = set()

    @contextmanager
    def step(self, title: str) -> Iterator[None]:
        """One step; it ends the scenario where something differs.

        Raises:
            Differs: what is wrong is on record.
        """
        step = Step(len(self.steps) + 1, title)
        self.steps.append(step)
        self.screen.step(step.number, title)
        began = time.monotonic()
        try:
            yield
            step.ended = True
        except (NotThere, Refused) as error:
            self._differs(str(error), "")
        except Exception as error:  # of any client: it is told as the step's end, with what was well before it
            self._differs(f"{type(error).__name__}: {error}", "")
        finally:
            step.seconds = time.monotonic() - began
        if step.differences:
            raise Differs

    def check(self, what: str, holds: bool, found: object = "") -> None:
        """Something that this step claims. What doesn't hold ends the scenario when the step has looked at the rest."""
        self.steps[-1].checks += 1
        shown = _shown(found)
        if holds:
            self.screen.checked(what, shown if len(shown) <= 100 else f"{shown[:99]}…")
        else:
            self._differs(what, f"found: {shown or 'nothing'}")

    def same(self, what: str, found: object, wanted: object) -> None:
        """Two things that this step claims to be equal."""
        same = found == wanted
        self.check(what, same, found if same else f"{_shown(found)}; wanted: {_shown(wanted)}")

    def see(self, comment: Comment) -> None:
        """Show a comment once."""
        if comment.id not in self._seen:
            self._seen.add(comment.id)
            self.screen.comment(comment)

    def _differs(self, what: str, found: str) -> None:
        self.steps[-1].differences.append(f"{what}: {found}" if found else what)
        self.screen.differs(what, found)


def _shown(found: object) -> str:
    """A value as a person reads it."""
    if isinstance(found, bool):
        return "yes" if found else "no"
    if isinstance(found, dict):
        return ", ".join(f"{name}: {value}" for name, value in found.items()) or "none"
    if isinstance(found, set):
        found = sorted(found)
    if isinstance(found, list | tuple):
        return ", ".join(str(one) for one in found) or "none"
    return str(found)
