"""A local world on a small live repository, brought up and taken down by the command line, as a person would do it."""

import json
import os
import signal
import subprocess
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from local import state, temporal_server
from local.histories import Histories
from local.people import Person, person
from local.places import Places
from local.slack_channel import SlackChannel
from local.status import Status
from local.waiting import wait_for
from tests.e2e.pull_requests import live_repository
from tests.e2e.pull_requests.live_repository import Files, States

DOCUSTACK = Path(sys.executable).parent / "docustack"
LAST_LINES = 40


class SmallWorld:
    """One world with its people, states, channel and workflows."""

    def __init__(self, folder: Path, settings: Mapping[str, str], units: Files | None = None) -> None:
        self.folder = folder
        self.data = folder / "world"
        self.states = States(folder / "states")
        self._settings = settings
        self._units = units or {}  # on its branches from the start
        self._people: dict[str, Person] = {}
        self._tokens: dict[str, str] = {}
        self._clones = 0
        self._status: Status | None = None

    # ---- life --------------------------------------------------------------------------------------------------------

    def up(self) -> None:
        live_repository.make(self.folder / "live", self.states.folder)
        for path, text in self._units.items():
            file = self.folder / "live" / path
            file.parent.mkdir(parents=True, exist_ok=True)
            file.write_text(text)
        self._local("up", "--detach", "--live-repository", str(self.folder / "live"))

    def down(self) -> None:
        self._local("down")

    def restart(self, *parts: str) -> None:
        for part in parts:
            self._local("restart", part)
        self._status = None

    def kill(self, part: str) -> None:
        """kill -9, and wait until it is gone."""
        pid = self.status.processes[part]
        os.kill(pid, signal.SIGKILL)
        wait_for(lambda: not _lives(pid), f"the end of {part} ({pid})", 120)

    def worker_environment(self) -> dict[str, str]:
        """What the world's own worker was told."""
        known = Path(f"/proc/{self.status.processes['worker']}/environ").read_bytes().decode().split("\0")
        return dict(line.split("=", 1) for line in known if line)

    def start_worker(
        self, host: str, environment: dict[str, str] | None = None, queues: Sequence[str] = (), **settings: str
    ) -> "SecondWorker":
        """One more worker of this world, on a host of its own; it lives until it is ended.

        `environment` is needed where the world's own worker doesn't live any more.
        """
        own = {
            "DOCUSTACK_HOST": host,
            "DOCUSTACK_DATA_DIR": str(self.data / host),
            "DOCUSTACK_ARTIFACTS": str(self.data / "worker" / "artifacts"),
        }
        log = self.data / "logs" / f"{host}.log"
        with log.open("wb") as output:
            process = subprocess.Popen(
                [str(DOCUSTACK), "worker"],
                env=(environment or self.worker_environment()) | own | settings,
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )
        world = state.read(self.data)
        assert world is not None
        polled = [f"{queue}@{host}" for queue in queues or ("docustack", "docustack-dev")]
        wait_for(
            lambda: temporal_server.is_polled_by(world.url("temporal-http"), process.pid, polled), f"worker {host}", 60
        )
        return SecondWorker(process, self.data / host, log)

    def _local(self, *arguments: str) -> str:
        command = [str(DOCUSTACK), "local", *arguments, "--data-dir", str(self.data)]
        done = subprocess.run(
            command, env=os.environ | self._settings, capture_output=True, text=True, timeout=180, check=False
        )
        assert done.returncode == 0, f"{' '.join(command)} ends with {done.returncode}:\n{done.stdout}{done.stderr}"
        return done.stdout

    def environment_of(self, login: str) -> dict[str, str]:
        """With which a command is one of its people's, in a folder of this world."""
        here = self.folder / ".local"
        if not here.exists():
            here.symlink_to(self.data)
        if login not in self._tokens:
            self._tokens[login] = self._local("token", login).strip()
        return os.environ | {"DOCUSTACK_GITHUB_USER_TOKEN": self._tokens[login]}

    def docustack(self, *arguments: str, login: str) -> "subprocess.CompletedProcess[str]":
        """A command as one of its people gives it, in a folder that knows this world."""
        return subprocess.run(
            [str(DOCUSTACK), *arguments],
            cwd=self.folder,
            env=self.environment_of(login),
            capture_output=True,
            text=True,
            timeout=90,
            check=False,
        )

    # ---- looks -------------------------------------------------------------------------------------------------------

    @property
    def status(self) -> Status:
        """By the documented contract of `status --json`; asked again after a restart."""
        if self._status is None:
            self._status = Status.model_validate(json.loads(self._local("status", "--json")))
        return self._status

    @property
    def slack(self) -> SlackChannel:
        return SlackChannel(Places(self.data), self.status)

    @property
    def histories(self) -> Histories:
        return Histories(self.status)

    def person(self, login: str) -> Person:
        if login not in self._people:
            self._people[login] = person(self.status, login)
        return self._people[login]

    def clone_folder(self) -> Path:
        self._clones += 1
        return self.folder / "clones" / str(self._clones)

    def last_lines(self) -> dict[str, str]:
        """The end of each part's log, for the report of a failed test."""
        found = {}
        for path in sorted((self.data / "logs").glob("*.log")):
            found[path.stem] = "\n".join(path.read_text(errors="replace").splitlines()[-LAST_LINES:])
        return found


@dataclass
class SecondWorker:
    """A worker beside the world's own."""

    process: "subprocess.Popen[bytes]"
    data: Path
    log: Path

    def freeze(self) -> None:
        """As a host that is cut off: it lives, and neither hears nor says anything."""
        self.process.send_signal(signal.SIGSTOP)

    def thaw(self) -> None:
        self.process.send_signal(signal.SIGCONT)

    def tell_to_stop(self) -> None:
        self.process.send_signal(signal.SIGTERM)
        wait_for(lambda: "Told to stop" in self.log.read_text(), "the signal to arrive", 30)

    def end(self, seconds: float = 60) -> int:
        """Its exit code, once it has ended by itself."""
        return self.process.wait(seconds)

    def kill(self) -> None:
        self.process.kill()
        self.process.wait()


def _lives(pid: int) -> bool:
    """A zombie, whom nobody has waited for yet, lives no more."""
    stat = Path(f"/proc/{pid}/stat")
    return stat.exists() and stat.read_text().rpartition(")")[2].split()[0] not in ("Z", "X")
