"""The exit code of a test run is what pytest found, though the interpreter may crash when it shuts down."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]

CRASHES_AT_EXIT = """
import atexit, os, sys
atexit.register(os.abort)
sys.modules["temporalio"] = sys
"""
CRASHED = -6


def run_pytest(folder: Path, test: str, *arguments: str, safe: bool = True) -> subprocess.CompletedProcess[str]:
    if safe:
        shutil.copy(ROOT / "tests" / "conftest.py", folder)
    (folder / "pytest.ini").write_text("[pytest]\n")
    (folder / "test_one.py").write_text(CRASHES_AT_EXIT + test)
    command = [sys.executable, "-m", "pytest", "-p", "no:cacheprovider", *arguments, str(folder)]
    return subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False, timeout=120)


def test_crash_at_exit_would_fail_a_passed_run(tmp_path: Path) -> None:
    assert run_pytest(tmp_path, "def test_one(): pass", safe=False).returncode == CRASHED


@pytest.mark.parametrize(
    "test, code, closing",
    [
        ("def test_one(): pass", 0, "1 passed in"),
        ("def test_one(): assert False", 1, "1 failed in"),
        ("1/0", 2, "1 error in"),
        ("", 5, "no tests ran in"),
    ],
)
def test_exit_code_and_closing_line_are_pytests_own(tmp_path: Path, test: str, code: int, closing: str) -> None:
    done = run_pytest(tmp_path, test)
    assert done.returncode == code
    assert closing in done.stdout.splitlines()[-1]


def test_reports_are_written_before_the_end(tmp_path: Path) -> None:
    done = run_pytest(tmp_path, "def test_one(): pass", "--junit-xml=report.xml", "--cov=test_one", "--cov-report=xml")
    assert done.returncode == 0
    assert 'tests="1"' in (tmp_path / "report.xml").read_text()
    assert 'line-rate="1"' in (tmp_path / "coverage.xml").read_text()


def test_settings_of_this_machine_stay_out(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_PROFILE", "somebodys-account")
    monkeypatch.setenv("DOCUSTACK_GITHUB_TOKEN", "somebodys-token")
    test = "def test_one():\n    assert not {'AWS_PROFILE', 'DOCUSTACK_GITHUB_TOKEN'} & set(os.environ)"
    assert run_pytest(tmp_path, test).returncode == 0
    assert os.environ["AWS_PROFILE"] == "somebodys-account"
