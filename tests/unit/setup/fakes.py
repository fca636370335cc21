"""Stand-ins for what setup calls: a progress that runs nothing, a step that makes nothing, scripts for tools."""

import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from io import StringIO
from pathlib import Path

from toolchain.errors import SetupError
from toolchain.progress import Describe, Progress

ROOT = Path(__file__).resolve().parents[3]
Install = Callable[[str, str], Path]


class RecordedProgress(Progress):
    """Notes the commands and runs none of them; `fails_at` is the words of one that doesn't end well."""

    def __init__(self, logs: Path, fails_at: str | None = None) -> None:
        super().__init__(logs, StringIO())
        self.commands: list[str] = []
        self._fails_at = fails_at

    def run(self, command: Sequence[str], *, cwd: Path, env: Mapping[str, str], describe: Describe, hint: str) -> None:
        words = " ".join(command)
        self.commands.append(words)
        if self._fails_at and self._fails_at in words:
            raise KeyboardInterrupt
        if "-m venv" in words:
            make_executable(Path(command[-1]) / "bin" / "python", f'exec "{sys.executable}" "$@"')
            make_executable(Path(command[-1]) / "bin" / "pip", f"#!{command[-1]}/bin/python")
        if "-e " in words:
            make_executable(Path(command[-1]) / ".venv" / "bin" / "docustack", "")
        if command[:2] == ["go", "build"]:
            make_executable(Path(command[command.index("-o") + 1]), "echo terragrunt version v1.1.3")


@dataclass
class FakeStep:
    """A step that is whole once it was made."""

    name: str
    made_from: str = "v1"
    missing: str | None = None
    interrupted: bool = False
    whole: bool = False
    made: list[str] = field(default_factory=list)

    def source(self) -> str:
        return self.made_from

    def is_whole(self) -> bool:
        return self.whole

    def check(self) -> None:
        if self.missing:
            raise SetupError(self.missing, "install it")

    def make(self, progress: Progress) -> None:
        if self.interrupted:
            raise KeyboardInterrupt
        self.made.append(self.made_from)
        self.whole = True


def make_executable(path: Path, script: str) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(script if script.startswith("#!") else f"#!/bin/sh\n{script}\n")
    path.chmod(0o755)
    return path
