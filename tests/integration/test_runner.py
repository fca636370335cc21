"""The runner keeps one command going, or ends it gracefully, without any worker."""

import asyncio
import json
import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from activities import runner
from activities.apply_folder import RUNNER, ApplyFolder

TERRAFORM = (
    f"#!{sys.executable}"
    """
import os, pathlib, signal, sys, time
here = pathlib.Path.cwd()
def note(number, frame):
    with (here / "signals").open("a") as file:
        file.write(f"terraform {number}\\n")
    if "--stubborn" not in sys.argv:
        print("state written", flush=True)
        os._exit(1)
for number in (signal.SIGINT, signal.SIGTERM):
    signal.signal(number, note)
(here / "started").touch()
while True:
    time.sleep(0.05)
"""
)

TERRAGRUNT = """
import pathlib, signal, subprocess, sys
here = pathlib.Path.cwd()
def note(number, frame):
    with (here / "signals").open("a") as file:
        file.write(f"terragrunt {number}\\n")
signal.signal(signal.SIGINT, note)
sys.exit(subprocess.call([str(here / "terraform"), *sys.argv[1:]]))
"""


class Started:
    """A runner of a command, with its folder."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.folder = ApplyFolder(path / "folder")
        self.folder.make()
        self._processes: list[subprocess.Popen[bytes]] = []

    def command(self, *argv: str, lease: float = 600, grace: float = 20, timeout: float = 600) -> None:
        command: runner.Command = {
            "argv": [*argv],
            "cwd": str(self.path),
            "interrupt": ["terraform"],
            "timeout_seconds": timeout,
            "lease_seconds": lease,
            "grace_seconds": grace,
        }
        runner.write_whole(self.folder.path / "command.json", command)
        self.folder.renew_lease()

    def start(self) -> "subprocess.Popen[bytes]":
        argv = [sys.executable, "-I", "-S", str(RUNNER), str(self.folder.path)]
        process = subprocess.Popen(argv, start_new_session=True, stdin=subprocess.DEVNULL)
        self._processes.append(process)
        return process

    def tools(self) -> list[str]:
        """A Terragrunt that starts a Terraform, and both note the signals they get."""
        terraform = self.path / "terraform"
        terraform.write_text(TERRAFORM)
        terraform.chmod(0o755)
        (self.path / "terragrunt.py").write_text(TERRAGRUNT)
        return [sys.executable, str(self.path / "terragrunt.py")]

    def signals(self) -> list[str]:
        noted = self.path / "signals"
        return noted.read_text().splitlines() if noted.exists() else []

    def exit(self) -> runner.Exit:
        wait_for(lambda: self.folder.exit() is not None)
        exit_ = self.folder.exit()
        assert exit_ is not None
        return exit_

    def end(self) -> None:
        for process in self._processes:
            process.kill()
            process.wait()
        child = self.folder.path / "child.json"
        if child.exists():
            for pid in runner.group_members(json.loads(child.read_text())["pid"]):
                os.kill(pid, signal.SIGKILL)


def wait_for(condition: Callable[[], bool], seconds: float = 120) -> None:
    until = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < until, "it did not happen in time"
        time.sleep(0.02)


@pytest.fixture
def started(tmp_path: Path) -> Iterator[Started]:
    started = Started(tmp_path)
    yield started
    started.end()


def test_output_and_exit_code_are_left_in_the_folder(started: Started) -> None:
    started.command("/bin/sh", "-c", "echo out; echo err >&2; exit 3")
    started.start()
    assert started.exit()["code"] == 3
    assert started.exit()["reason"] == ""
    assert started.folder.output() == "out\nerr\n"


def test_two_runners_of_one_folder_run_the_command_once(started: Started) -> None:
    started.command("/bin/sh", "-c", "echo once >> ran; sleep 0.5")
    processes = [started.start() for _ in range(5)]
    assert [process.wait(timeout=120) for process in processes] == [0] * 5
    assert (started.path / "ran").read_text() == "once\n"
    started.exit()


def test_a_runner_that_comes_after_the_end_runs_nothing(started: Started) -> None:
    started.command("/bin/sh", "-c", "echo once >> ran")
    started.start().wait(timeout=120)
    started.start().wait(timeout=120)
    assert (started.path / "ran").read_text() == "once\n"


def test_cancel_interrupts_terraform_alone_and_once(started: Started) -> None:
    """Terragrunt would pass its own interrupt on as a second one, on which Terraform gives up its state."""
    started.command(*started.tools())
    started.start()
    wait_for((started.path / "started").exists)
    started.folder.cancel()
    assert started.exit() | {"at": 0} == {"code": 1, "reason": "cancelled", "killed": False, "at": 0}
    assert started.signals() == [f"terraform {int(signal.SIGINT)}"]
    assert "state written" in started.folder.output()


def test_a_command_that_ignores_its_cancel_is_killed_after_the_grace_and_not_before(started: Started) -> None:
    started.command(*started.tools(), "--stubborn", grace=2)
    started.start()
    wait_for((started.path / "started").exists)
    asked = time.time()
    started.folder.cancel()
    exit_ = started.exit()
    assert exit_["killed"]
    assert exit_["at"] - asked >= 2
    assert started.signals()[0] == f"terraform {int(signal.SIGINT)}"
    assert started.signals().count(f"terraform {int(signal.SIGINT)}") == 1
    wait_for(lambda: not started.folder.is_alive())


def test_a_runner_whose_lease_has_run_out_fences_itself(started: Started) -> None:
    started.command(*started.tools(), lease=1)
    started.start()
    wait_for((started.path / "started").exists)
    assert started.exit()["reason"] == "lease"
    assert started.signals() == [f"terraform {int(signal.SIGINT)}"]


def test_a_runner_whose_folder_somebody_has_removed_ends_its_work(started: Started) -> None:
    started.command(*started.tools())
    process = started.start()
    wait_for((started.path / "started").exists)
    shutil.rmtree(started.folder.path)
    process.wait(timeout=120)
    assert started.signals() == [f"terraform {int(signal.SIGINT)}"]


def test_a_renewed_lease_keeps_it_going(started: Started) -> None:
    started.command(*started.tools(), lease=1.5)
    started.start()
    wait_for((started.path / "started").exists)
    for _ in range(12):
        started.folder.renew_lease()
        time.sleep(0.25)
    assert started.folder.exit() is None


def test_time_that_is_up_interrupts_gracefully(started: Started) -> None:
    started.command(*started.tools(), timeout=1)
    started.start()
    assert started.exit()["reason"] == "timeout"
    assert started.signals() == [f"terraform {int(signal.SIGINT)}"]


def test_a_machine_that_shuts_down_interrupts_gracefully(started: Started) -> None:
    started.command(*started.tools())
    process = started.start()
    wait_for((started.path / "started").exists)
    process.terminate()
    assert started.exit()["reason"] == "terminated"
    assert started.signals() == [f"terraform {int(signal.SIGINT)}"]


def test_a_killed_runner_leaves_no_unfenced_command(started: Started) -> None:
    started.command("/bin/sh", "-c", "touch started; exec sleep 600")
    process = started.start()
    wait_for((started.path / "started").exists)
    process.kill()
    process.wait()
    wait_for(lambda: not started.folder.is_alive())
    assert started.folder.exit() is None


def test_nothing_that_the_command_started_stays_behind(started: Started) -> None:
    started.command("/bin/sh", "-c", "sleep 600 & echo $! > left")
    started.start()
    started.exit()
    with pytest.raises(OSError):  # noqa: PT011 - no such process
        runner.this_process(int((started.path / "left").read_text()))


def test_a_process_of_before_the_last_boot_is_dead() -> None:
    now = runner.this_process()
    assert runner.is_alive(now)
    assert not runner.is_alive({**now, "boot": "another"})
    assert not runner.is_alive({**now, "started": now["started"] - 1})


async def test_credentials_reach_the_command_and_no_file(tmp_path: Path) -> None:
    started = Started(tmp_path)
    started.command("/bin/sh", "-c", 'test "${#AWS_SECRET_ACCESS_KEY}" = 14')
    command = json.loads((started.folder.path / "command.json").read_text())
    await started.folder.start(command, {"AWS_SECRET_ACCESS_KEY": "planted-secret", "PATH": os.environ["PATH"]})
    await asyncio.to_thread(started.exit)
    assert started.exit()["code"] == 0
    for path in started.folder.path.iterdir():
        assert b"planted-secret" not in path.read_bytes()
        assert path.stat().st_mode & 0o077 == 0, f"{path.name} can be read by others"


def test_a_terraform_behind_a_script_is_interrupted_all_the_same(started: Started) -> None:
    argv = started.tools()
    (started.path / "terraform").rename(started.path / "real")
    wrapper = started.path / "terraform"
    wrapper.write_text(f'#!/usr/bin/env bash\nexec {sys.executable} {started.path / "real"} "$@"\n')
    wrapper.chmod(0o755)
    started.command(*argv)
    started.start()
    wait_for((started.path / "started").exists)
    started.folder.cancel()
    assert not started.exit()["killed"]
    assert started.signals() == [f"terraform {int(signal.SIGINT)}"]


def test_a_terraform_whose_terragrunt_was_killed_still_ends_gracefully(started: Started) -> None:
    started.command(*started.tools())
    started.start()
    wait_for((started.path / "started").exists)
    os.kill(json.loads((started.folder.path / "child.json").read_text())["pid"], signal.SIGKILL)
    assert started.exit()["code"] == -signal.SIGKILL
    assert started.signals() == [f"terraform {int(signal.SIGINT)}"]
    assert "state written" in started.folder.output()


def test_a_terraform_that_has_outlived_runner_and_terragrunt_counts_as_alive(started: Started) -> None:
    started.command(*started.tools(), "--stubborn")
    process = started.start()
    wait_for((started.path / "started").exists)
    leader = json.loads((started.folder.path / "child.json").read_text())
    process.send_signal(signal.SIGSTOP)
    os.kill(leader["pid"], signal.SIGKILL)
    process.kill()
    process.wait()
    assert started.folder.is_alive()
    for pid in runner.group_members(leader["pid"]):
        os.kill(pid, signal.SIGKILL)
    wait_for(lambda: not started.folder.is_alive())
