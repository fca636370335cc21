"""Fixtures that several of these files share: the GitHub stand-in, a Temporal of a file's own, a terminal."""

from collections.abc import AsyncIterator, Iterator

import pytest
import pytest_asyncio

from tests.dev_server import address, dev_server
from tests.integration.stand_ins import GitHubStandIn
from tests.integration.terminal import Commands


@pytest.fixture(scope="module")
def github(tmp_path_factory: pytest.TempPathFactory) -> Iterator[GitHubStandIn]:
    stand_in = GitHubStandIn(root=tmp_path_factory.mktemp("github"))
    stand_in.prepare()
    stand_in.start()
    yield stand_in
    stand_in.close()


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def temporal() -> AsyncIterator[str]:
    async with dev_server() as environment:
        yield address(environment)


@pytest.fixture
def docustack(capsys: pytest.CaptureFixture[str]) -> Commands:
    return Commands(capsys)
