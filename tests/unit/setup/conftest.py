"""A clone in which nothing is set up yet, and a PATH that holds only what a test puts there."""

import os
import shutil
from pathlib import Path

import pytest

from tests.unit.setup.fakes import ROOT, Install, RecordedProgress, make_executable
from toolchain.places import Places


@pytest.fixture
def places(tmp_path: Path) -> Places:
    """A clone in which nothing is set up yet."""
    root = tmp_path / "a clone"
    (root / "tools").mkdir(parents=True)
    for name in ("pyproject.toml", "requirements.lock", "tools/go.mod", "tools/go.sum"):
        shutil.copy(ROOT / name, root / name)
    return Places(root)


@pytest.fixture
def progress(places: Places) -> RecordedProgress:
    return RecordedProgress(places.logs)


@pytest.fixture
def install(tmp_path: Path, places: Places, monkeypatch: pytest.MonkeyPatch) -> Install:
    """Puts a script of a given name on a PATH that holds nothing else, behind setup's own folder."""
    folder = tmp_path / "installed"
    folder.mkdir()
    monkeypatch.setenv("PATH", os.pathsep.join([str(places.bin), str(folder)]))

    def put(name: str, script: str) -> Path:
        return make_executable(folder / name, script)

    return put
