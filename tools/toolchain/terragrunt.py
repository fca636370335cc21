"""Gets Terragrunt: the installed one where it is new enough, else the pinned version, built with Go."""

import hashlib
import os
import re
import shutil
import subprocess

from toolchain.errors import SetupError
from toolchain.executables import Installed, candidate, identity, installed, link, parse_version, version_of
from toolchain.places import Places
from toolchain.progress import Progress

MODULE = "github.com/gruntwork-io/terragrunt"
MINIMUM = (0, 50, 0)
"""The guide's minimum."""
GO_MINIMUM = (1, 21, 0)
"""From this version on Go fetches the toolchain that `go.mod` asks for by itself."""


BUILDING = "building with Go, about five minutes the first time"


class Terragrunt:
    """`.tools/bin/terragrunt`."""

    name = "Terragrunt"

    def __init__(self, places: Places) -> None:
        self._places = places
        self._path = places.bin / "terragrunt"

    def source(self) -> str:
        path = candidate("terragrunt", self._places)
        pins = b"".join((self._places.go_module / name).read_bytes() for name in ("go.mod", "go.sum"))
        return f"{identity(path) if path else 'not on PATH'}, else {hashlib.sha256(pins).hexdigest()}"

    def is_whole(self) -> bool:
        return self._path.exists()

    def check(self) -> None:
        if self._installed() or self._is_built():
            return
        go = shutil.which("go")
        version = go_version(go) if go else None
        if version is None or version < GO_MINIMUM:
            found = f"Go is {'.'.join(map(str, version))}" if version else "there is no Go"
            raise SetupError(
                f"There is no Terragrunt >= {'.'.join(map(str, MINIMUM))} on PATH, and {found} to build one with.",
                "Install one of the two: Terragrunt (https://terragrunt.gruntwork.io), or Go >= 1.21 (https://go.dev/dl).",
            )

    def make(self, progress: Progress) -> None:
        if found := self._installed():
            link(found.path, self._path)
            progress.detail(str(found))
            return
        if not self._is_built():
            self._build(progress)
        progress.detail(f"{self._pinned()[1:]}, built from tools/go.mod")

    def _installed(self) -> Installed | None:
        return installed("terragrunt", self._places, MINIMUM)

    def _is_built(self) -> bool:
        is_ours = self._path.is_file() and not self._path.is_symlink()
        return is_ours and version_of(self._path, self._places) == parse_version(self._pinned())

    def _pinned(self) -> str:
        match = re.search(
            rf"^\s*{re.escape(MODULE)} (v\S+)", (self._places.go_module / "go.mod").read_text(), re.MULTILINE
        )
        assert match, "tools/go.mod requires Terragrunt"
        return match[1]

    def _build(self, progress: Progress) -> None:
        progress.detail(BUILDING)
        self._places.bin.mkdir(parents=True, exist_ok=True)
        unfinished = self._places.bin / f".terragrunt.{os.getpid()}"
        flags = f"-s -w -X {MODULE}/internal/version.Version={self._pinned()}"
        command = ["go", "build", "-v", "-ldflags", flags, "-o", str(unfinished), MODULE]
        try:
            progress.run(
                command, cwd=self._places.go_module, env=os.environ | {"GOWORK": "off"}, describe=GoBuild().describe,
                hint="Is the Go module proxy within reach (`go env GOPROXY`)? Run make again to go on.",
            )  # fmt: skip
            unfinished.replace(self._path)
        finally:
            unfinished.unlink(missing_ok=True)


class GoBuild:
    """Counts what `go build -v` reports, since it takes minutes the first time."""

    def __init__(self) -> None:
        self._downloaded = 0
        self._compiled = 0

    def describe(self, line: str) -> str:
        if line.startswith("go: downloading"):
            self._downloaded += 1
        elif not line.startswith("go:"):
            self._compiled += 1
        counts = f"{self._downloaded} modules fetched, {self._compiled} packages compiled"
        return f"{BUILDING}: {counts}"


def go_version(go: str) -> tuple[int, int, int] | None:
    """What `go version` says (`go1.26`, `go1.26.8`); None where it doesn't run."""
    try:
        done = subprocess.run([go, "version"], capture_output=True, text=True, timeout=60, check=True)
    except (OSError, subprocess.SubprocessError):
        return None
    match = re.search(r"go(\d+)\.(\d+)(?:\.(\d+))?", done.stdout)
    return (int(match[1]), int(match[2]), int(match[3] or 0)) if match else None
