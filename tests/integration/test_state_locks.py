"""Terraform's own locks, in S3 and DynamoDB: only one that a dead process of ours has left is freed."""

import asyncio
import json
import os
import signal
import time
from collections.abc import AsyncIterator, Callable, Iterator
from pathlib import Path
from typing import Any

import boto3
import pytest

from activities.apply_folder import ApplyFolder
from activities.terragrunt_messages import FreeStateLock, StateLockAnswer
from docustack.errors import ErrorType
from tests.integration.aws_server import moto_server, state_in_s3
from tests.integration.units import Worker, apply, failure, new_worker, plan

BUCKET, TABLE = "docustack-terraform-state-111111111111", "docustack-terraform-locks"
KINDS = {"table": f'dynamodb_table = "{TABLE}"', "file": "use_lockfile = true"}

MODULE = """
resource "terraform_data" "slow" {
  provisioner "local-exec" { command = "touch BASE/begun; until [ -e BASE/go ]; do sleep 0.1; done" }
}
output "value" { value = "v" }
"""


@pytest.fixture(scope="module")
def aws() -> Iterator[dict[str, str]]:
    with moto_server() as url:
        environ = {"AWS_ENDPOINT_URL": url, "AWS_REGION": "us-east-1"}
        client("s3", environ).create_bucket(Bucket=BUCKET)
        client("dynamodb", environ).create_table(
            TableName=TABLE,
            KeySchema=[{"AttributeName": "LockID", "KeyType": "HASH"}],
            AttributeDefinitions=[{"AttributeName": "LockID", "AttributeType": "S"}],
            BillingMode="PAY_PER_REQUEST",
        )
        yield environ


def client(service: Any, environ: dict[str, str]) -> Any:  # boto3's clients have no type
    return boto3.client(service, endpoint_url=environ["AWS_ENDPOINT_URL"], region_name="us-east-1")


class Unit:
    """A unit whose state is in S3, and whose apply waits."""

    def __init__(self, worker: Worker, kind: str) -> None:
        self.worker = worker
        self.base = worker.data.parent
        self.name = f"dev/{self.base.name}"
        remote_state = state_in_s3(BUCKET, self.name, KINDS[kind])
        module = MODULE.replace("BASE", str(self.base))
        worker.repository.unit(self.name, remote_state, module=module, backend=False)

    async def begin(self) -> "asyncio.Task[str]":
        """An apply at work. Terraform may ask twice for a lock whose answer was slow and then find its own: as the
        workflow does, it is freed, and the unit is planned and begun again."""
        while True:
            record = await plan(self.worker, self.name)
            task = asyncio.create_task(apply(self.worker, record))
            await until(lambda: (self.base / "begun").exists() or task.done())  # noqa: B023  # awaited in this turn
            if not task.done():
                return task
            assert (await failure(task)).type == ErrorType.STATE_LOCKED
            await self.free()

    def folder(self) -> ApplyFolder:
        (path,) = (self.worker.data / "applies").iterdir()
        return ApplyFolder(path)

    def kill(self) -> None:
        """Runner, Terragrunt and Terraform, with no time to free anything."""
        claim = self.folder().claim()
        assert claim is not None
        os.kill(claim["pid"], signal.SIGSTOP)
        group = json.loads((self.folder().path / "child.json").read_text())["pid"]
        os.killpg(group, signal.SIGKILL)
        os.kill(claim["pid"], signal.SIGKILL)

    async def free(self) -> StateLockAnswer:
        request = FreeStateLock(**dict(self.worker.unit_request(self.name)))
        return await self.worker.run(self.worker.terragrunt.free_state_lock, request)


async def until(condition: Callable[[], object], seconds: float = 120) -> None:
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end, "it did not happen in time"
        await asyncio.sleep(0.05)


@pytest.fixture(params=sorted(KINDS))
async def unit(request: pytest.FixtureRequest, tmp_path: Path, aws: dict[str, str]) -> AsyncIterator[Unit]:
    unit = Unit(await new_worker(tmp_path, {**os.environ, **aws}), request.param)
    yield unit
    (unit.base / "go").touch()


async def test_a_lock_that_a_dead_apply_has_left_is_freed(unit: Unit) -> None:
    task = await unit.begin()
    unit.kill()
    assert (await failure(task)).type == ErrorType.INTERRUPTED
    answer = await unit.free()
    assert (answer.locked, answer.freed) == (False, True)
    assert answer.lock_id is not None
    assert answer.lock_id in answer.message
    assert not (await unit.free()).freed  # there is none any more
    (unit.base / "go").touch()
    assert "1 added" in await apply(unit.worker, await plan(unit.worker, unit.name))


async def test_the_lock_of_a_living_apply_stays(unit: Unit) -> None:
    task = await unit.begin()
    answer = await unit.free()
    assert (answer.locked, answer.freed) == (True, False)
    assert "still works" in answer.message
    (unit.base / "go").touch()
    await task
    assert not (await unit.free()).locked


async def test_an_apply_that_works_without_its_lock_is_known_to_live(unit: Unit, aws: dict[str, str]) -> None:
    """A free state alone proves nothing: somebody may have forced the lock while Terraform works."""
    task = await unit.begin()
    key = f"{unit.name}/terraform.tfstate"
    client("s3", aws).delete_object(Bucket=BUCKET, Key=f"{key}.tflock")
    client("dynamodb", aws).delete_item(TableName=TABLE, Key={"LockID": {"S": f"{BUCKET}/{key}"}})
    answer = await unit.free()
    assert (answer.locked, answer.freed, answer.living) == (False, False, True)
    (unit.base / "go").touch()
    await asyncio.gather(task, return_exceptions=True)  # Terraform may complain that its lock is gone
    assert not (await unit.free()).living


async def test_the_lock_of_somebody_else_stays_and_is_named(unit: Unit) -> None:
    """The same machine and user, but no apply of ours: a person at a terminal."""
    task = await unit.begin()
    unit.kill()
    await failure(task)
    for path in (unit.base / "artifacts/applies").rglob("*.json"):
        path.unlink()
    answer = await unit.free()
    assert (answer.locked, answer.freed) == (True, False)
    assert answer.who is not None
    assert answer.who in answer.message
    assert f"terragrunt force-unlock {answer.lock_id}" in answer.message


async def test_an_apply_that_meets_a_lock_says_who_holds_it(unit: Unit) -> None:
    first = await plan(unit.worker, unit.name)
    task = await unit.begin()
    error = await failure(apply(unit.worker, first))
    assert error.type == ErrorType.STATE_LOCKED
    lock = error.details[0].state_lock
    assert lock.who in error.message
    assert lock.created in error.message
    assert "terrateam unlock" in error.message
    (unit.base / "go").touch()
    await task


async def test_outputs_in_s3_are_read(unit: Unit) -> None:
    task = await unit.begin()
    (unit.base / "go").touch()
    await task
    unit.worker.repository.unit(
        "dev/user",
        f'dependency "d" {{ config_path = "../{unit.base.name}" }}\ninputs = {{ value = dependency.d.outputs.value }}',
    )
    record = await plan(unit.worker, "dev/user")
    assert [each.kind.value for each in record.dependencies] == ["real"]
    assert '+ input  = "v"' in record.text_preview  # known not to be sensitive, so it is shown
