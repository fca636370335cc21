"""Gets Terragrunt: the installed one where it is new enough, else the pinned version, built with Go."""

import hashlib
import os
import re

from toolchain.errors import SetupError
from toolchain.executables import Installed, candidate, identity, installed, link, parse_version, version_of
from toolchain.go import GoBuild, dotted, why_go_cannot_build
from toolchain.places import Places
from toolchain.progress import Progress

MODULE = "github.com/gruntwork-io/terragrunt"
MINIMUM = (0, 50, 0)
"""The guide's minimum."""


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
        if reason := why_go_cannot_build(self._places.go_module):
            raise SetupError(
                f"There is no Terragrunt >= {dotted(MINIMUM)} on PATH{self._too_old()}, "
                f"and none can be built: {reason}.",
                "Install one of the two: Terragrunt (https://terragrunt.gruntwork.io) or Go >= 1.21 (https://go.dev/dl).",
            )

    def _too_old(self) -> str:
        """What there is instead."""
        path = candidate("terragrunt", self._places)
        version = version_of(path, self._places) if path else None
        return f" (there is {dotted(version)} at {path})" if version else ""

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
        progress.detail(GoBuild.TAKES)
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
