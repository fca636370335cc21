"""What a person sees of setup."""

import os
import re
from io import StringIO

import pytest

from toolchain.errors import SetupError
from toolchain.go import GoBuild
from toolchain.places import Places
from toolchain.progress import Progress


def run_shell(progress: Progress, places: Places, script: str) -> None:
    with progress.step("a tool"):
        progress.run(
            ["sh", "-c", script], cwd=places.root, env=os.environ, describe=lambda line: line.strip(), hint="Try again."
        )


def test_progress_ends_with_the_step_its_time_and_the_last_word(places: Places) -> None:
    shown = StringIO()
    run_shell(Progress(places.logs, shown), places, "echo one; echo two")
    assert re.fullmatch(r"✓ a tool  \d+\.\d s  two\n", shown.getvalue())


def test_a_failed_command_is_told_with_its_last_lines_and_its_log(places: Places) -> None:
    with pytest.raises(SetupError) as told:
        run_shell(Progress(places.logs, StringIO()), places, "echo the reason >&2; exit 3")
    assert "ended with exit code 3" in told.value.what
    assert "the reason" in told.value.what
    assert str(places.logs / "sh.log") in told.value.remedy
    assert (places.logs / "sh.log").read_text() == "the reason\n"


def test_a_build_counts_what_go_says() -> None:
    build = GoBuild()
    shown = [build.describe(line) for line in ("go: downloading a v1\n", "go: finding b\n", "internal/abi\n")]
    assert shown[-1].endswith("1 modules fetched, 1 packages compiled")
