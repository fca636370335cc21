"""A worker whose disk is full says so, begins nothing, loses nothing, and goes on once there is room."""

import asyncio
import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from activities.git import Git
from activities.git_messages import CheckOut
from docustack.errors import ErrorType
from docustack.repository import Repository
from tests.integration.origin import Origin
from tests.integration.small_disk import SmallDisk, small_disk
from tests.integration.test_applying import Slow, until
from tests.integration.units import Worker, apply, failure, new_worker, plan


@pytest.fixture
def disk(tmp_path: Path) -> Iterator[SmallDisk]:
    with small_disk(tmp_path / "disk") as disk:
        yield disk


@pytest.fixture
async def worker(tmp_path: Path, disk: SmallDisk) -> Worker:
    worker = await new_worker(tmp_path, dict(os.environ))
    worker.data = disk.folder
    return worker


async def test_a_plan_on_a_full_disk_is_told_and_works_once_there_is_room(worker: Worker, disk: SmallDisk) -> None:
    worker.repository.unit("dev/a", 'inputs = { value = "one" }\n')
    await plan(worker, "dev/a")
    disk.fill()
    error = await failure(plan(worker, "dev/a"))
    assert error.type == ErrorType.DISK_FULL
    assert error.non_retryable
    assert "disk" in error.message
    assert "full" in error.message
    disk.make_room()
    await plan(worker, "dev/a")


async def test_an_apply_on_a_full_disk_is_not_begun(worker: Worker, disk: SmallDisk) -> None:
    worker.repository.unit("dev/a", 'inputs = { value = "one" }\n')
    record = await plan(worker, "dev/a")
    (worker.data / "applies.lock").touch()
    disk.fill()
    error = await failure(apply(worker, record))
    assert error.type == ErrorType.DISK_FULL
    assert not worker.repository.state_of("dev/a").exists()
    disk.make_room()
    assert "1 added" in await apply(worker, await plan(worker, "dev/a"))


async def test_an_apply_under_which_the_disk_fills_up_is_told_as_it_ended_once_there_is_room(
    worker: Worker, disk: SmallDisk
) -> None:
    slow = Slow(worker)
    record = await plan(worker, "dev/slow")
    task = slow.start(record, worker.activity("a1"))
    await until(slow.begun)
    disk.fill()
    slow.go()
    await until(lambda: slow.resources() == ["first", "second", "third"])
    await asyncio.sleep(2)
    assert slow.folder().exit() is None, "there is no room to say how it ended"
    disk.make_room()
    if (await asyncio.wait({task}, timeout=60))[1]:
        pytest.fail("it doesn't go on")
    if task.exception() is not None:  # it met the full disk itself: the next attempt reads how it ended
        assert (await failure(task)).type == ErrorType.UNAVAILABLE
        task = slow.start(record, worker.activity("a1", attempt=2))
    answer = await task
    assert answer.summary.add == 3
    assert slow.begun() == 1


async def test_a_check_out_on_a_full_disk_is_told(tmp_path: Path, disk: SmallDisk) -> None:
    origin = Origin(tmp_path / "origin", {"a.txt": "a" * 100_000})
    trees = Git(data_dir=disk.folder, host="host-1", clone_url=lambda _: origin.url)
    question = CheckOut(
        repository=Repository(owner="docustack", name="live"),
        run_id="r1",
        base_ref="main",
        head_commit=origin.git("rev-parse", "main"),
    )
    disk.fill()
    error = await failure(Worker.activity(await new_worker(tmp_path, {})).run(trees.check_out, question))
    assert error.type == ErrorType.DISK_FULL
    disk.make_room()
    done = await trees.check_out(question)
    assert (await trees.ensure(done.tree) / "a.txt").exists()


async def test_the_next_check_out_of_a_repository_on_a_full_disk_is_told_too(tmp_path: Path, disk: SmallDisk) -> None:
    """There git fails to write a ref, and doesn't say why."""
    origin = Origin(tmp_path / "origin", {"a.txt": "a"})
    trees = Git(data_dir=disk.folder, host="host-1", clone_url=lambda _: origin.url)
    question = CheckOut(
        repository=Repository(owner="docustack", name="live"),
        run_id="r1",
        base_ref="main",
        head_commit=origin.git("rev-parse", "main"),
    )
    await trees.check_out(question)
    disk.fill()
    again = question.model_copy(update={"run_id": "r2"})
    error = await failure(Worker.activity(await new_worker(tmp_path, {})).run(trees.check_out, again))
    assert error.type == ErrorType.DISK_FULL
    assert error.non_retryable
    disk.make_room()
    await trees.check_out(again)
