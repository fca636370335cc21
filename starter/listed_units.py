"""Asks the real Terragrunt for the units of a live repository in a folder, and puts them into their order."""

import asyncio
import os
from pathlib import Path
from posixpath import dirname

from temporalio.exceptions import ApplicationError

from activities.discovery import Units
from activities.git import Git
from activities.terragrunt_command import TerragruntCommand
from docustack.configuration import Configuration
from docustack.configuration_file import CONFIGURATION_PATH, load_configuration
from docustack.errors import ConfigurationError
from docustack.model import Model
from docustack.unit_graph import FoundUnit, UnitGraph
from docustack.unit_reads import UNIT_FILES, Tree, static_dependencies
from docustack.units import DependencyCycle, waves, waves_by_environment
from starter.exit_codes import CommandFailed, ExitCode
from starter.tool_paths import executable
from worker.settings import Process, Settings, process_environment

_NOT_THEIRS = (".git", ".terragrunt-cache", ".terraform")


class ListedUnit(Model):
    """One unit; `wave` counts from 1, through all environments in the order in which they are applied."""

    unit: str
    environment: str | None  # None: it lies in no environment of docustack.yaml
    dependencies: tuple[str, ...] = ()
    wave: int


class ListedUnits(Model):
    """All units of a folder, in the order in which they would be applied."""

    units: tuple[ListedUnit, ...] = ()
    stacks: tuple[str, ...] = ()
    warnings: tuple[str, ...] = ()


def list_units(root: Path) -> ListedUnits:
    """The units under a folder.

    Raises:
        CommandFailed: there is no such folder, Terragrunt can't list its units, or they depend on each other in a
            circle.
        ConfigurationError: there is no Terragrunt that can be used, or the folder's docustack.yaml is wrong.
    """
    if not root.is_dir():
        raise CommandFailed(f"{root} is no folder.", code=ExitCode.USAGE)
    configuration = _configuration(root)
    graph, lost = _with_lost(asyncio.run(_ask_terragrunt(root.resolve())), _read_tree(root))
    dependencies = graph.dependencies()
    try:
        if configuration is None:
            ordered = waves(graph.units, dependencies)
        else:
            ordered = waves_by_environment(configuration, dependencies, graph.units)
    except DependencyCycle as error:
        raise CommandFailed(str(error)) from error
    return ListedUnits(
        units=tuple(
            ListedUnit(
                unit=unit,
                environment=configuration.environment_of(unit) if configuration else None,
                dependencies=dependencies[unit],
                wave=number,
            )
            for number, wave in enumerate(ordered, 1)
            for unit in wave
        ),
        stacks=graph.stacks,
        warnings=(*_about(configuration), *lost),
    )


def _configuration(root: Path) -> Configuration | None:
    path = root / CONFIGURATION_PATH
    if not path.is_file():
        return None
    try:
        return load_configuration(path.read_text(encoding="utf-8", errors="replace"), str(path))
    except ConfigurationError as error:
        raise ConfigurationError(f"{error}\ndocustack config check {root} shows each in its place.") from error


def _about(configuration: Configuration | None) -> list[str]:
    if configuration is not None:
        return []
    return [f"There is no {CONFIGURATION_PATH} here: environments are not known, and waves go by dependencies alone."]


async def _ask_terragrunt(root: Path) -> UnitGraph:
    settings = Settings.load(Process.CLIENT)
    _take_over(process_environment(settings))
    command = await TerragruntCommand.find(executable("terragrunt", settings), executable("terraform", settings))
    # Listing units of a folder needs no mirror; the class wants the one of its other method.
    work_trees = Git(data_dir=root, host="here", clone_url=lambda repository: repository.full_name)
    try:
        return await Units(work_trees=work_trees, command=command).graph(root)
    except ApplicationError as error:
        raise CommandFailed(error.message) from error


def _take_over(environment: dict[str, str]) -> None:
    """Terragrunt is called with this process' own environment, less what would only disturb it."""
    for name in set(os.environ) - set(environment):
        del os.environ[name]
    os.environ.update(environment)


def _read_tree(root: Path) -> Tree:
    """The unit files under a folder, without what tools have left there."""
    paths: list[str] = []
    for folder, below, names in os.walk(root):
        below[:] = [name for name in below if name not in _NOT_THEIRS]
        inside = Path(folder).relative_to(root)
        paths += [(inside / name).as_posix() for name in names if name in UNIT_FILES]
    return Tree(frozenset(paths), {path: (root / path).read_text(errors="replace") for path in paths})


def _with_lost(graph: UnitGraph, tree: Tree) -> tuple[UnitGraph, list[str]]:
    """Terragrunt leaves out, with exit code 0, units on a dependency cycle and those that depend on them."""
    parents = {dirname(path) for unit in graph.units.values() for path in unit.includes}
    lost = {dirname(path) for path in tree.paths} - {""} - parents - graph.units.keys()
    lost = {unit for unit in lost if not any(unit == stack or unit.startswith(f"{stack}/") for stack in graph.stacks)}
    known = lost | graph.units.keys()
    found = [
        FoundUnit(path=unit, dependencies=static_dependencies(unit, tree, known), told_reads=False)
        for unit in sorted(lost)
    ]
    return graph.with_units(found), [f"Terragrunt could not place {unit} in its graph." for unit in sorted(lost)]
