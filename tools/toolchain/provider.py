"""Lays out the AWS provider as a mirror on disk, and the configuration file that points Terraform at it."""

import os
import platform
import re
import shutil
import sys
import zipfile
from pathlib import Path

from toolchain.executables import link
from toolchain.places import Places
from toolchain.progress import Progress
from toolchain.step import write_whole

REGISTRIES = ("registry.terraform.io", "registry.opentofu.org")
"""Terraform's and OpenTofu's names for the same provider."""

NO_MIRROR = """\
# Made by `make setup`. There is no packaged AWS provider for this platform: providers come from their registries.
disable_checkpoint = true
"""

MIRROR = """\
# Made by `make setup`, for the local world and the tests. The AWS provider comes from disk alone (a registry would be
# asked for newer ones), every other provider from its registry. A real worker has a file of its own.
disable_checkpoint = true

provider_installation {{
  filesystem_mirror {{
    path    = {path}
    include = [{include}]
  }}
  direct {{
    exclude = [{include}]
  }}
}}
"""


class AwsProvider:
    """`.tools/providers`, unpacked (only that is safe for several `init` at once), and `.tools/terraformrc`."""

    name = "AWS provider"

    def __init__(self, places: Places) -> None:
        self._places = places

    def source(self) -> str:
        archive = self._archive()
        return (
            f"{archive.name} {archive.stat().st_size} {self._places.root}" if archive else f"none {self._places.root}"
        )

    def is_whole(self) -> bool:
        archive = self._archive()
        return self._places.terraformrc.exists() and (archive is None or self._folder(archive).is_dir())

    def check(self) -> None:
        """Nothing is needed: the provider comes with the Python packages."""

    def make(self, progress: Progress) -> None:
        archive = self._archive()
        if archive is None:
            write_whole(self._places.terraformrc, NO_MIRROR)
            progress.detail(f"from its registry: no package carries it for {sys.platform} {platform.machine()}")
            return
        folder = self._folder(archive)
        if not folder.is_dir():
            progress.detail("unpacking")
            self._unpack(archive, folder)
        self._write_configuration()
        progress.detail(f"{version(archive)} in .tools/providers")

    def _archive(self) -> Path | None:
        """The newest provider in the installed package; it is built for one platform only."""
        if (sys.platform, platform.machine()) != ("linux", "x86_64"):
            return None
        packaged = self._places.venv.glob(
            "lib/python*/site-packages/cloudrail/terraform_plugins/terraform-provider-aws_*_linux_amd64.zip"
        )
        return max(packaged, key=lambda path: [int(part) for part in version(path).split(".")], default=None)

    def _folder(self, archive: Path) -> Path:
        return self._places.providers / REGISTRIES[0] / "hashicorp" / "aws" / version(archive) / "linux_amd64"

    def _unpack(self, archive: Path, folder: Path) -> None:
        unfinished = self._places.providers / f".aws.{os.getpid()}"
        try:
            with zipfile.ZipFile(archive) as packed:
                packed.extractall(unfinished)
            for executable in unfinished.glob("terraform-provider-*"):
                executable.chmod(0o755)
            folder.parent.mkdir(parents=True, exist_ok=True)
            unfinished.rename(folder)
        finally:
            shutil.rmtree(unfinished, ignore_errors=True)

    def _write_configuration(self) -> None:
        for other in REGISTRIES[1:]:
            link(
                Path("..", "..", REGISTRIES[0], "hashicorp", "aws"),
                self._places.providers / other / "hashicorp" / "aws",
            )
        include = ", ".join(f'"{registry}/hashicorp/aws"' for registry in REGISTRIES)
        text = MIRROR.format(path=hcl_string(str(self._places.providers)), include=include)
        write_whole(self._places.terraformrc, text)


def version(archive: Path) -> str:
    """`3.39.0` of `terraform-provider-aws_3.39.0_linux_amd64.zip`."""
    match = re.search(r"_(\d+\.\d+\.\d+)_", archive.name)
    assert match, archive
    return match[1]


def hcl_string(text: str) -> str:
    """A quoted string in HCL."""
    escaped = text.replace("\\", "\\\\").replace('"', '\\"').replace("${", "$${").replace("%{", "%%{")
    return f'"{escaped}"'
