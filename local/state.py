"""What is remembered of one local world, in `world.json` in its data folder: ports, secrets, processes."""

import base64
import fcntl
import os
import random
import secrets
import socket
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path

from pydantic import BaseModel, Field, ValidationError

from local.live_repository import Facts
from local.processes import Process

FILE = "world.json"
_POOL = range(15_000, 32_000)
PORTS = ("temporal", "temporal-http", "temporal-metrics", "temporal-ui", "moto", "github", "slack", "server")
HOST = "127.0.0.1"


class WorldError(Exception):
    """The local world can't do what was asked; the message says why and what to do."""


def _artifact_key() -> str:
    return base64.urlsafe_b64encode(os.urandom(32)).decode()


class WorldState(BaseModel):
    """Everything that has to be the same when a part, or all of it, is started again on the same data."""

    ports: dict[str, int]
    repository: Facts
    source: str  # what the live repository was made from
    terragrunt: str = ""
    workers: int = 1
    empty_account: bool = False  # the state's bucket and table are left to be made
    settings: dict[str, str] = {}  # DOCUSTACK_… variables of the person who made it
    webhook_secret: str = Field(default_factory=lambda: secrets.token_hex(24))
    artifact_key: str = Field(default_factory=_artifact_key)
    approval_key: str = Field(default_factory=lambda: secrets.token_hex(32))
    processes: dict[str, Process] = {}

    def url(self, part: str) -> str:
        return f"http://{HOST}:{self.ports[part]}"


def read(data_dir: Path) -> WorldState | None:
    """The world of a data folder; None where there is none.

    Raises:
        WorldError: the file is there and can't be understood.
    """
    path = data_dir / FILE
    try:
        return WorldState.model_validate_json(path.read_text())
    except FileNotFoundError:
        return None
    except (ValidationError, OSError) as error:
        raise WorldError(
            f"{path} can't be read ({type(error).__name__}): it was written by another version, or damaged. "
            "Remove the folder, or start with `docustack local up --fresh`."
        ) from error


def write(data_dir: Path, state: WorldState) -> None:
    """At once and whole, and readable by its owner only: it holds secrets."""
    data_dir.mkdir(parents=True, exist_ok=True)
    draft = data_dir / f"{FILE}.new"
    with os.fdopen(os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "w") as file:
        file.write(state.model_dump_json(indent=2))
    draft.replace(data_dir / FILE)


@contextmanager
def alone(data_dir: Path) -> Iterator[None]:
    """Nobody else starts or stops parts of this world meanwhile.

    Raises:
        WorldError: somebody does, or the folder can't be made.
    """
    try:
        data_dir.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise WorldError(
            f"The folder {data_dir} can't be made: {error.strerror}. Name another with --data-dir."
        ) from error
    with (data_dir / "world.lock").open("w") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise WorldError(f"The world in {data_dir} is being started or stopped right now; wait for that.") from None
        yield


def free_ports(names: Iterable[str]) -> dict[str, int]:
    """A free port for each name, all different.

    From below those that the kernel gives to outgoing connections: there a client that tries to reach a part that is
    down could get that part's own port, and be in its way when it starts again.
    """
    candidates = random.sample(_POOL, len(_POOL))
    return {name: next(port for port in iter(candidates.pop, None) if is_free(port)) for name in names}


def is_free(port: int) -> bool:
    try:
        socket.create_server((HOST, port)).close()
    except OSError:
        return False
    return True
