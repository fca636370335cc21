"""Whether Go is there to build a tool that `tools/go.mod` pins, and what a build is at."""

import os
import re
import shutil
import subprocess
from pathlib import Path

from toolchain.executables import Version

FETCHES_TOOLCHAINS: Version = (1, 21, 0)
"""From this version on Go gets by itself the newer Go that a `go.mod` asks for."""


def why_go_cannot_build(module: Path) -> str | None:
    """What keeps Go from building the module, to stand inside a sentence; None where nothing does."""
    go = shutil.which("go")
    if go is None:
        return "there is no Go"
    try:
        # Beside the module, since inside it Go would already fetch what go.mod asks for.
        done = subprocess.run(
            [go, "version"], cwd=module.parent, env=os.environ | {"GOTOOLCHAIN": "local"},
            capture_output=True, text=True, timeout=60, check=True,
        )  # fmt: skip
    except (OSError, subprocess.SubprocessError) as error:
        code = f"ends with {error.returncode}" if isinstance(error, subprocess.CalledProcessError) else str(error)
        return f"{go} doesn't run: `go version` {code}"
    version = parse_go_version(done.stdout)
    wanted = parse_go_version((module / "go.mod").read_text())
    fetches = version >= FETCHES_TOOLCHAINS and os.environ.get("GOTOOLCHAIN") != "local"
    if version >= wanted or fetches:
        return None
    return f"Go {dotted(version)} is older than the {dotted(wanted)} that tools/go.mod asks for and may not fetch it"


def parse_go_version(text: str) -> Version:
    """The first `go1.26`, `go1.26.8` or `go 1.26` in a text; zeros where there is none."""
    match = re.search(r"\bgo ?(\d+)\.(\d+)(?:\.(\d+))?", text)
    return (int(match[1]), int(match[2]), int(match[3] or 0)) if match else (0, 0, 0)


def dotted(version: Version) -> str:
    return ".".join(map(str, version))


class GoBuild:
    """Counts what `go build -v` reports, since it takes minutes the first time."""

    TAKES = "building with Go, about five minutes the first time"

    def __init__(self) -> None:
        self._fetched = 0
        self._compiled = 0

    def describe(self, line: str) -> str:
        if line.startswith("go: downloading"):
            self._fetched += 1
        elif not line.startswith("go:"):
            self._compiled += 1
        return f"{self.TAKES}: {self._fetched} modules fetched, {self._compiled} packages compiled"
