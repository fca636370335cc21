"""Makes sure of a git that can merge without a work tree, before anything is set up."""

from toolchain.errors import SetupError
from toolchain.executables import Version, candidate, version_of
from toolchain.places import Places

MINIMUM: Version = (2, 38, 0)
"""`git merge-tree --write-tree` came with it."""

_REMEDY = (
    "Install git 2.38 or later (brew install git; Debian 12 and Ubuntu 23.04 or later: apt install git; "
    "older Ubuntu: add-apt-repository ppa:git-core/ppa)."
)


def require_git(places: Places) -> None:
    """Ends the setup where git is missing or too old.

    Raises:
        SetupError: with what was found and where.
    """
    path = candidate("git", places)
    if path is None:
        raise SetupError("There is no git on PATH.", _REMEDY)
    version = version_of(path, places)
    if version is None:
        raise SetupError(f"{path} does not say its version.", _REMEDY)
    if version < MINIMUM:
        raise SetupError(f"git {'.'.join(map(str, version))} from {path} is older than 2.38.", _REMEDY)
