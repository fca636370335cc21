"""Outputs of a dependency with state in S3 are read there, and nobody has to wait for its folder."""

import asyncio
import dataclasses
import os
from collections.abc import Iterator
from pathlib import Path

import boto3
import pytest

from activities.dependency_outputs import UnitReader
from activities.terragrunt_command import TerragruntCommand
from docustack.plans import OutputsKind
from tests.integration.aws_server import moto_server, state_in_s3
from tests.integration.units import MOCK, Worker, apply, depends_on, new_worker, plan

BUCKET = "docustack-terraform-state-111111111111"


@pytest.fixture(scope="module")
def aws() -> Iterator[dict[str, str]]:
    with moto_server() as url:
        environ = {"AWS_ENDPOINT_URL": url, "AWS_REGION": "us-east-1"}
        s3 = boto3.client("s3", endpoint_url=environ["AWS_ENDPOINT_URL"], region_name="us-east-1")
        s3.create_bucket(Bucket=BUCKET)
        yield environ


@pytest.fixture
async def worker(tmp_path: Path, aws: dict[str, str]) -> Worker:
    keys = {"AWS_ACCESS_KEY_ID": "testing", "AWS_SECRET_ACCESS_KEY": "testing"}
    return await new_worker(tmp_path, dict(os.environ) | aws | keys)


def unit_in_s3(worker: Worker, unit: str, hcl: str = "") -> Path:
    remote_state = state_in_s3(BUCKET, f"{worker.data.parent.name}/{unit}")
    return worker.repository.unit(unit, remote_state + hcl, backend=False)


async def test_outputs_are_the_same_from_the_state_and_by_terraform(worker: Worker) -> None:
    unit_in_s3(worker, "dev/a", 'inputs = { value = "real" }')
    unit_in_s3(worker, "dev/b", depends_on("a", MOCK))
    (before,) = (await plan(worker, "dev/b")).dependencies
    assert before.kind is OutputsKind.MOCK
    await apply(worker, await plan(worker, "dev/a"))
    assert worker.command.from_state
    (read,) = (await plan(worker, "dev/b")).dependencies
    worker.command = dataclasses.replace(worker.command, from_state=False)
    (asked,) = (await plan(worker, "dev/b")).dependencies
    assert read == asked
    assert read.kind is OutputsKind.REAL


async def test_nobody_waits_for_the_folder_of_a_dependency_with_state_in_s3(worker: Worker) -> None:
    folder = unit_in_s3(worker, "dev/a", 'inputs = { value = "real" }')
    dependant = unit_in_s3(worker, "dev/b", depends_on("a", MOCK))
    environ = worker.environ | worker.command.settings()
    reader = UnitReader(worker.command, worker.data)
    dependencies = (await reader.render(dependant, environ)).dependencies
    async with reader.preparing(folder), asyncio.timeout(120):  # as while it is planned itself
        assert await reader.real_outputs(dependencies, environ) == {}


async def test_units_planned_at_once_ask_for_each_unit_and_its_outputs_once(worker: Worker, tmp_path: Path) -> None:
    called, folders = listened_to(worker, tmp_path), {}
    for unit, hcl in (("a", 'inputs = { value = "real" }'), ("b", depends_on("a", MOCK)), ("c", depends_on("a", MOCK))):
        folders[unit] = unit_in_s3(worker, f"dev/{unit}", hcl)
    environ = worker.environ | worker.command.settings()
    reader = UnitReader(worker.command, worker.data)

    async def look(unit: str, *, join: bool) -> None:
        rendered = await reader.render(folders[unit], environ, join=join)
        await reader.real_outputs(rendered.dependencies, environ, join=join)

    await asyncio.gather(*(look(unit, join=True) for unit in folders))
    inside = [Path(line).name for line in called.read_text().splitlines() if Path(line).parent.name == "dev"]
    assert sorted(inside) == ["a", "b", "c"]
    assert 1 <= len(called.read_text().splitlines()) - 3 <= 2  # b and c may not be read at the very same time
    called.unlink()
    await asyncio.gather(look("b", join=False), look("b", join=False))  # what is judged by it has to be of now
    assert len(called.read_text().splitlines()) == 4


def listened_to(worker: Worker, folder: Path) -> Path:
    """Where Terragrunt is called is written into the file, a line each."""
    called, script = folder / "called", folder / "terragrunt"
    script.write_text(f'#!/bin/sh\npwd >> "{called}"\nexec "{worker.command.terragrunt}" "$@"\n')
    script.chmod(0o755)
    worker.command = dataclasses.replace(worker.command, terragrunt=str(script))
    return called


@pytest.mark.parametrize(
    "version, says, reads",
    [
        ("1.1.3", "Terraform v1.11.4", True),
        ("0.99.0", "Terraform v1.11.4", False),
        ("1.1.3", "OpenTofu v1.12.6", False),
    ],
)
async def test_only_a_new_terragrunt_with_terraform_reads_states(
    tmp_path: Path, version: str, says: str, reads: bool
) -> None:
    for name, line in (("terragrunt", f"terragrunt version v{version}"), ("terraform", says)):
        (tmp_path / name).write_text(f"#!/bin/sh\necho '{line}'\n")
        (tmp_path / name).chmod(0o755)
    command = await TerragruntCommand.find(str(tmp_path / "terragrunt"), str(tmp_path / "terraform"))
    assert command.reads_from_state({}) is reads
    assert ("TG_DEPENDENCY_FETCH_OUTPUT_FROM_STATE" in command.settings()) is reads
    assert not command.reads_from_state({"TG_NO_DEPENDENCY_FETCH_OUTPUT_FROM_STATE": "true"})
