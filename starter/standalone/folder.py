"""The folder of a person's standalone installation: what is remembered of it, who uses it, and who keeps it running."""

import base64
import contextlib
import fcntl
import os
import secrets
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import TextIO

from pydantic import Field, ValidationError

from docustack.model import State
from local.processes import Process
from starter.exit_codes import CommandFailed, ExitCode
from worker.settings import variable

NAME = "standalone"
"""Of the folder, and of the one host that its worker ever is: what was begun there goes on there."""

_DATA_DIR = variable("data_dir")


def _artifact_key() -> str:
    return base64.urlsafe_b64encode(os.urandom(32)).decode()


class Remembered(State):
    """Written by the keeper only; secrets are made once and stay."""

    artifact_key: str = Field(default_factory=_artifact_key)
    approval_key: str = Field(default_factory=lambda: secrets.token_hex(32))
    webhook_secret: str = Field(default_factory=lambda: secrets.token_hex(24))
    repositories: tuple[str, ...] = ()
    environments: tuple[str, ...] = ()
    ports: dict[str, int] = {}
    parts: dict[str, Process] = {}
    keeper: Process | None = None
    began_at: datetime | None = None
    command: str = ""  # with which it was started
    engine: bool = False  # False: only Temporal, for who reads
    settings: dict[str, str] = {}  # the settings that it was started with, as digests
    has_temporal: bool = False  # Temporal is ready; before a worker starts, a command says that what rests may go on
    is_ready: bool = False
    is_ending: bool = False
    failure: str = ""  # why it didn't come up
    advice: tuple[str, ...] = ()

    @property
    def has_worker(self) -> bool:
        """None yet while it is still asked whether what rests may go on."""
        return self.engine and self.is_ready


@dataclass(frozen=True)
class Folder:
    """Where all of it lies."""

    path: Path

    @property
    def temporal(self) -> Path:
        return self.path / "temporal"

    @property
    def database(self) -> Path:
        return self.temporal / "temporal.sqlite"

    @property
    def worker(self) -> Path:
        return self.path / "worker"

    def log(self, part: str) -> Path:
        return self.path / "logs" / f"{part}.log"

    def make(self) -> None:
        """Raises CommandFailed: USAGE, it can't be made or written to."""
        try:
            self.path.mkdir(parents=True, exist_ok=True, mode=0o700)
            self.path.chmod(0o700)  # histories tell what an account holds
            with self._users.open("a"):
                pass
        except OSError as error:
            raise CommandFailed(
                f"The folder {self.path} of the standalone installation can't be used: {error.strerror}.",
                f"Name another with {_DATA_DIR}.",
                code=ExitCode.USAGE,
            ) from error

    def read(self) -> Remembered | None:
        """None before the first start.

        Raises:
            CommandFailed: it is there and can't be understood.
        """
        try:
            return Remembered.model_validate_json(self._file.read_text())
        except FileNotFoundError:
            return None
        except (ValidationError, OSError) as error:
            raise CommandFailed(
                f"{self._file} can't be read ({type(error).__name__}): another version wrote it, or it is damaged.",
                "It holds the keys of plans and approvals: bring it back from a backup. Without it, move it away;",
                "then what waits for its approval has to be begun again.",
            ) from error

    def write(self, remembered: Remembered) -> None:
        """At once and whole, and readable by its owner only."""
        draft = self._file.with_suffix(".new")
        with os.fdopen(os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "w") as file:
            file.write(remembered.model_dump_json(indent=2))
        draft.replace(self._file)

    def let_go_on(self, keeper: Process) -> None:
        """This keeper may start a worker, which goes on with all that rests."""
        self._word.write_text(keeper.model_dump_json())

    def may_go_on(self, keeper: Process) -> bool:
        try:
            return Process.model_validate_json(self._word.read_text()) == keeper
        except (FileNotFoundError, ValidationError):  # none yet, or half written
            return False

    def use(self) -> TextIO:
        """Held open by a command for as long as it needs the installation; the kernel lets go when it is killed.

        Waits while the one before is being ended.
        """
        users = self._users.open("a")
        _lock(users, fcntl.LOCK_SH)
        return users

    def take_from_users(self) -> TextIO | None:
        """What nobody can use again before the caller has let go; None while somebody uses it."""
        users = self._users.open("a")
        if _lock(users, fcntl.LOCK_EX | fcntl.LOCK_NB):
            return users
        users.close()
        return None

    @contextlib.contextmanager
    def kept(self) -> Iterator[bool]:
        """One process at a time keeps the parts running; False where another does."""
        with (self.path / "keeper.lock").open("a") as keeper:
            yield _lock(keeper, fcntl.LOCK_EX | fcntl.LOCK_NB)

    @property
    def _file(self) -> Path:
        return self.path / "standalone.json"

    @property
    def _word(self) -> Path:
        return self.path / "go-on.json"

    @property
    def _users(self) -> Path:
        return self.path / "users.lock"


def stop_using(users: TextIO) -> bool:
    """Whether nobody else uses the installation now."""
    with users:
        return _lock(users, fcntl.LOCK_EX | fcntl.LOCK_NB)


def folder_of_person() -> Folder:
    """Below `DOCUSTACK_DATA_DIR`, else where this person's programs keep their data."""
    if given := os.environ.get(_DATA_DIR):
        return Folder(Path(given).expanduser().absolute() / NAME)
    data = os.environ.get("XDG_DATA_HOME", "")
    home = Path(data) if Path(data).is_absolute() else Path.home() / ".local" / "share"
    return Folder(home / "docustack" / NAME)


def _lock(file: TextIO, how: int) -> bool:
    try:
        fcntl.flock(file, how)
    except BlockingIOError:
        return False
    except OSError as error:
        raise CommandFailed(
            f"{file.name} can't be locked: {error.strerror}.",
            f"Its file system has no locks; name a folder on another with {_DATA_DIR}.",
        ) from error
    return True
