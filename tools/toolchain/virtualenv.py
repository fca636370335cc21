"""Makes `.venv` from `requirements.lock`, with the packages of this repository on its import path."""

import hashlib
import json
import os
import shutil
import subprocess
import sys
import tomllib
from pathlib import Path

from toolchain.places import Places
from toolchain.progress import Progress


class Virtualenv:
    """`.venv`: what the lock file says, and nothing half installed."""

    name = "Python packages in .venv"

    def __init__(self, places: Places) -> None:
        self._places = places
        # While this file is there, an installation has begun and not ended.
        self._unfinished = places.venv / "unfinished"

    def source(self) -> str:
        # The path counts: scripts in a venv name their interpreter by it. Of pyproject.toml only what an install reads.
        project = tomllib.loads(self._places.project.read_text())
        parts = (
            str(self._places.root),
            self._places.lock.read_text(),
            json.dumps([project["build-system"], project["project"], project["tool"]["hatch"]], sort_keys=True),
        )
        return hashlib.sha256("\0".join(parts).encode()).hexdigest()

    def is_whole(self) -> bool:
        scripts = self._places.venv / "bin"
        return not self._unfinished.exists() and self._places.python.exists() and (scripts / "docustack").exists()

    def check(self) -> None:
        """The Python that runs this is the one that makes the venv; `setup.sh` has chosen it."""

    def make(self, progress: Progress) -> None:
        venv = self._places.venv
        if venv.exists() and not self._can_be_continued():
            progress.detail("removing what an interrupted or moved installation left")
            self._discard(venv)
        venv.mkdir(exist_ok=True)
        self._unfinished.touch()
        if not self._places.python.exists():
            # Not sys.executable: that may be the very `.venv` that has just been removed.
            interpreter = getattr(sys, "_base_executable", sys.executable)
            self._run(progress, [interpreter, "-m", "venv", str(venv)])
        self._pip(progress, "--require-hashes", "-r", str(self._places.lock))
        self._pip(progress, "--no-build-isolation", "-e", str(self._places.root))
        self._unfinished.unlink()
        progress.detail("")

    def _can_be_continued(self) -> bool:
        """Whether pip can bring this venv up to date: it ended well, it runs, and it was made at this place."""
        pip = self._places.venv / "bin" / "pip"
        if self._unfinished.exists() or not pip.is_file() or str(self._places.venv) not in pip.read_text()[:500]:
            return False
        probe = [str(self._places.python), "-c", "import sys, pip; raise SystemExit(sys.version_info < (3, 11))"]
        try:
            return subprocess.run(probe, capture_output=True, timeout=60, check=False).returncode == 0
        except OSError:
            return False

    def _discard(self, venv: Path) -> None:
        aside = self._places.tools / f"discarded-venv.{os.getpid()}"
        aside.parent.mkdir(parents=True, exist_ok=True)
        venv.rename(aside)
        shutil.rmtree(aside, ignore_errors=True)

    def _pip(self, progress: Progress, *arguments: str) -> None:
        # --no-deps: the lock is complete, and the resolver of older pips stumbles over extras that nobody asked for.
        self._run(
            progress, [str(self._places.python), "-m", "pip", "install", "--no-deps", "--progress-bar=off", *arguments]
        )

    def _run(self, progress: Progress, command: list[str]) -> None:
        environment = os.environ | {"PIP_DISABLE_PIP_VERSION_CHECK": "1"}
        progress.run(command, cwd=self._places.root, env=environment, describe=describe_pip, hint=HINT)


HINT = "Is a package registry within reach (see `pip config list`)? Run make again to go on."


def describe_pip(line: str) -> str | None:
    """What pip is at, in a few words."""
    words = line.split()
    match words[:1]:
        case ["Collecting"]:
            return f"getting {words[1]}"
        case ["Installing"] if len(words) > 3:
            return f"installing {len(words) - 3} packages"
        case _:
            return None
