"""The small world that the tests of this folder share; the report of a failed test shows the ends of its logs."""

from collections.abc import Generator, Iterator

import pytest

from tests.e2e.pull_requests.small_world import SmallWorld

SETTINGS = {"DOCUSTACK_APPLY_LEASE": "2m", "DOCUSTACK_CANCEL_GRACE": "20s"}


@pytest.fixture(scope="session")
def world(tmp_path_factory: pytest.TempPathFactory) -> Iterator[SmallWorld]:
    """For every test that breaks nothing: each has pull requests and units of its own."""
    yield from lived_in(SmallWorld(tmp_path_factory.mktemp("small"), SETTINGS))


@pytest.fixture(scope="session")
def breakable_world(tmp_path_factory: pytest.TempPathFactory) -> Iterator[SmallWorld]:
    """For tests that kill its parts."""
    yield from lived_in(SmallWorld(tmp_path_factory.mktemp("breakable"), SETTINGS))


def lived_in(world: SmallWorld) -> Iterator[SmallWorld]:
    try:
        world.up()
        yield world
    finally:
        world.down()


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item: pytest.Item) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    report = yield
    if report.failed and isinstance(item, pytest.Function):
        for value in item.funcargs.values():
            if isinstance(value, SmallWorld):
                report.sections += [(f"end of {name}.log", text) for name, text in value.last_lines().items() if text]
    return report
