"""The worlds of the end-to-end tests: real processes on free ports, each in a folder of its own."""

import os
from collections.abc import Callable, Generator, Iterator
from pathlib import Path

import pytest

from local import processes
from local.doors import Doors
from local.world import World

StartWorld = Callable[..., Doors]
LAST_LINES = 30


@pytest.fixture(scope="session")
def start_world(tmp_path_factory: pytest.TempPathFactory) -> Iterator[StartWorld]:
    """Starts a world: `start_world(name, source=LIVE_REPOSITORY, settings={"DOCUSTACK_…": …})`; ended with the session.

    Without `source` it holds the example live repository.
    """
    started: list[World] = []

    def start(name: str, source: Path | None = None, settings: dict[str, str] | None = None) -> Doors:
        world = World(tmp_path_factory.mktemp(name))
        started.append(world)
        world.up(source=source, settings=settings)
        return Doors(world)

    try:
        yield start
    finally:
        for world in started:
            world.down()


@pytest.fixture(scope="session")
def world(start_world: StartWorld) -> Doors:
    """The world of the example live repository that tests share: each has pull requests and units of its own."""
    return start_world("world")


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item: pytest.Item) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """The report of a failed test shows how the logs of its world end."""
    report = yield
    if report.failed and isinstance(item, pytest.Function):
        worlds = [value.world for value in item.funcargs.values() if isinstance(value, Doors)]
        for _name, log in ((name, each.places.log(name)) for each in worlds for name in each.part_names()):
            if text := processes.tail(log, LAST_LINES):
                report.sections.append((f"end of {os.path.relpath(log)}", text))
    return report
