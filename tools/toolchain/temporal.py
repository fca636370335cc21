"""Links the Temporal CLI, with its dev server, and the time-skipping test server out of `.venv`."""

from pathlib import Path

from toolchain.executables import link
from toolchain.places import Places
from toolchain.progress import Progress


class Temporal:
    """`.tools/bin/temporal` and `.tools/bin/temporal-test-server`."""

    name = "Temporal"
    _executables = ("temporal", "temporal-test-server")

    def __init__(self, places: Places) -> None:
        self._places = places

    def source(self) -> str:
        return " ".join(self._executables)

    def is_whole(self) -> bool:
        return all((self._places.bin / name).exists() for name in self._executables)

    def check(self) -> None:
        """Nothing is needed: both come with the Python packages."""

    def make(self, progress: Progress) -> None:
        for name in self._executables:
            link(Path("..", "..", ".venv", "bin", name), self._places.bin / name)
        progress.detail("CLI, dev server and test server")
