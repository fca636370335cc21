"""Asks Terragrunt for the units of a work tree, and finds those that a pull request changes."""

import asyncio
import os
from collections.abc import Collection, Iterable, Sequence
from datetime import timedelta
from pathlib import Path
from posixpath import basename, dirname

from temporalio import activity

from activities.failures import failure
from activities.git import MAX_LISTED_FILES, Git
from activities.processes import run_process
from activities.terragrunt_command import TerragruntCommand
from activities.unit_work import heartbeats
from docustack.base_moves import MovedInputs
from docustack.changed_units import changed_units
from docustack.configuration import Configuration
from docustack.deletions import find_deletions, may_have_taken_over
from docustack.errors import ErrorType
from docustack.manual_runs import ordered_units
from docustack.merge_queue import GroupFound
from docustack.model import Model
from docustack.orders import is_commit
from docustack.packing import Packed
from docustack.repository import ChangedFile, Discovery, Repository, UnitStatus, WorkTree
from docustack.terrateam import TerrateamConfiguration
from docustack.unit_graph import FoundUnit, UnitGraph, UnreadableGraph, parse_find, parse_graph_dependencies
from docustack.unit_inputs import moved_inputs, unit_inputs
from docustack.unit_reads import SCANNED_SUFFIXES, UNIT_FILES, Tree, static_dependencies

_FIND_SINCE = (0, 75, 0)
_LIMIT = timedelta(minutes=5)  # a thousand units take three seconds
_REMEMBERED = 20
_FIND = ("find", "--dependencies", "--include", "--reading", "--json")
_OWN_SETTINGS = {"TG_NO_FILTERS_FILE": "true"}
"""A file `.terragrunt-filters` in the repository would hide units from us."""


class Discover(Model):
    """Find the units that the changed files belong to."""

    tree: WorkTree
    changed_files: tuple[ChangedFile, ...]
    configuration: Configuration
    terrateam: TerrateamConfiguration


class ListUnits(Model):
    """Find the units that an order names: in these directories (none: everywhere), without those left out."""

    tree: WorkTree
    directories: tuple[str, ...]
    without: tuple[str, ...] = ()
    destroy: bool = False  # they are found as those to be destroyed, with who depends on each
    configuration: Configuration
    terrateam: TerrateamConfiguration


class MovedSince(Model):
    """Which files that units read have moved with the base branch, since the commit of it that is given for each?"""

    tree: WorkTree
    since: dict[str, str]


class MovedInputsAnswer(Model):
    units: tuple[MovedInputs, ...]


class AskGroup(Model):
    """What does a commit of GitHub's merge queue change over the one it stands on, and what do units read there?"""

    repository: Repository
    base_ref: str
    group_commit: str
    group_base: str
    units: Packed[tuple[str, ...]] = ()
    configuration: Configuration
    terrateam: TerrateamConfiguration


class Units:
    """Finds units in the work trees of this host."""

    def __init__(self, *, work_trees: Git, command: TerragruntCommand) -> None:
        self._work_trees = work_trees
        self._command = command
        self._graphs: dict[str, UnitGraph] = {}  # by commit, the latest last: an apply follows the plan of the same

    @activity.defn
    @heartbeats
    async def discover(self, request: Discover) -> Discovery:
        """The units that the changed files belong to.

        A unit that Terragrunt can't read is still found, by its file; its own plan then fails and says why and where.

        Raises:
            ApplicationError: CONFIGURATION if Terragrunt can't list units at all, TIMEOUT if it takes too long.
        """
        root = await self._work_trees.ensure(request.tree)
        mirror = self._work_trees.mirror(request.tree.repository)
        changed_files = request.changed_files
        if len(changed_files) >= MAX_LISTED_FILES:
            changed_files = await mirror.changed_files(request.tree.merge_base, request.tree.head_commit)
        blobs = await mirror.list_files(request.tree.tree_commit)
        tree = await self._read_tree(request.tree, blobs)
        graph, warnings = _with_lost_units(await self._graph(request.tree, root), tree)
        discovery = await asyncio.to_thread(
            changed_units, graph, tree, changed_files, request.configuration, request.terrateam
        )
        units = [*(unit.unit for unit in discovery.changed), *discovery.also_affected]
        inputs = await asyncio.to_thread(unit_inputs, graph, tree, blobs, units, request.terrateam)
        discovery = discovery.model_copy(update={"warnings": (*discovery.warnings, *warnings), "inputs": inputs})
        return await self._with_deletions(request, discovery, changed_files, graph)

    @activity.defn
    @heartbeats
    async def list_units(self, request: ListUnits) -> Discovery:
        """The units that an order names, as if each of them had changed; none where a directory holds none.

        Raises:
            ApplicationError: as `discover`.
        """
        root = await self._work_trees.ensure(request.tree)
        blobs = await self._work_trees.mirror(request.tree.repository).list_files(request.tree.tree_commit)
        tree = await self._read_tree(request.tree, blobs)
        graph, warnings = _with_lost_units(await self._graph(request.tree, root), tree)
        found = ordered_units(
            graph, request.configuration, request.directories, request.without, destroy=request.destroy
        )
        units = [unit.unit for unit in found.changed]
        inputs = await asyncio.to_thread(unit_inputs, graph, tree, blobs, units, request.terrateam)
        return found.model_copy(update={"warnings": tuple(warnings), "inputs": inputs})

    async def _with_deletions(
        self, request: Discover, discovery: Discovery, changed_files: Sequence[ChangedFile], merged: UnitGraph
    ) -> Discovery:
        """What the base branch alone can tell of deleted units: it still has them."""
        deleted = [unit.unit for unit in discovery.changed if unit.status is UnitStatus.DELETED]
        if not deleted:
            return discovery
        base, now = request.tree.of_base(), request.tree.of_now()
        graph, tree, blobs = await self._units_of(base)
        present = merged if now is request.tree else (await self._units_of(now))[0]
        inputs = await asyncio.to_thread(unit_inputs, graph, tree, blobs, deleted, request.terrateam)
        return discovery.model_copy(
            update={
                "deletions": find_deletions(discovery.changed, changed_files, graph, present),
                "may_have_taken_over": may_have_taken_over(changed_files, merged),
                "come_since": tuple(sorted(present.units.keys() - merged.units.keys() - {*deleted})),
                "gone_since": tuple(sorted((graph.units.keys() & merged.units.keys()) - present.units.keys())),
                "inputs": {**discovery.inputs, **inputs},
            }
        )

    async def _units_of(self, tree: WorkTree) -> tuple[UnitGraph, Tree, dict[str, str]]:
        """The graph of another tree of the run, the texts that it was read from, and what each path holds there."""
        root = await self._work_trees.ensure(tree)
        blobs = await self._work_trees.mirror(tree.repository).list_files(tree.tree_commit)
        texts = await self._read_tree(tree, blobs)
        graph, _ = _with_lost_units(await self._graph(tree, root), texts)
        return graph, texts, blobs

    @activity.defn
    @heartbeats
    async def find_moved_inputs(self, question: MovedSince) -> MovedInputsAnswer:
        """What a move of the base branch changes of what units read: the reason to plan them again."""
        root = await self._work_trees.ensure(question.tree)
        mirror = self._work_trees.mirror(question.tree.repository)
        tree = await self._read_tree(question.tree, await mirror.list_files(question.tree.tree_commit))
        graph, _ = _with_lost_units(await self._graph(question.tree, root), tree)
        found: list[MovedInputs] = []
        for commit in dict.fromkeys(question.since.values()):
            if not await mirror.has(commit):  # the branch was pushed over, and this host has never seen it as it was
                continue
            units = [unit for unit, since in question.since.items() if since == commit]
            moved = await mirror.changed_files(commit, question.tree.base_commit)
            paths = {path for file in moved for path in (file.path, file.previous_path) if path}
            found += await asyncio.to_thread(moved_inputs, graph, tree, paths, units)
        return MovedInputsAnswer(units=tuple(found))

    @activity.defn
    @heartbeats
    async def look_at_group(self, question: AskGroup) -> GroupFound:
        """Of a merge queue: the units that one group changes over the one before it, and what units read there.

        Raises:
            ApplicationError: NOT_FOUND where the queue has dropped the commit, and as `discover`.
        """
        base, group = question.group_base, question.group_commit
        if not (is_commit(base) and is_commit(group)):
            raise failure(ErrorType.INVALID_INPUT, f"`{group[:100]}` on `{base[:100]}`: that is no merge group.")
        mirror = self._work_trees.mirror(question.repository)
        async with mirror.exclusive() as lock:
            for commit in (base, group):
                await mirror.fetch_commit(commit, None, lock)
        tree = WorkTree(
            repository=question.repository,
            run_id=f"queue-{group[:12]}",
            base_ref=question.base_ref,
            base_commit=base,
            head_commit=group,
            merge_base=base,
            tree_commit=group,
        )
        changed_files = await mirror.changed_files(base, group)
        try:
            graph, texts, blobs = await self._units_of(tree)
            rules = (question.configuration, question.terrateam)
            found = await asyncio.to_thread(changed_units, graph, texts, changed_files, *rules)
            inputs = await asyncio.to_thread(unit_inputs, graph, texts, blobs, question.units, question.terrateam)
            if gone := [unit for unit in question.units if unit not in graph.units]:
                graph, texts, blobs = await self._units_of(tree.of_base())
                inputs |= await asyncio.to_thread(unit_inputs, graph, texts, blobs, gone, question.terrateam)
        finally:
            await self._work_trees.drop(tree.folder)
        stays = tuple(unit.unit for unit in found.changed if unit.status is not UnitStatus.DELETED)
        return GroupFound(changed=stays, inputs=inputs)

    async def _graph(self, tree: WorkTree, root: Path) -> UnitGraph:
        """Terragrunt is asked once about a commit, unless it was long ago."""
        graph = self._graphs.pop(tree.tree_commit, None) or await self.graph(root)
        self._graphs[tree.tree_commit] = graph
        if len(self._graphs) > _REMEMBERED:
            del self._graphs[next(iter(self._graphs))]
        return graph

    async def graph(self, root: Path) -> UnitGraph:
        """The units of a folder, by Terragrunt's own account."""
        is_new = self._command.version >= _FIND_SINCE
        arguments = _FIND if is_new else ("graph-dependencies",)
        environ = self._command.base_environment(os.environ) | _OWN_SETTINGS
        try:
            answer = await run_process(
                [self._command.terragrunt, *arguments], cwd=root, environ=environ, timeout=_LIMIT
            )
        except TimeoutError:
            raise failure(
                ErrorType.TIMEOUT, f"`terragrunt {arguments[0]}` took longer than {_LIMIT.seconds // 60} minutes."
            ) from None
        if answer.code != 0 and is_new:
            raise failure(ErrorType.CONFIGURATION, _cannot_list(arguments[0], answer.stderr, root))
        try:
            if is_new:
                return parse_find(answer.stdout)
            # An older Terragrunt tells nothing at all as long as one unit is broken; then its files have to do.
            return parse_graph_dependencies(answer.stdout, str(root)) if answer.code == 0 else UnitGraph()
        except UnreadableGraph as error:
            raise failure(ErrorType.CONFIGURATION, str(error)) from None

    async def _read_tree(self, tree: WorkTree, paths: Collection[str]) -> Tree:
        """From git, not from the folder: it may hold Terragrunt's caches, and links that lead anywhere."""
        mirror = self._work_trees.mirror(tree.repository)
        texts = await mirror.read_files(tree.tree_commit, [path for path in paths if path.endswith(SCANNED_SUFFIXES)])
        return Tree(frozenset(paths), texts)


def _with_lost_units(graph: UnitGraph, tree: Tree) -> tuple[UnitGraph, list[str]]:
    """Terragrunt leaves out, with exit code 0, units on a dependency cycle and those that depend on them."""
    folders = {dirname(path) for path in tree.paths if basename(path) in UNIT_FILES} - {""}
    includes = {path for unit in graph.units.values() for path in unit.includes}
    parents = {dirname(path) for path in includes if basename(path) in UNIT_FILES}
    lost = {folder for folder in folders - parents - graph.units.keys() if ".terragrunt-cache" not in folder}
    if not lost:
        return graph, []
    known = lost | graph.units.keys()
    found = [
        FoundUnit(path=unit, dependencies=static_dependencies(unit, tree, known), told_reads=False)
        for unit in sorted(lost)
    ]
    return graph.with_units(found), [
        f"Terragrunt could not place {_listed(sorted(lost))} in its graph of dependencies."
    ]


def _listed(units: Iterable[str]) -> str:
    names = [f"`{unit}`" for unit in units]
    return ", ".join(names[:10]) + (f" and {len(names) - 10} more" if len(names) > 10 else "")


def _cannot_list(command: str, stderr: str, root: Path) -> str:
    said = stderr.replace(f"{root}/", "").strip().splitlines()
    return f"`terragrunt {command}` could not list the units of the repository:\n" + "\n".join(said[-10:])
