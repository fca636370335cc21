"""`requirements.lock` is what `pyproject.toml` and `requirements.in` ask for."""

import ast
import re
import tomllib
from collections.abc import Iterator
from importlib.metadata import packages_distributions
from pathlib import Path

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

from tests.unit.setup.fakes import ROOT

COME_WITH_THOSE = {"botocore", "pydantic-core", "docustack"}
"""The undersides of boto3 and pydantic, which both let one import from, and the engine's own packages."""


def pins(lock: str) -> dict[str, list[str]]:
    """Name -> versions; more than one where they differ by Python version."""
    versions: dict[str, list[str]] = {}
    for name, version in re.findall(r"^([a-z0-9._-]+)==(\S+)", (ROOT / lock).read_text(), re.MULTILINE):
        versions.setdefault(canonicalize_name(name), []).append(version)
    return versions


def requirements_of_the_engine() -> list[Requirement]:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    return [Requirement(line) for line in project["dependencies"]]


def direct_requirements() -> list[Requirement]:
    lines = (ROOT / "requirements.in").read_text().splitlines()
    named = [re.sub(r"(^|\s)#.*", "", line).strip() for line in lines]
    return [*requirements_of_the_engine(), *(Requirement(line) for line in named if line)]


@pytest.mark.parametrize("requirement", direct_requirements(), ids=lambda requirement: requirement.name)
def test_lock_fits_every_direct_dependency(requirement: Requirement) -> None:
    versions = pins("requirements.lock")[canonicalize_name(requirement.name)]
    assert all(requirement.specifier.contains(version) for version in versions)


@pytest.mark.parametrize("name", ["requirements-runtime.lock", "requirements-build.lock"])
def test_smaller_locks_hold_the_same_versions(name: str) -> None:
    everything = pins("requirements.lock")
    assert pins(name)
    assert all(versions == everything[package] for package, versions in pins(name).items())


def engine_imports() -> Iterator[tuple[Path, str]]:
    """Every package that a module of the engine imports, with the module."""
    for package in ("docustack", "activities", "workflows", "worker", "starter"):
        for path in (ROOT / package).rglob("*.py"):
            for node in ast.walk(ast.parse(path.read_text())):
                if isinstance(node, ast.Import):
                    yield from ((path, alias.name.split(".")[0]) for alias in node.names)
                elif isinstance(node, ast.ImportFrom) and node.module:
                    yield path, node.module.split(".")[0]


def test_engine_imports_only_what_pyproject_names() -> None:
    """What is installed for the local world or the tests isn't there in production."""
    distributions = packages_distributions()
    named = {canonicalize_name(requirement.name) for requirement in requirements_of_the_engine()} | COME_WITH_THOSE
    strangers = {
        f"{path.relative_to(ROOT)}: {name}"
        for path, name in engine_imports()
        if name in distributions and not {canonicalize_name(each) for each in distributions[name]} & named
    }
    assert strangers == set()


@pytest.mark.parametrize("name", ["requirements.lock", "requirements-runtime.lock", "requirements-build.lock"])
def test_lock_holds_hashes_and_no_address(name: str) -> None:
    text = (ROOT / name).read_text()
    entries = re.split(r"^(?=[a-z0-9])", text, flags=re.MULTILINE)[1:]
    assert entries
    assert all("--hash=sha256:" in entry for entry in entries)
    assert not re.search(r"https?://|--(extra-)?index-url|--find-links", text)
