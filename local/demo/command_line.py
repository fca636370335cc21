"""The command `docustack` as people of the local world type it: each with the GitHub token of their login."""

import json
import subprocess
import sys
import threading
from typing import Any

from local.demo.stage import Stage
from local.parts import worker_environment

_WITHIN = 120.0
_SETTINGS = (
    "DOCUSTACK_TEMPORAL_ADDRESS",
    "DOCUSTACK_TEMPORAL_NAMESPACE",
    "DOCUSTACK_TEMPORAL_UI_URL",
    "DOCUSTACK_GITHUB_API_URL",
    "DOCUSTACK_PUBLIC_URL",
    "DOCUSTACK_REPOSITORIES",
)


class Typed:
    """A command that goes on; what it prints is shown line by line."""

    def __init__(self, process: "subprocess.Popen[str]", stage: Stage) -> None:
        self._process = process
        self._stage = stage
        self.lines: list[str] = []
        self._reader = threading.Thread(target=self._show, daemon=True)
        self._reader.start()

    def _show(self) -> None:
        assert self._process.stdout is not None
        for line in self._process.stdout:
            self.lines.append(line.rstrip())
            self._stage.screen.printed(line.rstrip())

    @property
    def has_ended(self) -> bool:
        return self._process.poll() is not None

    def code(self, seconds: float) -> int:
        """Its exit code, once it has ended."""
        code = self._process.wait(seconds)
        self._reader.join(10)
        return code

    def kill(self) -> None:
        self._process.kill()
        self._process.wait()


class CommandLine:
    """Knows the world's server and Temporal as anybody does who works with it: by settings."""

    def __init__(self, stage: Stage) -> None:
        self._stage = stage

    def start(self, login: str, *arguments: str) -> Typed:
        self._stage.screen.did(login, f"types docustack {' '.join(arguments)}")
        process = subprocess.Popen(
            self._command(*arguments),
            env=self._environment(login),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )
        return Typed(process, self._stage)

    def run(self, login: str, *arguments: str) -> "subprocess.CompletedProcess[str]":
        """To its end, and say so on the screen."""
        self._stage.screen.did(login, f"types docustack {' '.join(arguments)}")
        done = self._ask(login, *arguments)
        for line in (done.stdout + done.stderr).splitlines():
            self._stage.screen.printed(line)
        return done

    def json(self, login: str, *arguments: str) -> dict[str, Any]:  # the shapes of docs/cli.md
        """Its answer; empty where it has none."""
        done = self._ask(login, *arguments, "--json")
        found: dict[str, Any] = json.loads(done.stdout) if done.returncode == 0 and done.stdout else {}
        return found

    def _ask(self, login: str, *arguments: str) -> "subprocess.CompletedProcess[str]":
        return subprocess.run(
            self._command(*arguments),
            env=self._environment(login),
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=_WITHIN,
            check=False,
        )

    def _command(self, *arguments: str) -> list[str]:
        return [sys.executable, "-m", "starter.cli", *arguments]

    def _environment(self, login: str) -> dict[str, str]:
        status = self._stage.doors.status
        world = self._stage.world
        known = worker_environment("worker", world.places, world.remembered())
        plain = {name: value for name, value in known.items() if not name.startswith(("DOCUSTACK_", "AWS_"))}
        token = {"DOCUSTACK_GITHUB_USER_TOKEN": status.github.tokens[login]}
        return plain | {name: known[name] for name in _SETTINGS} | token
