"""`--standalone` with a real Temporal: it begins with the first command that needs it, and ends with the last one."""

import asyncio
import contextlib
import json
import os
import socket
import subprocess
import sys
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

import pytest
from temporalio.api.workflowservice.v1 import DescribeNamespaceRequest
from temporalio.client import Client, WorkflowExecutionStatus
from temporalio.contrib.pydantic import pydantic_data_converter

from docustack.bootstrap import BootstrapOrder, sign_order
from docustack.repository import Repository
from local import processes
from local.state import HOST
from local.waiting import wait_for
from starter import cli
from starter.exit_codes import CommandFailed, ExitCode
from starter.standalone.folder import Folder, Remembered, folder_of_person
from starter.standalone.joining import await_end, join
from starter.standalone.resting import find_resting
from starter.standalone.surrounding import Standalone
from starter.times import now
from tests.workflows.fakes import CONFIGURATION


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Folder]:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path))
    folder, before = folder_of_person(), dict(os.environ)
    yield folder
    await_end(folder)
    assert living(folder) == []
    os.environ.clear()  # a command sets what it is pointed at for its own process, and this one goes on
    os.environ.update(before)


@contextlib.contextmanager
def used() -> Iterator[Standalone]:
    """As by one command that only reads."""
    command = Standalone(is_asked=True)
    try:
        command.surround()
        yield command
    finally:
        command.leave()


def known(folder: Folder) -> Remembered:
    return folder.read() or Remembered()


def living(folder: Folder) -> list[str]:
    return [name for name, process in known(folder).parts.items() if processes.is_alive(process)]


def keeper(folder: Folder) -> processes.Process:
    found = known(folder).keeper
    assert found is not None
    return found


async def connect() -> Client:
    return await Client.connect(os.environ["DOCUSTACK_TEMPORAL_ADDRESS"], data_converter=pydantic_data_converter)


async def test_what_was_begun_is_there_for_the_next_command_and_nothing_runs_between(folder: Folder) -> None:
    before = dict(os.environ)
    with used():
        assert living(folder) == ["temporal"]
        await (await connect()).start_workflow("BootstrapWorkflow", id="bootstrap:1", task_queue="docustack")
    assert (living(folder), processes.is_alive(keeper(folder))) == ([], False)
    assert dict(os.environ) == before
    ports = known(folder).ports
    with used():
        found = await (await connect()).get_workflow_handle("bootstrap:1").describe()
        assert found.status is WorkflowExecutionStatus.RUNNING
        assert known(folder).ports == ports


async def test_no_history_is_deleted_after_a_day(folder: Folder) -> None:
    with used():
        question = DescribeNamespaceRequest(namespace="default")
        namespace = await (await connect()).workflow_service.describe_namespace(question)
        assert namespace.config.workflow_execution_retention_ttl.ToTimedelta() > timedelta(days=10_000)


async def test_what_only_a_worker_could_tell_is_told_as_resting(folder: Folder) -> None:
    with used() as command:
        assert Standalone().has_no_worker() is None
        rests = command.has_no_worker()
        assert rests is not None
        assert "runs watch" in rests.advice[0]


def test_a_second_command_uses_what_the_first_has_begun_and_the_last_one_ends_it(folder: Folder) -> None:
    with contextlib.ExitStack() as first, contextlib.ExitStack() as second:
        first.enter_context(used())
        began = keeper(folder)
        second.enter_context(used())
        first.close()
        assert keeper(folder) == began
        assert living(folder) == ["temporal"]
        second.close()
        assert not processes.is_alive(began)


def test_who_changes_something_waits_for_who_only_reads_and_says_for_whom(
    folder: Folder, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("starter.standalone.joining._READERS_END_WITHIN", 0.1)
    monkeypatch.setattr("sys.argv", ["docustack", "runs", "list"])
    with used(), pytest.raises(CommandFailed, match=r"docustack runs list` \(since .*, process \d+\) has the database"):
        Standalone(is_asked=True).surround(engine=True)


def test_what_rests_is_looked_at_before_a_worker_starts_and_a_no_ends_all_of_it(
    folder: Folder, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    rules = CONFIGURATION.model_dump(mode="json", exclude_unset=True) | {"repository": "docustack/live"}
    (tmp_path / "docustack.yaml").write_text(json.dumps(rules))
    monkeypatch.setenv("DOCUSTACK_GITHUB_TOKEN", "its-own")
    monkeypatch.setenv("DOCUSTACK_BOT_LOGIN", "docustack[bot]")
    looked: list[str] = []

    def look(seen: Remembered) -> None:
        looked.extend(living(folder))
        with used() as reader:
            assert reader.has_no_worker() is not None, "who only reads waits for no answer"
        raise CommandFailed("somebody has said no")

    folder.make()
    with pytest.raises(CommandFailed, match="said no"):
        join(folder, look)
    assert looked == ["temporal"]
    assert (living(folder), processes.is_alive(keeper(folder))) == ([], False)


async def test_what_has_not_ended_is_found_without_a_worker_with_who_ordered_it(folder: Folder) -> None:
    with used():
        client = await connect()
        order = BootstrapOrder(
            login="lead", repository=Repository(owner="o", name="live"), environment="dev", account_id="1" * 12,
            given_at=now(), nonce="n" * 32,
        )  # fmt: skip
        signed = sign_order(order, "k" * 32)
        for workflow in ("BootstrapWorkflow", "LocksWorkflow"):
            await client.start_workflow(workflow, signed, id=f"{workflow}:1", task_queue="docustack")
        await client.start_workflow("BootstrapWorkflow", signed, id="ended", task_queue="docustack")
        await client.get_workflow_handle("ended").terminate()
        address = os.environ["DOCUSTACK_TEMPORAL_ADDRESS"]
        async with asyncio.timeout(60):
            while not (found := await find_resting(address)):  # the index follows by some milliseconds
                await asyncio.sleep(0.05)
        assert [one.what for one in found] == ["bootstrap dev by lead"]


def test_after_a_killed_command_nothing_goes_on_running(folder: Folder) -> None:
    hold = "standalone.ask(); standalone.surround(); print('there', flush=True); input()"
    program = f"from starter.standalone.surrounding import standalone; {hold}"
    pipe = subprocess.PIPE
    with subprocess.Popen([sys.executable, "-c", program], stdin=pipe, stdout=pipe) as command:
        assert command.stdout is not None
        assert command.stdout.readline() == b"there\n"
        assert living(folder) == ["temporal"]
        command.kill()
    wait_for(lambda: not living(folder) and not processes.is_alive(keeper(folder)), "its end", 60)


def test_after_a_killed_keeper_the_next_command_takes_the_database_over(folder: Folder) -> None:
    with used():
        processes.kill(keeper(folder))
        left = known(folder).parts["temporal"]
        assert processes.is_alive(left)
        with used():
            assert not processes.is_alive(left)
            assert living(folder) == ["temporal"]


def test_a_temporal_that_crashes_is_started_again(folder: Folder, monkeypatch: pytest.MonkeyPatch) -> None:
    with used():
        crashed = known(folder).parts["temporal"]
        processes.kill(crashed)
        wait_for(lambda: known(folder).parts["temporal"] != crashed, "another Temporal", 60)


def test_a_port_that_somebody_else_has_is_exchanged(folder: Folder) -> None:
    with used():
        pass
    taken = known(folder).ports
    with socket.create_server((HOST, taken["temporal"])), used():
        assert known(folder).ports["temporal"] != taken["temporal"]
        assert known(folder).ports["temporal-ui"] == taken["temporal-ui"]


def test_a_damaged_database_ends_the_command_with_what_to_do(
    folder: Folder, capsys: pytest.CaptureFixture[str]
) -> None:
    folder.temporal.mkdir(parents=True)
    folder.database.write_bytes(b"no database" * 1000)
    assert cli.run(["--standalone", "runs", "list"]) == ExitCode.FAILED
    told = capsys.readouterr().err
    assert "is damaged: file is not a database" in told
    assert "bring it back from a backup" in told


def test_a_temporal_of_somebody_else_on_the_database_is_named(
    folder: Folder, capsys: pytest.CaptureFixture[str]
) -> None:
    with used():
        pass
    with folder.database.open("rb"):
        assert cli.run(["--standalone", "runs", "list"]) == ExitCode.FAILED
    assert f"is in use by process {os.getpid()}" in capsys.readouterr().err
    assert cli.run(["--standalone", "runs", "list"]) == ExitCode.OK
