"""Which Python is chosen, and that `.venv` is whole or made anew."""

import shutil
import subprocess
from pathlib import Path

import pytest

from tests.unit.setup.fakes import ROOT, RecordedProgress, make_executable
from toolchain.places import Places
from toolchain.virtualenv import Virtualenv


@pytest.fixture
def clone(tmp_path: Path) -> Path:
    """A clone whose `setup.py` only says by which Python it was called."""
    (tmp_path / "tools").mkdir()
    shutil.copy(ROOT / "tools" / "setup.sh", tmp_path / "tools")
    (tmp_path / "tools" / "setup.py").write_text("")
    for name in ("sh", "dirname"):
        found = shutil.which(name)
        assert found
        (tmp_path / "bin").mkdir(exist_ok=True)
        (tmp_path / "bin" / name).symlink_to(found)
    return tmp_path


def fake_python(clone: Path, name: str, *, new_enough: bool, with_venv: bool = True) -> None:
    make_executable(
        clone / "bin" / name,
        f"""case "$*" in
    *version_info*) exit {0 if new_enough else 1} ;;
    *ensurepip*) exit {0 if with_venv else 1} ;;
    --version) echo Python of {name} ;;
    *) echo "{name} called" ;;
esac""",
    )


def start_setup(clone: Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [clone / "tools" / "setup.sh"], env={"PATH": str(clone / "bin")}, capture_output=True, text=True, check=False
    )


def test_setup_takes_a_newer_python_where_python3_is_too_old(clone: Path) -> None:
    fake_python(clone, "python3", new_enough=False)
    fake_python(clone, "python3.12", new_enough=True)
    done = start_setup(clone)
    assert (done.returncode, done.stdout) == (0, "python3.12 called\n")


def test_setup_prefers_python3_where_it_is_new_enough(clone: Path) -> None:
    fake_python(clone, "python3", new_enough=True)
    fake_python(clone, "python3.12", new_enough=True)
    assert start_setup(clone).stdout == "python3 called\n"


def test_setup_passes_over_a_python_that_lacks_venv(clone: Path) -> None:
    fake_python(clone, "python3", new_enough=True, with_venv=False)
    fake_python(clone, "python3.11", new_enough=True)
    assert start_setup(clone).stdout == "python3.11 called\n"


def test_a_missing_python_is_named_with_what_to_do(clone: Path) -> None:
    fake_python(clone, "python3", new_enough=False)
    done = start_setup(clone)
    assert done.returncode == 1
    assert "no Python 3.11 or later" in done.stderr
    assert "Python of python3" in done.stderr
    assert "Install one" in done.stderr


def test_a_python_without_venv_is_named_with_what_to_do(clone: Path) -> None:
    fake_python(clone, "python3.11", new_enough=True, with_venv=False)
    done = start_setup(clone)
    assert done.returncode == 1
    assert "python3-venv" in done.stderr


def test_packages_are_installed_with_the_hashes_of_the_lock(places: Places, progress: RecordedProgress) -> None:
    venv = Virtualenv(places)
    venv.make(progress)
    assert venv.is_whole()
    made, lock, ours = progress.commands
    assert made.endswith(f"-m venv {places.venv}")
    assert lock.endswith(f"--no-deps --progress-bar=off --require-hashes -r {places.lock}")
    assert ours.endswith(f"--no-build-isolation -e {places.root}")


@pytest.mark.parametrize("at", ["-m venv", "--require-hashes", "--no-build-isolation"])
def test_an_interrupted_installation_is_never_taken_for_whole(places: Places, at: str) -> None:
    venv = Virtualenv(places)
    with pytest.raises(KeyboardInterrupt):
        venv.make(RecordedProgress(places.logs, fails_at=at))
    assert not venv.is_whole()
    (places.venv / "left").touch()
    again = RecordedProgress(places.logs)
    venv.make(again)
    assert venv.is_whole()
    assert "-m venv" in again.commands[0]
    assert not (places.venv / "left").exists()


def test_a_changed_lock_is_installed_into_the_same_venv(places: Places, progress: RecordedProgress) -> None:
    venv = Virtualenv(places)
    venv.make(progress)
    before = venv.source()
    places.lock.write_text(places.lock.read_text() + "\n")
    assert venv.source() != before
    again = RecordedProgress(places.logs)
    venv.make(again)
    assert not [command for command in again.commands if "-m venv" in command]


def test_a_venv_that_was_moved_is_made_anew(places: Places, progress: RecordedProgress) -> None:
    Virtualenv(places).make(progress)
    moved = Places(places.root.rename(places.root.with_name("moved")))
    assert Virtualenv(moved).source() != Virtualenv(Places(ROOT)).source()
    again = RecordedProgress(moved.logs)
    Virtualenv(moved).make(again)
    assert "-m venv" in again.commands[0]


def test_settings_of_the_checks_do_not_cause_an_installation(places: Places) -> None:
    before = Virtualenv(places).source()
    places.project.write_text(places.project.read_text() + "\n[tool.other]\nkey = 1\n")
    assert Virtualenv(places).source() == before
