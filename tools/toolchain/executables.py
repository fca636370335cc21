"""Finds an installed tool that is new enough, and links tools into `.tools/bin`."""

import os
import re
import shutil
import subprocess
from dataclasses import dataclass
from pathlib import Path

from toolchain.places import Places

Version = tuple[int, int, int]


@dataclass(frozen=True)
class Installed:
    """An executable on PATH."""

    path: Path
    version: Version

    @property
    def identity(self) -> str:
        """Changes when the executable is replaced."""
        return identity(self.path)

    def __str__(self) -> str:
        return f"{'.'.join(map(str, self.version))} from {self.path}"


def identity(path: Path) -> str:
    """Path and time of an executable, following links: cheap to compare, where asking for its version isn't."""
    real = path.resolve()
    return f"{path} -> {real} {real.stat().st_mtime_ns}"


def candidate(name: str, places: Places) -> Path | None:
    """The executable of that name on PATH, leaving out what setup itself has put there."""
    ours = {places.bin.resolve(), (places.venv / "bin").resolve()}
    elsewhere = [folder for folder in os.get_exec_path() if Path(folder).resolve() not in ours]
    found = shutil.which(name, path=os.pathsep.join(elsewhere))
    return Path(found).absolute() if found else None


def installed(name: str, places: Places, minimum: Version) -> Installed | None:
    """The executable of that name on PATH, if it runs and is new enough."""
    path = candidate(name, places)
    version = version_of(path, places) if path else None
    return Installed(path, version) if path and version and version >= minimum else None


def version_of(path: Path, places: Places) -> Version | None:
    """What `--version` says; None where it doesn't run."""
    # A configuration file that doesn't exist adds a warning to the output, so the variable never goes through.
    environment = os.environ | {"TF_CLI_CONFIG_FILE": os.devnull, "CHECKPOINT_DISABLE": "1"}
    try:
        done = subprocess.run(
            [path, "--version"],
            cwd=places.root,
            env=environment,
            capture_output=True,
            text=True,
            timeout=60,
            check=True,
        )
    except (OSError, subprocess.SubprocessError):
        return None
    return parse_version(done.stdout)


def parse_version(text: str) -> Version | None:
    """The first `1.2.3` in a text."""
    match = re.search(r"\bv?(\d+)\.(\d+)\.(\d+)", text)
    return (int(match[1]), int(match[2]), int(match[3])) if match else None


def link(target: Path | str, at: Path) -> None:
    """Makes `at` a link to `target`, in one step even where something is there already."""
    at.parent.mkdir(parents=True, exist_ok=True)
    temporary = at.with_name(f".{at.name}.{os.getpid()}")
    temporary.unlink(missing_ok=True)
    temporary.symlink_to(target)
    temporary.replace(at)
