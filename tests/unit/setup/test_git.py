"""Git is looked at before anything is set up."""

import pytest

from tests.unit.setup.fakes import Install
from toolchain.errors import SetupError
from toolchain.git import require_git
from toolchain.places import Places


def test_git_that_is_new_enough_is_taken(places: Places, install: Install) -> None:
    install("git", "echo git version 2.38.1")
    require_git(places)


@pytest.mark.parametrize("said", ["git version 2.30.1", "git version 1.9.5"])
def test_git_that_is_too_old_is_named_with_where_it_is(places: Places, install: Install, said: str) -> None:
    path = install("git", f"echo {said}")
    with pytest.raises(SetupError) as problem:
        require_git(places)
    assert f"from {path} is older than 2.38" in problem.value.what
    assert "2.38 or later" in problem.value.remedy


def test_missing_git_is_told(places: Places, install: Install) -> None:  # an empty PATH
    with pytest.raises(SetupError, match="no git on PATH"):
        require_git(places)
