"""The AWS provider as a mirror on disk."""

import os
import subprocess
import zipfile
from pathlib import Path

import pytest

from tests.unit.setup.fakes import ROOT
from toolchain.places import Places
from toolchain.progress import Progress
from toolchain.provider import AwsProvider


def package_provider(places: Places, version: str) -> None:
    folder = places.venv / "lib" / "python3.11" / "site-packages" / "cloudrail" / "terraform_plugins"
    folder.mkdir(parents=True, exist_ok=True)
    with zipfile.ZipFile(folder / f"terraform-provider-aws_{version}_linux_amd64.zip", "w") as archive:
        archive.writestr(f"terraform-provider-aws_v{version}_x5", "#!/bin/sh\n")


@pytest.fixture
def on_linux(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("platform.machine", lambda: "x86_64")
    monkeypatch.setattr("sys.platform", "linux")


@pytest.mark.usefixtures("on_linux")
def test_newest_packaged_provider_is_unpacked_as_a_mirror(places: Places, progress: Progress) -> None:
    package_provider(places, "2.70.0")
    package_provider(places, "3.39.0")
    step = AwsProvider(places)
    step.make(progress)
    assert step.is_whole()
    for registry in ("registry.terraform.io", "registry.opentofu.org"):
        folder = places.providers / registry / "hashicorp" / "aws"
        assert [path.name for path in folder.iterdir()] == ["3.39.0"]
        assert os.access(folder / "3.39.0" / "linux_amd64" / "terraform-provider-aws_v3.39.0_x5", os.X_OK)
    assert f'path    = "{places.providers}"' in places.terraformrc.read_text()


@pytest.mark.usefixtures("on_linux")
def test_a_broken_archive_leaves_no_provider(places: Places, progress: Progress) -> None:
    package_provider(places, "3.39.0")
    archive = next(places.venv.rglob("*.zip"))
    archive.write_bytes(archive.read_bytes()[:-30])
    with pytest.raises(zipfile.BadZipFile):
        AwsProvider(places).make(progress)
    assert not [path for path in places.providers.rglob("*") if path.is_file()]
    assert not AwsProvider(places).is_whole()


def test_other_platforms_get_providers_from_their_registries(
    places: Places, progress: Progress, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("platform.machine", lambda: "arm64")
    AwsProvider(places).make(progress)
    assert AwsProvider(places).is_whole()
    assert "provider_installation" not in places.terraformrc.read_text()


@pytest.mark.skipif("sys.platform != 'linux'", reason="the packaged provider is built for Linux")
def test_terraform_takes_the_aws_provider_from_the_mirror(tmp_path: Path) -> None:
    (tmp_path / "main.tf").write_text('terraform {\n  required_providers { aws = { source = "hashicorp/aws" } }\n}\n')
    done = subprocess.run(
        [ROOT / ".tools" / "bin" / "terraform", "init", "-no-color"], cwd=tmp_path, capture_output=True, text=True,
        check=False, timeout=120,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert "Installed hashicorp/aws v3.39.0" in done.stdout
