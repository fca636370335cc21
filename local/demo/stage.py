"""What a scenario plays on: a world that is up, its people, the screen, and the record of what was checked."""

import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

import httpx

from local import aws
from local.demo.screen import Screen
from local.histories import Histories
from local.people import Comment, Person, Refused, person
from local.slack_channel import SlackChannel
from local.waiting import NotThere
from local.work_tree import WorkTree
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
    """Public doors only: git, GitHub's API with people's tokens, Slack's, Temporal's and AWS' own APIs."""

    def __init__(self, world: World, screen: Screen) -> None:
        self.world = world
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
        except (NotThere, Refused, httpx.HTTPError) as error:
            self._differs(str(error), "")
        finally:
            step.seconds = time.monotonic() - began
        if step.differences:
            raise Differs

    def check(self, what: str, holds: bool, found: object = "") -> None:
        """Something that this step claims. What doesn't hold ends the scenario when the step has looked at the rest."""
        self.steps[-1].checks += 1
        shown = str(found)
        if holds:
            self.screen.checked(what, shown if len(shown) <= 100 else f"{shown[:99]}…")
        else:
            self._differs(what, f"found: {shown or 'nothing'}")

    def same(self, what: str, found: object, wanted: object) -> None:
        """Two things that this step claims to be equal."""
        self.check(what, found == wanted, found if found == wanted else f"{found!r}, wanted {wanted!r}")

    def see(self, comment: Comment) -> None:
        """Show a comment once."""
        if comment.id not in self._seen:
            self._seen.add(comment.id)
            self.screen.comment(comment)

    def person(self, login: str) -> Person:
        return person(self.world.status(), login)

    def clone(self, who: Person) -> WorkTree:
        return who.clone(self.world.places.people / who.login)

    def aws(self, service: str) -> Any:  # boto3 makes its clients' types at run time
        return aws.client(service, self.world.status().aws.endpoint_url)

    @property
    def slack(self) -> SlackChannel:
        return SlackChannel(self.world.places, self.world.status())

    @property
    def histories(self) -> Histories:
        return Histories(self.world.status())

    def _differs(self, what: str, found: str) -> None:
        self.steps[-1].differences.append(f"{what}: {found}" if found else what)
        self.screen.differs(what, found)
