"""Finds which units a pull request changes, and why, from its changed files and what each unit reads."""

from collections.abc import Iterable, Mapping
from posixpath import basename, dirname

from docustack.configuration import Configuration
from docustack.repository import ChangedFile, ChangedUnit, Discovery, UnitStatus
from docustack.terrateam import CONFIGURATION_PATHS, TerrateamConfiguration
from docustack.unit_graph import UnitGraph
from docustack.unit_reads import UNIT_FILES, Tree, UnitReads, folders_above
from docustack.units import dependants

_MOST_REASONS = 20
_CONFIGURATION_FILES = frozenset({"docustack.yaml", *CONFIGURATION_PATHS})


def changed_units(
    graph: UnitGraph,
    tree: Tree,
    changed_files: Iterable[ChangedFile],
    configuration: Configuration,
    terrateam: TerrateamConfiguration,
) -> Discovery:
    """What a pull request changes, by units.

    `changed_files` are those since the merge base: a unit counts as deleted only if this pull request deletes its file,
    and not if others have added it to the base branch meanwhile. A unit that moved is a deleted and an added one.
    """
    statuses = _statuses(changed_files)
    deleted = _deleted_units(statuses, tree, graph)
    reads = UnitReads(tree, graph, statuses, deleted)
    readers = _readers(reads, graph, statuses, deleted, terrateam)
    because: dict[str, set[str]] = {unit: set() for unit in deleted}
    unread: list[str] = []
    excluded: list[str] = []
    for path, units in readers.items():
        starting = {unit for unit in units if unit in deleted or terrateam.starts_plan(path, unit)}
        for unit in starting:
            because.setdefault(unit, set()).add(path)
        if not starting and path not in _CONFIGURATION_FILES:
            (excluded if units or not terrateam.starts_plan(path) else unread).append(path)
    changed = [
        ChangedUnit(
            unit=unit,
            environment=configuration.environment_of(unit),
            status=_status(unit, deleted, statuses),
            because=_shortened(paths),
        )
        for unit, paths in sorted(because.items())
    ]
    # A deleted unit is no longer in the graph's dependencies, but those that still name it are affected.
    named = {unit.path: unit.dependencies for unit in graph.units.values()}
    return Discovery(
        changed=tuple(changed),
        also_affected=tuple(sorted(dependants(because.keys(), named) - because.keys())),
        dependencies=graph.dependencies(),
        unread_files=tuple(unread),
        excluded_files=tuple(excluded),
        warnings=(*_lost_dependencies(graph, deleted), *_changed_stacks(graph, statuses), *_rules_change(statuses)),
    )


def _statuses(changed_files: Iterable[ChangedFile]) -> dict[str, str]:
    """Each path that is or was: a renamed file has gone from one place and come to another."""
    statuses: dict[str, str] = {}
    for file in changed_files:
        if file.status == "renamed" and file.previous_path is not None:
            statuses.setdefault(file.previous_path, "deleted")
            statuses[file.path] = "added"
        else:
            statuses[file.path] = file.status
    return dict(sorted(statuses.items()))


def _deleted_units(statuses: Mapping[str, str], tree: Tree, graph: UnitGraph) -> set[str]:
    """Folders that lose their `terragrunt.hcl`; one with units below it was the parent that they included."""
    parents = {folder for unit in graph.units for folder in folders_above(unit)} | {""}
    lost = {dirname(path) for path, status in statuses.items() if status == "deleted" and basename(path) in UNIT_FILES}
    return {unit for unit in lost - parents if not any(f"{unit}/{name}" in tree.paths for name in UNIT_FILES)}


def _readers(
    reads: UnitReads,
    graph: UnitGraph,
    statuses: Mapping[str, str],
    deleted: set[str],
    terrateam: TerrateamConfiguration,
) -> dict[str, set[str]]:
    readers: dict[str, set[str]] = {path: set() for path in statuses}
    for path, units in readers.items():
        owner = next((folder for folder in folders_above(path) if folder in graph.units or folder in deleted), None)
        if owner is not None:
            units.add(owner)
    for unit in graph.units.values():
        for path in reads.of(unit):
            readers[path].add(unit.path)
        if terrateam.dirs:
            for path in statuses:
                if terrateam.adds_unit(path, unit.path):
                    readers[path].add(unit.path)
    return readers


def _status(unit: str, deleted: set[str], statuses: Mapping[str, str]) -> UnitStatus:
    if unit in deleted:
        return UnitStatus.DELETED
    is_new = any(statuses.get(f"{unit}/{name}") == "added" for name in UNIT_FILES)
    return UnitStatus.ADDED if is_new else UnitStatus.MODIFIED


def _shortened(paths: set[str]) -> tuple[str, ...]:
    listed = sorted(paths)
    more = len(listed) - _MOST_REASONS
    return (*listed[:_MOST_REASONS], f"and {more} more files") if more > 0 else tuple(listed)


def _lost_dependencies(graph: UnitGraph, deleted: set[str]) -> list[str]:
    return [
        f"`{unit.path}` depends on `{other}`, which "
        + ("this pull request deletes." if other in deleted else "is not a unit of this repository.")
        for unit in graph.units.values()
        for other in unit.dependencies
        if other not in graph.units
    ]


def _changed_stacks(graph: UnitGraph, statuses: Mapping[str, str]) -> list[str]:
    return [
        f"`{stack}/terragrunt.stack.hcl` changes: the units that `terragrunt stack generate` makes are not planned."
        for stack in graph.stacks
        if f"{stack}/terragrunt.stack.hcl" in statuses
    ]


def _rules_change(statuses: Mapping[str, str]) -> list[str]:
    files = [f"`{path}`" for path in statuses if path in _CONFIGURATION_FILES]
    if not files:
        return []
    return [f"{' and '.join(files)} changes: the new rules count once they are merged, not for this pull request."]
