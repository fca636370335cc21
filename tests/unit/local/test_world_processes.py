"""Processes of a world are known again by more than their number, and end whatever they do."""

import os
import signal
import subprocess
import sys
from pathlib import Path

from local import processes
from local.processes import Process
from local.waiting import wait_for

STUBBORN = """
import signal, time
signal.signal(signal.SIGTERM, signal.SIG_IGN)
print("ready", flush=True)
time.sleep(600)
"""
LEADER = """
import signal, subprocess, sys, time
signal.signal(signal.SIGTERM, lambda *_: (print("asked", flush=True), sys.exit()))
child = subprocess.Popen(["sleep", "600"])
print("ready", flush=True)
time.sleep(600)
"""


def started(command: list[str], folder: Path, **environment: str) -> Process:
    return processes.start(command, environment=os.environ | environment, directory=folder, log=folder / "log")


def test_process_has_a_session_and_a_log_of_its_own(tmp_path: Path) -> None:
    process = started(["sh", "-c", "echo out; echo err >&2; exec sleep 600"], tmp_path)
    assert processes.is_alive(process)
    assert os.getsid(process.pid) == process.pid
    wait_for(lambda: processes.tail(process.log) == "out\nerr", "its output", 120)
    assert processes.stop(process)
    assert not processes.is_alive(process)


def test_log_of_an_earlier_start_is_kept(tmp_path: Path) -> None:
    for word in ("first", "second"):
        started(["echo", word], tmp_path)
        wait_for(lambda word=word: word in processes.tail(tmp_path / "log"), "its word", 120)  # type: ignore[misc]
    assert processes.tail(tmp_path / "log") == "first\nsecond"
    assert processes.tail(tmp_path / "log", lines=1) == "second"


def test_process_that_ignores_its_end_is_killed(tmp_path: Path) -> None:
    process = started([sys.executable, "-c", STUBBORN], tmp_path)
    wait_for(lambda: processes.tail(process.log) == "ready", "its start", 120)
    assert not processes.stop(process, seconds=0.3)
    assert not processes.is_alive(process)


def test_another_process_with_the_same_id_is_not_taken_for_it_nor_ended(tmp_path: Path) -> None:
    process = started(["sleep", "600"], tmp_path)
    recycled = process.model_copy(update={"started": process.started - 1})
    assert not processes.is_alive(recycled)
    assert processes.stop(recycled)
    processes.kill(recycled)
    assert processes.is_alive(process)
    assert processes.stop(process)


def test_process_of_before_a_reboot_is_not_alive(tmp_path: Path) -> None:
    process = started(["sleep", "600"], tmp_path)
    assert not processes.is_alive(process.model_copy(update={"boot": "another"}))
    processes.kill(process)


def test_zombie_is_not_alive(tmp_path: Path) -> None:
    child = subprocess.Popen(["sleep", "600"])
    stat = (Path("/proc") / str(child.pid) / "stat").read_text().rpartition(")")[2].split()
    boot = Path("/proc/sys/kernel/random/boot_id").read_text().strip()
    process = Process(pid=child.pid, started=int(stat[19]), boot=boot, log=tmp_path / "log")
    assert processes.is_alive(process)
    child.kill()
    wait_for(lambda: not processes.is_alive(process), "the zombie", 120)
    child.wait()


def test_those_with_the_mark_are_ended_their_leader_first(tmp_path: Path) -> None:
    process = started([sys.executable, "-c", LEADER], tmp_path, MARK="of this world")
    other = started(["sleep", "600"], tmp_path, MARK="of another")
    wait_for(lambda: "ready" in processes.tail(process.log), "its start", 120)
    assert processes.end_marked("MARK=of this world", 1) == 1, "the child, which nobody asked, is killed"
    assert processes.tail(process.log) == "ready\nasked"
    assert not processes.is_alive(process)
    assert processes.is_alive(other)
    assert processes.stop(other)


def test_those_that_a_spared_process_leads_are_spared(tmp_path: Path) -> None:
    process = started(["sleep", "600"], tmp_path, MARK="spared")
    assert processes.end_marked("MARK=spared", 0, besides={process.pid}) == 0
    assert processes.is_alive(process)
    os.kill(process.pid, signal.SIGKILL)
