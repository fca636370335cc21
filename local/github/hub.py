"""One running stand-in: what every operation needs, handed around as one object."""

from datetime import UTC, datetime
from pathlib import Path
from threading import Event

from local.faults import Faults
from local.github import people
from local.github.errors import GitHubError, not_found
from local.github.git import Repository
from local.github.records import Fork, PullRequest, User
from local.github.settings import Settings
from local.store import Store


class Hub:
    """The stand-in's data, its git repository, and its switched-on faults."""

    def __init__(self, settings: Settings) -> None:
        settings.data_dir.mkdir(parents=True, exist_ok=True)
        self.settings = settings
        self.store = Store(settings.data_dir / "github.sqlite")
        self.repository = Repository(settings.git_dir)
        self.faults = Faults()
        self.deliveries_waiting = Event()
        people.settle(self.store, settings.data_dir)

    @property
    def url(self) -> str:
        return self.settings.url

    @property
    def repository_url(self) -> str:
        return f"{self.url}/{self.settings.full_name}"

    @property
    def api_url(self) -> str:
        return f"{self.url}/repos/{self.settings.full_name}"

    def user(self, login: str) -> User:
        user = self.store.first(User, login)
        if user is None:
            raise not_found()
        return user

    def pull(self, number: int | str) -> PullRequest:
        pull = self.store.first(PullRequest, str(number))
        if pull is None:
            raise not_found()
        return pull

    def git_of(self, owner: str) -> Repository:
        """The repository, or the fork that `owner` has of it."""
        if owner == self.settings.owner:
            return self.repository
        fork = self.store.first(Fork, owner)
        if fork is None:
            raise GitHubError(422, "Validation Failed", [f"{owner} has no fork of this repository"])
        return Repository(Path(fork.git_dir))


def now() -> datetime:
    return datetime.now(UTC).replace(microsecond=0)
