"""The public doors of a world that is up: people on GitHub, Slack's channel, AWS, Temporal. Nothing else drives it."""

from pathlib import Path
from typing import Any

from local import aws
from local.histories import Histories
from local.people import Person, person
from local.slack_channel import SlackChannel
from local.status import Status
from local.work_tree import WorkTree
from local.world import World


class Doors:
    """Asks for the addresses each time: a part may have been started again meanwhile."""

    def __init__(self, world: World) -> None:
        self.world = world
        self._people: dict[str, Person] = {}

    @property
    def status(self) -> Status:
        return self.world.status()

    def person(self, login: str) -> Person:
        """One of the people whom `local/github/people.py` settles, with the token of that login."""
        if login not in self._people:
            self._people[login] = person(self.status, login)
        return self._people[login]

    def clone(self, login: str, path: Path | None = None) -> WorkTree:
        """A clone of the live repository in which this person works; by default one in the world's own folder."""
        return self.person(login).clone(path or self.world.places.people / login)

    @property
    def slack(self) -> SlackChannel:
        return SlackChannel(self.world.places, self.status)

    @property
    def histories(self) -> Histories:
        return Histories(self.status)

    def aws(self, service: str) -> Any:  # boto3 makes its clients' types at run time
        return aws.client(service, self.status.aws.endpoint_url)
