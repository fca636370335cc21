"""The folder that a worker and the runner of one apply share: the truth about that apply on this host."""

import contextlib
import hashlib
import json
import os
import re
import sys
import time
from collections.abc import Mapping
from pathlib import Path
from typing import TypeVar, cast

from activities import runner
from activities.processes import start_detached

T = TypeVar("T")

RUNNER = Path(runner.__file__).resolve()


def folder_name(workflow_id: str, run_id: str, activity_id: str) -> str:
    """Readable, safe as a file name, and never the same for two activities."""
    whole = f"{workflow_id}\n{run_id}\n{activity_id}"
    readable = re.sub(r"[^\w.-]+", "-", f"{workflow_id}-{activity_id}")[:80]
    return f"{readable}-{hashlib.sha256(whole.encode()).hexdigest()[:16]}"


class ApplyFolder:
    """One apply; every method only looks at or touches files, so it holds after any crash of the worker."""

    def __init__(self, path: Path) -> None:
        self.path = path

    @property
    def log(self) -> Path:
        return self.path / "log"

    @property
    def plan(self) -> Path:
        return self.path / "plan.bin"

    def make(self) -> bool:
        """False where it was there before."""
        self.path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        try:
            self.path.mkdir(mode=0o700)
        except FileExistsError:
            return False
        return True

    def exists(self) -> bool:
        return self.path.is_dir()

    def describe(self, facts: Mapping[str, str]) -> None:
        """Which unit this apply is for, for whoever finds a lock or an old folder."""
        runner.write_whole(self.path / "apply.json", dict(facts))

    def facts(self) -> dict[str, str]:
        return self._read("apply.json", dict[str, str]) or {}

    async def start(self, command: runner.Command, environ: Mapping[str, str]) -> None:
        """Start a runner, which outlives this process. Twice is harmless: the second finds the folder claimed."""
        self.renew_lease()
        runner.write_whole(self.path / "command.json", command)
        for log in (self.log, self.path / "runner.log"):
            log.touch(mode=0o600)
        environment = {name: value for name, value in environ.items() if not name.startswith("PYTHON")}
        await start_detached(
            [sys.executable, "-I", "-S", str(RUNNER), str(self.path)], environment, self.path / "runner.log"
        )

    def claim(self) -> runner.Process | None:
        return self._read("runner.json", runner.Process)

    def keep_from_starting(self) -> bool:
        """Take the claim ourselves: a runner that is only late finds it taken. False where one was faster."""
        nobody: runner.Process = {"pid": 0, "started": 0, "boot": ""}
        return runner.write_whole(self.path / "runner.json", nobody, exclusively=True)

    def exit(self) -> runner.Exit | None:
        return self._read("exit.json", runner.Exit)

    def is_alive(self) -> bool:
        """Does the runner, or anything that it started, still live on this host?"""
        claim = self.claim()
        if claim is not None and runner.is_alive(claim):
            return True
        child = self._read("child.json", runner.Process)
        return child is not None and runner.is_group_alive(child)

    def works_in(self, folder: Path) -> bool:
        """Is something applied in there at this moment?"""
        command = self._read("command.json", runner.Command)
        return command is not None and Path(command["cwd"]).is_relative_to(folder) and self.is_alive()

    def was_started(self) -> bool:
        """A runner may have been started here, or will be in a moment."""
        return (self.path / "command.json").is_file()

    def renew_lease(self) -> None:
        (self.path / "lease").touch(mode=0o600)
        os.utime(self.path / "lease")

    def cancel(self) -> None:
        (self.path / "cancel").touch(mode=0o600)

    def drain(self) -> None:
        """End it as a cancellation does, because its worker stops."""
        (self.path / "drain").touch(mode=0o600)

    def output(self) -> str:
        with contextlib.suppress(FileNotFoundError):
            return self.log.read_bytes().decode(errors="replace")
        return ""

    def forget_secrets(self) -> None:
        """Once the result is safe: the saved plan goes; the log stays for a retry that asks again."""
        self.plan.unlink(missing_ok=True)

    def is_older_than(self, seconds: float) -> bool:
        exit_ = self.exit()
        return exit_ is not None and time.time() - exit_["at"] > seconds

    def _read(self, name: str, kind: type[T]) -> T | None:
        with contextlib.suppress(FileNotFoundError, ValueError):
            return cast("T", json.loads((self.path / name).read_text()))
        return None
