"""Units initialised at once share no cache of Terraform's, which breaks under that, though their worker names one."""

import asyncio
import os
import shutil
import subprocess
from pathlib import Path

import pytest

from tests.integration.units import MODULE, new_worker, plan

AWS = "registry.terraform.io/hashicorp/aws"
TINY = "example.com/test/tiny"
AT_ONCE, ROUNDS = 16, 60


def module(source: str, version: str) -> str:
    name = source.rpartition("/")[2]
    wanted = f'{name} = {{ source = "{source}", version = "{version}" }}'
    return f"terraform {{\n  required_providers {{\n    {wanted}\n  }}\n}}\n{MODULE}"


def installed(folder: Path) -> list[Path]:
    return list(folder.rglob(f".terraform/providers/{AWS}/3.39.0/linux_amd64"))


def names(folder: Path) -> list[str]:
    return [path.name for path in folder.iterdir()]


@pytest.fixture
def cache(tmp_path: Path) -> Path:
    folder = tmp_path / "plugin-cache"
    folder.mkdir()
    return folder


@pytest.fixture
def mirror(tmp_path: Path) -> Path:
    """A provider that can be installed and does nothing, from disk; gives Terraform's settings for it."""
    binary = tmp_path / "mirror" / TINY / "1.0.0" / "linux_amd64" / "terraform-provider-tiny_v1.0.0"
    binary.parent.mkdir(parents=True)
    binary.write_text("#!/bin/sh\nexit 1\n")
    binary.chmod(0o755)
    settings = tmp_path / "terraformrc"
    settings.write_text(f'provider_installation {{\n  filesystem_mirror {{\n    path = "{tmp_path}/mirror"\n  }}\n}}\n')
    return settings


def test_one_plugin_cache_breaks_under_several_inits_at_once(tmp_path: Path, cache: Path, mirror: Path) -> None:
    """Why all this: without it some of these fail, if not in the first round then soon."""
    environ = os.environ | {"TF_CLI_CONFIG_FILE": str(mirror), "TF_PLUGIN_CACHE_DIR": str(cache)}
    folders = [tmp_path / f"unit-{number}" for number in range(AT_ONCE)]
    for folder in folders:
        folder.mkdir()
        (folder / "main.tf").write_text(module(TINY, "1.0.0"))

    def failures() -> list[str]:
        for left in (*cache.iterdir(), *(found for folder in folders for found in folder.glob(".terraform*"))):
            shutil.rmtree(left) if left.is_dir() else left.unlink()
        command = ["terraform", "init", "-input=false", "-no-color"]
        running = [
            subprocess.Popen(
                command, cwd=folder, env=environ, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True
            )
            for folder in folders
        ]
        ended = [(process.communicate()[1], process.returncode) for process in running]
        return [told for told, code in ended if code != 0]

    broken = next((told for told in (failures() for _ in range(ROUNDS)) if told), [])
    assert any("Failed to install provider" in told for told in broken), broken


async def test_units_planned_at_once_on_a_cold_host_use_no_cache_that_its_environment_names(
    tmp_path: Path, cache: Path
) -> None:
    worker = await new_worker(tmp_path, os.environ | {"TF_PLUGIN_CACHE_DIR": str(cache)})
    units = [f"dev/unit-{number}" for number in range(4)]
    for unit in units:
        worker.repository.unit(unit, 'inputs = { value = "real" }', module(AWS, "3.39.0"))
    records = await asyncio.gather(*(plan(worker, unit) for unit in units))
    assert [record.summary.add for record in records] == [1] * len(units)
    assert len(installed(tmp_path)) == len(units), "each has its own"
    assert names(cache) == [], "nothing is written where several would write"
