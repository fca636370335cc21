"""What an apply survives: the death of its worker, its cancellation, a lost lease, a lost host."""

import asyncio
import json
import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import AsyncIterator, Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from temporalio.activity import ActivityCancellationDetails
from temporalio.testing import ActivityEnvironment

from activities import runner
from activities.apply_folder import ApplyFolder
from activities.apply_records import ApplyRecord, ApplyRecords
from activities.terragrunt_messages import ApplyAnswer, AttendApply
from docustack.errors import ErrorType
from docustack.plans import PlanRecord, live_log
from tests.integration import attending
from tests.integration.units import Worker, failure, new_worker, plan

ROOT = Path(__file__).resolve().parents[2]

MODULE = """
resource "terraform_data" "first" {}

resource "terraform_data" "second" {
  depends_on = [terraform_data.first]
  provisioner "local-exec" {
    command = "echo begun >> BASE/begun; until [ -e BASE/go ]; do sleep 0.1; done"
  }
}

resource "terraform_data" "third" {
  depends_on = [terraform_data.second]
}

output "done" { value = terraform_data.third.id != "" }
"""


class Slow:
    """An apply that begins, and goes on when it is told."""

    def __init__(self, worker: Worker) -> None:
        self.worker = worker
        self.base = worker.data.parent
        worker.repository.unit("dev/slow", module=MODULE.replace("BASE", str(self.base)))

    def go(self) -> None:
        (self.base / "go").touch()

    def begun(self) -> int:
        path = self.base / "begun"
        return len(path.read_text().splitlines()) if path.exists() else 0

    def resources(self) -> list[str]:
        state = self.worker.repository.state_of("dev/slow")
        text = state.read_text() if state.exists() else ""  # empty while Terraform writes it anew
        return [each["name"] for each in json.loads(text)["resources"]] if text else []

    def folder(self) -> ApplyFolder:
        (path,) = (self.worker.data / "applies").iterdir()
        return ApplyFolder(path)

    def start(self, record: PlanRecord, activity: ActivityEnvironment) -> "asyncio.Task[ApplyAnswer]":
        request = self.worker.apply_request(record)

        async def run() -> ApplyAnswer:
            return await activity.run(self.worker.terragrunt.apply_unit, request)

        return asyncio.create_task(run())

    def attend(
        self, record: PlanRecord, *, end: bool = False, activity: ActivityEnvironment | None = None
    ) -> "asyncio.Task[ApplyAnswer]":
        """By an activity of its own, after Temporal has lost sight of the one that began it."""
        again = AttendApply(**dict(self.worker.apply_request(record)), end=end)
        return asyncio.ensure_future(
            (activity or self.worker.activity()).run(self.worker.terragrunt.attend_apply, again)
        )

    async def lose_sight(self, record: PlanRecord) -> None:
        """Terraform works, and nobody attends it."""
        task = self.start(record, self.worker.activity("a1"))
        await until(self.begun)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task


async def until(condition: Callable[[], object], seconds: float = 120) -> None:
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end, "it did not happen in time"
        await asyncio.sleep(0.05)


@pytest.fixture
async def slow(tmp_path: Path) -> AsyncIterator[Slow]:
    slow = Slow(await new_worker(tmp_path, dict(os.environ)))
    yield slow
    slow.go()
    for path in (tmp_path / "data/applies").glob("*"):
        folder = ApplyFolder(path)
        await until(lambda: not folder.is_alive())  # noqa: B023 - called before the next one


async def test_an_apply_outlives_a_killed_worker_and_is_attended_by_the_next(slow: Slow) -> None:
    record = await plan(slow.worker, "dev/slow")
    argv = [sys.executable, str(attending.__file__), str(slow.base), record.model_dump_json(), "a1"]
    killed = subprocess.Popen(argv, env={**os.environ, "PYTHONPATH": str(ROOT)})  # noqa: ASYNC220 - to be killed
    await until(slow.begun)
    os.kill(killed.pid, signal.SIGKILL)
    killed.wait()
    assert slow.folder().is_alive()

    task = slow.start(record, slow.worker.activity("a1", attempt=2))
    await asyncio.sleep(0.5)
    slow.go()
    answer = await task
    assert answer.reattached
    assert answer.summary.add == 3
    assert answer.text.startswith("Apply complete! Resources: 3 added")
    assert slow.begun() == 1


async def test_an_apply_that_ended_while_nobody_looked_is_only_read(slow: Slow) -> None:
    record = await plan(slow.worker, "dev/slow")
    first = slow.start(record, slow.worker.activity("a1"))
    await until(slow.begun)
    first.cancel()  # without any details: the attempt is just gone
    with pytest.raises(asyncio.CancelledError):
        await first
    slow.go()
    await until(lambda: slow.folder().exit() is not None)
    answer = await slow.start(record, slow.worker.activity("a1", attempt=2))
    assert answer.reattached
    assert answer.summary.add == 3
    assert slow.begun() == 1


async def test_an_answer_that_was_lost_is_given_again(slow: Slow) -> None:
    slow.go()
    record = await plan(slow.worker, "dev/slow")
    first = await slow.start(record, slow.worker.activity("a1"))
    again = await slow.start(record, slow.worker.activity("a1", attempt=2))
    assert again == first.model_copy(update={"reattached": True})
    assert slow.begun() == 1
    assert not slow.folder().plan.exists()


async def test_two_attempts_at_once_apply_once(slow: Slow) -> None:
    record = await plan(slow.worker, "dev/slow")
    tasks = [slow.start(record, slow.worker.activity("a1", attempt=attempt)) for attempt in (1, 2)]
    await until(slow.begun)
    slow.go()
    answers = await asyncio.gather(*tasks)
    assert [answer.summary.add for answer in answers] == [3, 3]
    assert slow.begun() == 1


async def test_cancel_interrupts_gracefully_and_state_is_written(slow: Slow) -> None:
    record = await plan(slow.worker, "dev/slow")
    activity = slow.worker.activity("a1")
    task = slow.start(record, activity)
    await until(slow.begun)
    activity.cancel(ActivityCancellationDetails(cancel_requested=True))
    error = await failure(task)
    assert error.type == ErrorType.CANCELLED
    assert "wrote its state" in error.message
    assert slow.resources() == ["first", "second"]
    assert "execution halted" in await slow.worker.artifacts.get_text(error.details[0].log)
    assert not slow.folder().is_alive()


async def test_cancel_before_the_runner_has_begun_runs_nothing(slow: Slow, monkeypatch: pytest.MonkeyPatch) -> None:
    record = await plan(slow.worker, "dev/slow")
    hesitant, cancelled = slow.base / "hesitant-python", slow.base / "cancelled"
    hesitant.write_text(f'#!/bin/sh\nuntil [ -e "{cancelled}" ]; do sleep 0.05; done\nexec "{sys.executable}" "$@"\n')
    hesitant.chmod(0o700)
    monkeypatch.setattr(sys, "executable", str(hesitant))
    activity = slow.worker.activity("a1")
    task = slow.start(record, activity)
    await until(lambda: (slow.worker.data / "applies").exists() and slow.folder().was_started())
    activity.cancel(ActivityCancellationDetails(cancel_requested=True))
    await until((slow.folder().path / "cancel").exists)
    cancelled.touch()
    assert (await failure(task)).type == ErrorType.CANCELLED
    assert slow.begun() == 0
    assert not slow.folder().is_alive()


async def test_a_worker_that_stops_interrupts_gracefully_what_has_not_ended_in_its_time(slow: Slow) -> None:
    record = await plan(slow.worker, "dev/slow")
    activity = slow.worker.activity("a1")
    task = slow.start(record, activity)
    await until(slow.begun)
    activity.cancel(ActivityCancellationDetails(worker_shutdown=True))
    error = await failure(task)
    assert error.type == ErrorType.INTERRUPTED
    assert "its worker was told to stop" in error.message
    assert "wrote its state" in error.message
    assert slow.resources() == ["first", "second"]
    assert not slow.folder().is_alive()


async def test_an_attempt_that_temporal_has_lost_sight_of_leaves_the_apply_running(slow: Slow) -> None:
    record = await plan(slow.worker, "dev/slow")
    activity = slow.worker.activity("a1")
    task = slow.start(record, activity)
    await until(slow.begun)
    activity.cancel(ActivityCancellationDetails(timed_out=True))
    with pytest.raises(asyncio.CancelledError):
        await task
    assert slow.folder().is_alive()
    slow.go()
    assert (await slow.start(record, slow.worker.activity("a1", attempt=2))).summary.add == 3


async def test_a_killed_runner_is_told_as_interrupted(slow: Slow) -> None:
    record = await plan(slow.worker, "dev/slow")
    task = slow.start(record, slow.worker.activity("a1"))
    await until(slow.begun)
    claim = slow.folder().claim()
    assert claim is not None
    os.kill(claim["pid"], signal.SIGKILL)
    error = await failure(task)
    assert error.type == ErrorType.INTERRUPTED
    assert error.non_retryable
    assert not slow.folder().is_alive()


async def test_a_machine_that_was_restarted_is_told_as_interrupted(slow: Slow) -> None:
    record = await plan(slow.worker, "dev/slow")
    task = slow.start(record, slow.worker.activity("a1"))
    await until(slow.begun)
    task.cancel()
    slow.go()
    await until(lambda: slow.folder().exit() is not None)
    (slow.folder().path / "exit.json").unlink()
    before = {**runner.this_process(), "boot": "the one before"}
    for name in ("runner.json", "child.json"):
        (slow.folder().path / name).write_text(json.dumps(before))
    error = await failure(slow.start(record, slow.worker.activity("a1", attempt=2)))
    assert error.type == ErrorType.INTERRUPTED


async def test_a_host_cut_off_from_temporal_interrupts_itself(slow: Slow) -> None:
    async def unreachable() -> None:
        raise ConnectionError("no route to Temporal")

    slow.worker.renew = unreachable
    slow.worker.lease = timedelta(seconds=2)
    record = await plan(slow.worker, "dev/slow")
    error = await failure(slow.start(record, slow.worker.activity("a1")))
    assert error.type == ErrorType.INTERRUPTED
    assert slow.resources() == ["first", "second"]


async def test_an_attended_apply_outlasts_its_lease(slow: Slow) -> None:
    slow.worker.lease = timedelta(seconds=6)
    record = await plan(slow.worker, "dev/slow")
    task = slow.start(record, slow.worker.activity("a1"))
    await until(slow.begun)
    await asyncio.sleep(9)
    slow.go()
    assert (await task).summary.add == 3


async def test_an_apply_out_of_time_is_interrupted_gracefully(slow: Slow) -> None:
    record = await plan(slow.worker, "dev/slow")
    request = slow.worker.apply_request(record).model_copy(update={"timeout_minutes": 0})
    error = await failure(slow.worker.activity("a1").run(slow.worker.terragrunt.apply_unit, request))
    assert error.type == ErrorType.TIMEOUT


async def test_a_retry_on_another_host_waits_and_never_applies_the_plan_again(slow: Slow, tmp_path: Path) -> None:
    record = await plan(slow.worker, "dev/slow")
    first = slow.start(record, slow.worker.activity("a1"))
    await until(slow.begun)
    slow.worker.host, slow.worker.data = "another-host", tmp_path / "other-data"
    slow.worker.data.mkdir()
    slow.worker.lease = slow.worker.grace = timedelta(seconds=1)
    second = slow.worker.activity("a1", attempt=2)
    beats: list[object] = []
    second.on_heartbeat = lambda *details: beats.extend(details)
    task = slow.start(record, second)
    await asyncio.sleep(2)
    assert not task.done()  # it waits until the first must have fenced itself
    assert len(beats) > 1
    slow.go()
    assert (await first).summary.add == 3

    # The first has ended meanwhile: its plan is spent for everybody else.
    error = await failure(task)
    assert error.type == ErrorType.STALE_PLAN
    assert slow.begun() == 1


async def test_an_attempt_that_died_before_it_began_is_begun_again(slow: Slow) -> None:
    """The folder is made and the record written, and then the worker dies."""
    slow.go()
    record = await plan(slow.worker, "dev/slow")
    lost = record.model_copy(update={"binary": "runs/r1/gone/plan.bin"})
    assert (await failure(slow.start(lost, slow.worker.activity("a1")))).type == ErrorType.NOT_FOUND
    assert slow.folder().claim() is None
    assert (await slow.start(record, slow.worker.activity("a1", attempt=2))).summary.add == 3


# ---- looked at by another activity -----------------------------------------------------------------------------------


async def test_an_apply_that_was_lost_sight_of_is_attended_to_its_end(slow: Slow) -> None:
    record = await plan(slow.worker, "dev/slow")
    await slow.lose_sight(record)
    task = slow.attend(record)
    await asyncio.sleep(0.5)
    assert not task.done()
    slow.go()
    answer = await task
    assert (answer.reattached, answer.summary.add, slow.begun()) == (True, 3, 1)
    assert (await slow.attend(record)).summary.add == 3, "its result stays where it was read"


async def test_one_whose_run_was_cancelled_is_interrupted_by_who_looks_at_it_next(slow: Slow) -> None:
    record = await plan(slow.worker, "dev/slow")
    await slow.lose_sight(record)
    error = await failure(slow.attend(record, end=True))
    assert error.type == ErrorType.CANCELLED
    assert "wrote its state" in error.message
    assert slow.resources() == ["first", "second"]
    assert not slow.folder().is_alive()


@pytest.mark.parametrize("end, told", [(False, ErrorType.STALE_PLAN), (True, ErrorType.CANCELLED)])
async def test_who_only_looks_begins_nothing(slow: Slow, end: bool, told: ErrorType) -> None:
    record = await plan(slow.worker, "dev/slow")
    error = await failure(slow.attend(record, end=end))
    assert (error.type, slow.begun()) == (told, 0)
    assert error.non_retryable


async def test_a_runner_that_is_only_late_never_runs_once_it_was_looked_for(slow: Slow) -> None:
    record = await plan(slow.worker, "dev/slow")
    lost = record.model_copy(update={"binary": "runs/r1/gone/plan.bin"})
    await failure(slow.start(lost, slow.worker.activity("a1")))  # folder and record are made, and then it dies
    assert (await failure(slow.attend(lost))).type == ErrorType.STALE_PLAN
    assert not runner.write_whole(slow.folder().path / "runner.json", {}, exclusively=True)


async def test_what_works_on_another_host_is_waited_for_and_never_by_who_ends_it(slow: Slow, tmp_path: Path) -> None:
    record = await plan(slow.worker, "dev/slow")
    await slow.lose_sight(record)
    first = slow.worker.data, slow.worker.host
    slow.worker.host, slow.worker.data = "another-host", tmp_path / "other-data"
    slow.worker.data.mkdir()
    assert (await failure(slow.attend(record, end=True))).type == ErrorType.INTERRUPTED
    task = slow.attend(record)
    await asyncio.sleep(1)
    assert not task.done()
    task.cancel()
    slow.worker.data, slow.worker.host = first


async def test_heartbeats_tell_where_the_apply_runs(slow: Slow) -> None:
    slow.go()
    record = await plan(slow.worker, "dev/slow")
    activity = slow.worker.activity("a1")
    beats: list[dict[str, object]] = []
    activity.on_heartbeat = lambda details: beats.append(details.model_dump())
    await slow.start(record, activity)
    assert beats[0]["phase"] == "preparing"
    assert {beat["host"] for beat in beats} == {"this-host"}
    assert {beat["folder"] for beat in beats} == {slow.folder().path.name}


async def test_an_apply_begun_on_a_host_that_is_gone_is_told_as_interrupted(slow: Slow) -> None:
    record = await plan(slow.worker, "dev/slow")
    long_ago = datetime.now(UTC) - timedelta(days=1)
    begun = ApplyRecord(
        unit="dev/slow",
        plan=record.binary,
        folder="elsewhere",
        run_id="r0",
        host="gone-host",
        who="root@gone-host",
        started_at=long_ago,
        renewed_at=long_ago,
    )
    await ApplyRecords(slow.worker.artifacts).begin(begun)
    error = await failure(slow.start(record, slow.worker.activity("a1")))
    assert error.type == ErrorType.INTERRUPTED
    assert error.non_retryable
    assert "gone-host" in error.message
    assert slow.begun() == 0


async def test_a_host_that_lost_its_data_does_not_begin_again(slow: Slow) -> None:
    record = await plan(slow.worker, "dev/slow")
    first = slow.start(record, slow.worker.activity("a1"))
    await until(slow.begun)
    slow.go()
    await first
    records = ApplyRecords(slow.worker.artifacts)
    known = await records.of_plan(record)
    assert known is not None
    long_ago = datetime.now(UTC) - timedelta(days=1)
    await records.update(known.model_copy(update={"ended_at": None, "renewed_at": long_ago}))
    shutil.rmtree(slow.worker.data / "applies")
    error = await failure(slow.start(record, slow.worker.activity("a1", attempt=2)))
    assert error.type == ErrorType.INTERRUPTED
    assert slow.begun() == 1


async def test_how_far_an_apply_is_can_be_read_while_it_runs(slow: Slow) -> None:
    record = await plan(slow.worker, "dev/slow")
    task = slow.start(record, slow.worker.activity("a1"))
    key = slow.base / "artifacts" / live_log(record.run_id, record.unit)
    await until(lambda: key.exists() and "second: Provisioning" in key.read_text())
    told = key.read_text()
    assert "terraform_data.first: Creation complete" in told
    assert "id=" not in told
    assert "echo begun" not in told, "what a provisioner says is told redacted, at the end"
    slow.go()
    await task
