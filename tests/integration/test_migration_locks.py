"""A lock that a killed migration has left is freed, on AWS' own word and the record of that migration, and no other."""

import contextlib
import json
from collections.abc import AsyncIterator, Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import cast

import httpx
import pytest

from activities.apply_records import whoami
from activities.artifacts import open_store
from activities.bootstrap_messages import BootstrapUnit
from activities.bootstrap_unit import BootstrapUnits
from activities.migration_locks import MigrationLocks
from activities.terragrunt_command import TerragruntCommand
from activities.unit_work import Unit
from docustack.configuration import Environment
from docustack.repository import Repository, WorkTree
from docustack.state_backend import BackendPlace
from local import aws
from tests.integration.aws_server import moto_server
from tests.integration.units import KEY

PLACE = BackendPlace(bucket="states", key="bootstrap/terraform.tfstate", lock_table="locks", region="us-east-1")
COMMAND = TerragruntCommand("terragrunt", "terraform", (1, 1, 3))
TREE = WorkTree(
    repository=Repository(owner="docustack", name="live"),
    run_id="bootstrap-1",
    base_ref="main",
    base_commit="a" * 40,
    head_commit="a" * 40,
    merge_base="a" * 40,
    tree_commit="a" * 40,
)
REQUEST = BootstrapUnit(
    tree=TREE,
    unit="bootstrap",
    environment_name="dev",
    environment=Environment(path="dev", account_id="111111111111", apply=["infra"]),
    actor="lead",
    remote_state=True,
    place=PLACE,
)


class RecordedUnits:
    """A unit of which only what is done to it is known."""

    def __init__(self, endpoint: str) -> None:
        self._environ = {**aws.CREDENTIALS, "AWS_ENDPOINT_URL": endpoint}
        self.done: list[str] = []

    async def check_out(self, request: BootstrapUnit) -> Unit:
        return Unit(request, Path(), Path(), self._environ)

    async def clear(self, unit: Unit) -> None:
        self.done.append("clear")

    async def write_file(self, unit: Unit, request: BootstrapUnit, *, remote_state: bool) -> None:
        self.done.append(f"remote_state {remote_state}")

    async def run(self, unit: Unit, argv: list[str], lock: int) -> None:
        self.done.append(" ".join(argv))


@pytest.fixture
def endpoint() -> Iterator[str]:
    with moto_server() as url:
        httpx.post(f"{url}/moto-api/reset")
        aws.prepare_state_backend(url, ["states"], "locks")
        yield url


@pytest.fixture
def units(endpoint: str) -> RecordedUnits:
    return RecordedUnits(endpoint)


def locks_of(units: RecordedUnits, folder: Path, host: str = "here") -> MigrationLocks:
    return MigrationLocks(cast("BootstrapUnits", units), COMMAND, open_store(str(folder), KEY), host)


@contextlib.asynccontextmanager
async def killed_migration(units: RecordedUnits, folder: Path, host: str = "here") -> AsyncIterator[None]:
    """One that has begun, and whose end nobody sees before the test is over."""
    migration = locks_of(units, folder, host).recorded(REQUEST)
    await migration.__aenter__()
    yield
    await migration.__aexit__(None, None, None)


def lock_now(endpoint: str, operation: str = "migration destination state") -> None:
    info = {"ID": "1f2e", "Operation": operation, "Who": whoami(), "Created": datetime.now(UTC).isoformat()}
    item = {"LockID": {"S": PLACE.lock_id}, "Info": {"S": json.dumps(info)}}
    aws.client("dynamodb", endpoint).put_item(TableName="locks", Item=item)


async def test_where_nothing_is_locked_nothing_is_done(units: RecordedUnits, tmp_path: Path) -> None:
    assert (await locks_of(units, tmp_path).free(REQUEST, 0), units.done) == ("", [])


async def test_the_lock_of_a_migration_that_was_killed_is_freed_where_no_state_is_in_the_way(
    units: RecordedUnits, endpoint: str, tmp_path: Path
) -> None:
    async with killed_migration(units, tmp_path):
        lock_now(endpoint)
        assert await locks_of(units, tmp_path).free(REQUEST, 0) == ""
    assert units.done == ["clear", "remote_state True", "terragrunt force-unlock -force 1f2e", "clear"]


async def test_the_lock_of_a_migration_that_ended_with_it_is_freed(
    units: RecordedUnits, endpoint: str, tmp_path: Path
) -> None:
    async with locks_of(units, tmp_path).recorded(REQUEST):
        lock_now(endpoint, "state-push")
    assert await locks_of(units, tmp_path).free(REQUEST, 0) == ""
    assert "terragrunt force-unlock -force 1f2e" in units.done


async def test_what_is_locked_after_another_attempt_has_looked_is_nobodys_of_ours(
    units: RecordedUnits, endpoint: str, tmp_path: Path
) -> None:
    """By a person, say, who does the same by hand on this machine."""
    async with killed_migration(units, tmp_path):
        await locks_of(units, tmp_path).free(REQUEST, 0)
        lock_now(endpoint)
        assert "no process of this bootstrap's" in await locks_of(units, tmp_path).free(REQUEST, 0)
    assert units.done == []


async def test_the_lock_of_another_host_is_left_to_it(units: RecordedUnits, endpoint: str, tmp_path: Path) -> None:
    async with killed_migration(units, tmp_path, host="there"):
        lock_now(endpoint)
        assert "a migration of ours on there" in await locks_of(units, tmp_path).free(REQUEST, 0)
    assert units.done == []
