"""A state that Terraform can't write to its backend is kept, told of, and written before the unit is applied again."""

import asyncio
import json
import os
import time
from collections.abc import AsyncIterator, Callable, Iterator
from pathlib import Path
from typing import Any

import boto3
import pytest
from typer.testing import CliRunner

from activities.artifacts import ArtifactStore, Blobs, open_blobs
from activities.processes import run_process
from activities.unwritten_states import all_of, bring_home, host_store
from docustack.errors import ErrorType
from docustack.unwritten_states import ERRORED, UnwrittenState
from starter.cli import app
from tests.integration.aws_server import moto_server, state_in_s3
from tests.integration.units import KEY, Worker, apply, failure, new_worker, plan

BUCKET, NAME = "docustack-terraform-state-unwritten", "dev/kept"

MODULE = """
resource "terraform_data" "made" {
  provisioner "local-exec" { command = "echo made >> BASE/begun; until [ -e BASE/go ]; do sleep 0.1; done" }
}
output "value" { value = terraform_data.made.id }
"""


class Away:
    """An artifact store that takes no unwritten states."""

    def __init__(self, blobs: Blobs) -> None:
        self._blobs = blobs

    def write(self, key: str, data: bytes, content_type: str) -> None:
        self._refuse(key)
        self._blobs.write(key, data, content_type)

    def create(self, key: str, data: bytes) -> bool:
        return self._blobs.create(key, data)

    def read(self, key: str) -> bytes:
        return self._blobs.read(key)

    def list(self, prefix: str) -> list[str]:
        return self._blobs.list(prefix)

    def _refuse(self, key: str) -> None:
        if not key.startswith(("runs/", "applies/")):
            raise ConnectionError("the bucket of artifacts can't be reached")


class Backend:
    """A unit with its state in S3, whose bucket goes away while its apply works."""

    def __init__(self, worker: Worker, s3: Any) -> None:  # boto3's clients have no type
        self.worker = worker
        self.base = worker.data.parent
        self._s3 = s3
        module = MODULE.replace("BASE", str(self.base))
        worker.repository.unit(NAME, state_in_s3(BUCKET, NAME), module=module, backend=False)

    def begun(self) -> int:
        path = self.base / "begun"
        return len(path.read_text().splitlines()) if path.exists() else 0

    async def lose(self) -> "asyncio.Task[str]":
        """An apply that has begun, and whose bucket is gone."""
        task = asyncio.create_task(apply(self.worker, await plan(self.worker, NAME)))
        await until(self.begun)
        self._s3.delete_bucket(Bucket=BUCKET)
        return task

    def back(self) -> None:
        self._s3.create_bucket(Bucket=BUCKET)

    def write(self, document: dict[str, object]) -> None:
        self._s3.put_object(Bucket=BUCKET, Key=f"{NAME}/terraform.tfstate", Body=json.dumps(document).encode())

    def value(self) -> object:
        body = self._s3.get_object(Bucket=BUCKET, Key=f"{NAME}/terraform.tfstate")["Body"].read()
        return json.loads(body)["outputs"]["value"]["value"]

    def left(self) -> list[Path]:
        return list(self.worker.repository.root.rglob(ERRORED))

    async def kept(self, store: ArtifactStore | None = None) -> UnwrittenState:
        (state,) = await all_of(store or self.worker.artifacts)
        return state

    def go(self) -> None:
        (self.base / "go").touch()


async def until(condition: Callable[[], object], seconds: float = 60) -> None:
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end, "it did not happen in time"
        await asyncio.sleep(0.05)


@pytest.fixture(scope="module")
def aws() -> Iterator[dict[str, str]]:
    with moto_server() as url:
        yield {"AWS_ENDPOINT_URL": url, "AWS_REGION": "us-east-1"}


@pytest.fixture
async def backend(tmp_path: Path, aws: dict[str, str]) -> AsyncIterator[Backend]:
    s3 = boto3.client("s3", endpoint_url=aws["AWS_ENDPOINT_URL"], region_name="us-east-1")
    s3.create_bucket(Bucket=BUCKET)
    backend = Backend(await new_worker(tmp_path, {**os.environ, **aws}), s3)
    yield backend
    backend.go()
    for entry in s3.list_objects_v2(Bucket=BUCKET).get("Contents", ()):
        s3.delete_object(Bucket=BUCKET, Key=entry["Key"])
    s3.delete_bucket(Bucket=BUCKET)


async def test_it_is_kept_sealed_and_written_before_the_next_apply_which_makes_nothing_twice(backend: Backend) -> None:
    task = await backend.lose()
    backend.go()
    error = await failure(task)
    assert error.type == ErrorType.UNWRITTEN_STATE
    state = await backend.kept()
    assert state.artifact in error.message
    assert "NoSuchBucket" in error.message
    sealed = open_blobs(str(backend.base / "artifacts")).read(state.artifact)
    assert b"terraform_data" not in sealed
    made = json.loads(await backend.worker.artifacts.get_sealed(state.artifact))["outputs"]["value"]["value"]
    assert not backend.left(), "the work tree may go now"

    backend.back()
    unaware = await plan(backend.worker, NAME)
    assert (unaware.state_unwritten, unaware.summary.add) == (True, 1)
    told = await failure(apply(backend.worker, unaware))
    assert told.type == ErrorType.STALE_PLAN
    assert "has been written now" in told.message
    assert backend.value() == made
    aware = await plan(backend.worker, NAME)
    assert (aware.state_unwritten, aware.summary.is_empty) == (False, True)
    assert backend.begun() == 1


async def test_while_the_backend_is_away_the_unit_is_not_applied(backend: Backend) -> None:
    record = await plan(backend.worker, NAME)
    task = await backend.lose()
    backend.go()
    await failure(task)
    error = await failure(apply(backend.worker, record))
    assert error.message.startswith("Not applied: ")
    assert (await backend.kept()).artifact in error.message
    assert backend.begun() == 1
    backend.back()


async def test_over_a_state_that_somebody_else_has_written_it_is_not_written(backend: Backend) -> None:
    task = await backend.lose()
    backend.go()
    await failure(task)
    backend.back()
    other = {"value": {"value": "of somebody else", "type": "string"}}
    backend.write({"version": 4, "serial": 9, "lineage": "another", "outputs": other, "resources": []})
    record = await plan(backend.worker, NAME)
    error = await failure(apply(backend.worker, record))
    assert "docustack states dismiss" in error.message
    assert backend.value() == "of somebody else"
    assert backend.begun() == 1


async def test_a_cancelled_apply_tells_of_it_too(backend: Backend) -> None:
    task = await backend.lose()
    (folder,) = (backend.worker.data / "applies").iterdir()
    (folder / "cancel").touch()
    error = await failure(task)
    assert error.type == ErrorType.UNWRITTEN_STATE
    assert "was cancelled" in error.message
    assert not (await backend.kept()).closed
    backend.back()


async def test_where_the_artifact_store_is_away_it_stays_sealed_on_the_host(backend: Backend) -> None:
    worker = backend.worker
    worker.artifacts = ArtifactStore(Away(open_blobs(str(backend.base / "artifacts"))), KEY)
    task = await backend.lose()
    backend.go()
    error = await failure(task)
    assert "data folder of the worker on this-host" in error.message
    state = await backend.kept(host_store(worker.artifacts, worker.data))
    assert (worker.data / state.artifact).is_file()
    backend.back()
    assert (await plan(worker, NAME)).state_unwritten
    assert (await failure(apply(worker, await plan(worker, NAME)))).type == ErrorType.STALE_PLAN
    assert backend.value()
    assert backend.begun() == 1


async def test_a_file_of_that_name_that_somebody_has_committed_is_no_state_of_ours(backend: Backend) -> None:
    root = backend.worker.repository.root
    (root / NAME / ERRORED).write_text(json.dumps({"version": 4, "serial": 3, "lineage": "x", "resources": []}))
    for command in (["init", "-q"], ["add", "."]):
        await run_process(["git", *command], cwd=root)
    backend.go()
    assert "1 added" in await apply(backend.worker, await plan(backend.worker, NAME))
    assert not await all_of(backend.worker.artifacts)


async def test_what_had_to_stay_on_a_host_is_known_to_all_once_the_artifact_store_is_back(backend: Backend) -> None:
    worker, back = backend.worker, backend.worker.artifacts
    worker.artifacts = ArtifactStore(Away(open_blobs(str(backend.base / "artifacts"))), KEY)
    task = await backend.lose()
    backend.go()
    await failure(task)
    backend.back()
    await bring_home(back, worker.data)
    await bring_home(back, worker.data)
    worker.artifacts, worker.data = back, backend.base / "another host"
    assert (await plan(worker, NAME)).state_unwritten
    assert (await failure(apply(worker, await plan(worker, NAME)))).type == ErrorType.STALE_PLAN
    assert not (await plan(worker, NAME)).state_unwritten
    assert backend.begun() == 1


async def test_on_a_workers_host_it_is_listed_saved_and_dismissed(
    backend: Backend, monkeypatch: pytest.MonkeyPatch
) -> None:
    task = await backend.lose()
    backend.go()
    await failure(task)
    backend.back()
    artifact = (await backend.kept()).artifact
    settings = {"ENVIRONMENTS": "dev", "CONTROL_QUEUE": "false", "ARTIFACT_KEYS": KEY.decode()}
    folders = {"ARTIFACTS": str(backend.base / "artifacts"), "DATA_DIR": str(backend.worker.data)}
    for name, value in (settings | folders).items():
        monkeypatch.setenv(f"DOCUSTACK_{name}", value)
    file = backend.base / "state.json"

    def docustack(*arguments: str) -> str:
        return CliRunner().invoke(app, ["states", *arguments], catch_exceptions=False).output

    assert artifact in await asyncio.to_thread(docustack, "list")
    await asyncio.to_thread(docustack, "save", artifact, str(file))
    assert json.loads(file.read_text())["resources"]
    assert file.stat().st_mode & 0o077 == 0
    await asyncio.to_thread(docustack, "dismiss", artifact)
    assert artifact not in await asyncio.to_thread(docustack, "list")
    await apply(backend.worker, await plan(backend.worker, NAME))
    assert backend.begun() == 2
