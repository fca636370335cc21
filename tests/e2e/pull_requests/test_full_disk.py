"""A pull request whose worker has no room left: told where and what to do, nothing done, and all goes on afterwards."""

import socket
from collections.abc import Iterator

import pytest

from tests.e2e.pull_requests.change import Change, open_change
from tests.e2e.pull_requests.live_repository import unit
from tests.e2e.pull_requests.slow_unit import told_once
from tests.e2e.pull_requests.small_world import SmallWorld
from tests.integration.small_disk import SmallDisk, small_disk

HOST = "small"
FULL = f"The disk of the worker on {socket.gethostname()} is full"


@pytest.fixture
def disk(breakable_world: SmallWorld) -> Iterator[SmallDisk]:
    """Of the only worker that there is."""
    world = breakable_world
    with small_disk(world.data / HOST) as disk:
        environment = world.worker_environment()
        world.kill("worker")
        worker = world.start_worker(HOST, environment)
        try:
            yield disk
        finally:
            worker.kill()
            world.restart("worker")


def test_a_full_disk_is_told_in_the_pull_request_and_the_same_command_works_once_there_is_room(
    breakable_world: SmallWorld, disk: SmallDisk
) -> None:
    world, path = breakable_world, "dev/disk/full"
    change = open_change(world, "full-disk", unit(path))
    change.planned(path)
    for command, check, good in (("terrateam plan", "plan", "+1"), ("terrateam apply", "apply", "rocket")):
        before = change.said()
        disk.fill()
        assert change.ended(command) == "confused"
        (body,) = change.said()[len(before) :]
        assert FULL in body
        assert "Make room there and comment the command again." in body
        assert change.concluded(check) == "failure"
        assert FULL in shown(change, check)
        assert change.applies() == {}
        assert world.states.text(path) == ""
        assert not world.states.is_locked(path)
        locks = world.docustack("locks", "list", "--json", login="developer")
        assert locks.returncode == 0, locks.stderr
        assert path not in locks.stdout
        disk.make_room()
        assert change.ended(command) == good, change.told()
        change.wait(lambda check=check: change.concluded(check) == "success", "its check")  # type: ignore[misc]
    assert world.states.output(path) == "one-full"
    told_once(change, path)
    assert "Planned again" not in change.applies()[path][0]


def shown(change: Change, name: str) -> str:
    check = change.check(name)
    return (check.output.title if check is not None else "") or ""
