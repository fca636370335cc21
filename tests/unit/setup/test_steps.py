"""Setup makes each thing once, nothing half, and one at a time."""

import fcntl
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from tests.unit.setup.fakes import ROOT, FakeStep
from toolchain.errors import SetupError
from toolchain.exclusive import one_at_a_time
from toolchain.places import Places
from toolchain.progress import Progress
from toolchain.step import Record, bring_up_to_date


def test_second_setup_makes_nothing(places: Places, progress: Progress) -> None:
    steps = [FakeStep("a"), FakeStep("b")]
    assert bring_up_to_date(steps, Record(places.record), progress) == 2
    assert bring_up_to_date(steps, Record(places.record), progress) == 0
    assert [step.made for step in steps] == [["v1"], ["v1"]]


def test_only_a_step_whose_source_changed_is_made_again(places: Places, progress: Progress) -> None:
    steps = [FakeStep("a"), FakeStep("b")]
    bring_up_to_date(steps, Record(places.record), progress)
    steps[1].made_from = "v2"
    assert bring_up_to_date(steps, Record(places.record), progress) == 1
    assert [step.made for step in steps] == [["v1"], ["v1", "v2"]]


def test_a_product_that_was_removed_is_made_again(places: Places, progress: Progress) -> None:
    step = FakeStep("a")
    bring_up_to_date([step], Record(places.record), progress)
    step.whole = False
    assert bring_up_to_date([step], Record(places.record), progress) == 1


def test_a_missing_prerequisite_leaves_nothing_half_done(places: Places, progress: Progress) -> None:
    steps = [FakeStep("a"), FakeStep("b", missing="no Go")]
    with pytest.raises(SetupError, match="no Go"):
        bring_up_to_date(steps, Record(places.record), progress)
    assert steps[0].made == []
    assert not places.record.exists()


def test_an_interrupted_step_is_made_by_the_next_setup(places: Places, progress: Progress) -> None:
    steps = [FakeStep("a"), FakeStep("b", interrupted=True)]
    with pytest.raises(KeyboardInterrupt):
        bring_up_to_date(steps, Record(places.record), progress)
    steps[1].interrupted = False
    assert bring_up_to_date(steps, Record(places.record), progress) == 1
    assert [step.made for step in steps] == [["v1"], ["v1"]]


def test_a_record_that_was_cut_off_is_no_record(places: Places, progress: Progress) -> None:
    places.record.parent.mkdir(parents=True)
    places.record.write_text('{"a": "v')
    assert bring_up_to_date([FakeStep("a", whole=True)], Record(places.record), progress) == 1


HOLDS = (
    "import fcntl, sys; f = open(sys.argv[1], 'a+'); fcntl.flock(f, fcntl.LOCK_EX); print('held', flush=True); input()"
)


def test_a_second_setup_waits_for_the_first_and_says_so(places: Places) -> None:
    lock = places.tools / "setup.lock"
    lock.parent.mkdir()
    titles = []

    class EndsTheFirst(Progress):
        @contextmanager
        def step(self, title: str) -> Iterator[None]:
            titles.append(title)
            first.communicate("\n", timeout=30)
            yield

    command = [sys.executable, "-c", HOLDS, str(lock)]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as first:
        assert first.stdout
        assert first.stdout.readline() == "held\n"
        lock.write_text(str(first.pid))
        with one_at_a_time(lock, EndsTheFirst(places.logs)):
            assert lock.read_text() == str(os.getpid())
        assert titles == [f"waiting for another setup (process {first.pid})"]


def test_what_a_killed_setup_left_running_keeps_the_lock(places: Places) -> None:
    lock = places.tools / "setup.lock"
    program = f"""
import os, pathlib, signal, sys
sys.path.insert(0, {str(ROOT / "tools")!r})
from toolchain.exclusive import one_at_a_time
from toolchain.progress import Progress

def killed(line):
    print(line, flush=True)
    os.kill(os.getpid(), signal.SIGKILL)

progress = Progress(pathlib.Path(sys.argv[1]).parent)
with one_at_a_time(pathlib.Path(sys.argv[1]), progress):
    progress.run(["sh", "-c", "echo $$; exec sleep 60"], cwd="/", env=os.environ, describe=killed, hint="")
"""
    setup = subprocess.run([sys.executable, "-c", program, lock], stdout=subprocess.PIPE, text=True, check=False)
    left = int(setup.stdout)
    with lock.open() as file:
        try:
            with pytest.raises(BlockingIOError):
                fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        finally:
            os.kill(left, signal.SIGKILL)
        fcntl.flock(file, fcntl.LOCK_EX)
