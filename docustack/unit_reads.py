"""Which changed files a unit reads: those that Terragrunt tells, and those that only texts show (`file()`, modules)."""

import re
from collections.abc import Collection, Iterable, Mapping
from functools import cache
from posixpath import basename, dirname
from typing import NamedTuple

from docustack.hcl_literals import Expression, Literal, Scan, scan
from docustack.hcl_paths import READING, UNKNOWN, Place, pointed_at
from docustack.path_index import PathIndex
from docustack.unit_graph import FoundUnit, UnitGraph

UNIT_FILES = ("terragrunt.hcl", "terragrunt.hcl.json")
MODULE_SUFFIXES = (".tf", ".tofu", ".tf.json", ".tofu.json")
SCANNED_SUFFIXES = (".hcl", ".hcl.json", *MODULE_SUFFIXES)
"""The files whose texts are needed to find out what a unit reads."""

_UNKNOWN_OR_GLOB = re.compile(rf"[{UNKNOWN}*?\[{{]")
_NAME = re.compile(r"\.(\w+)")  # local.path, include.root.locals.path


class Tree(NamedTuple):
    """The files of the commit that is checked out, and the texts of those with `SCANNED_SUFFIXES`."""

    paths: frozenset[str]
    texts: Mapping[str, str]


class _Reads:
    """What one unit, or one module, reads of the changed files."""

    def __init__(self) -> None:
        self.files: set[str] = set()
        self.folders: set[str] = set()
        self.patterns: set[str] = set()
        self.modules: set[str] = set()  # folders of local modules
        self.anywhere_under: set[str] = set()  # folders in which something is read that can't be known
        self.attributes: set[str] = set()  # names that are given a value in the texts of the unit
        self.arguments: set[str] = set()  # what is read by name: the `local.path` of `file(local.path)`

    @property
    def read_names(self) -> set[str]:
        return {name for argument in self.arguments for name in _NAME.findall(argument)} & self.attributes

    def add_module(self, module: "_Reads") -> None:
        """Without `anywhere_under`: what a module reads by a variable, the texts of the unit name."""
        self.files |= module.files
        self.folders |= module.folders
        self.patterns |= module.patterns


class UnitReads:
    """Answers for one tree and one set of changed files, which may include deleted ones."""

    def __init__(
        self, tree: Tree, graph: UnitGraph, changed: Collection[str], deleted_units: Collection[str] = ()
    ) -> None:
        self._tree = tree
        self._units = {*graph.units, *deleted_units}
        self._changed = frozenset(changed)
        self._index = PathIndex(self._changed, self.owner, lambda path: path.endswith(SCANNED_SUFFIXES))
        self._changed_folders = {folder for path in self._changed for folder in folders_above(path)}
        self._unit_folders = {folder for unit in self._units for folder in (unit, *folders_above(unit))} | {""}
        self._in_folder: dict[str, list[str]] = {}
        for path in sorted(tree.texts):
            self._in_folder.setdefault(dirname(path), []).append(path)
        self._own_texts: dict[str, list[str]] = {}
        for path in sorted(tree.texts):
            owner = self.owner(path)
            if owner is not None:
                self._own_texts.setdefault(owner, []).append(path)
        self._scans: dict[str, Scan] = {}
        self._modules: dict[str, _Reads] = {}
        self._above = cache(self._nearest_above)

    def owner(self, path: str) -> str | None:
        """The unit in whose folder a file lies."""
        return next((folder for folder in folders_above(path) if folder in self._units), None)

    def own(self, unit: str) -> set[str]:
        """The changed files of a unit's own folder."""
        return {path for path in self._index.under(unit) if self.owner(path) == unit}

    def of(self, unit: FoundUnit) -> set[str]:
        """The changed files that a unit reads, without those of its own folder."""
        reads = self._read_texts(unit, frozenset())
        if reads.read_names:  # where these get their values, a text that only Terragrunt could complete counts too
            reads = self._read_texts(unit, frozenset(reads.read_names))
        if any(reads.read_names.isdisjoint(_NAME.findall(argument)) for argument in reads.arguments):
            reads.anywhere_under.add("")
        self._add_modules(reads)
        found = reads.files.union(*(self._index.under(folder) for folder in reads.folders))
        found.update(*(self._index.matching(pattern) for pattern in reads.patterns))
        found.update(*(self._index.data_under(folder, unit.path) for folder in reads.anywhere_under))
        return found

    def _read_texts(self, unit: FoundUnit, read_names: frozenset[str]) -> _Reads:
        """Everything that Terragrunt has told, and what the unit's own files and those that they lead to point to."""
        reads = _Reads()
        told = {*unit.includes, *unit.reading}
        reads.files |= told & self._changed
        for folder in {dirname(path) for path in told if path.endswith(MODULE_SUFFIXES)}:
            self._add_folder(folder, reads)
        ahead = [path for path in (*self._own_texts.get(unit.path, ()), *sorted(told)) if path in self._tree.texts]
        seen: set[str] = set()
        while ahead:
            path = ahead.pop()
            if path not in seen and not (path.endswith(MODULE_SUFFIXES) and self.owner(path) != unit.path):
                seen.add(path)
                ahead += self._read(path, unit, reads, read_names)
        return reads

    def _read(self, path: str, unit: FoundUnit, reads: _Reads, read_names: frozenset[str]) -> list[str]:
        """Add what one file of a unit points to; gives the files that have to be read in turn."""
        place = Place(
            file=path,
            unit=unit.path,
            includes=unit.includes,
            bases=tuple(dict.fromkeys([unit.path, dirname(path), ""])),
            nearest=lambda name: self._above(unit.path, name),
        )
        following: list[str] = []
        for literal in self._literals(path, unit, reads, read_names):
            for pointed in pointed_at(literal, place):
                if pointed.is_pattern:
                    self._add_pattern(pointed.path, unit.told_reads, reads)
                elif self._is_other_unit(pointed.path, unit, literal):
                    continue
                else:
                    self._add_path(pointed.path, is_path=pointed.is_path, reads=reads)
                    if pointed.path.endswith((".hcl", ".hcl.json")) and pointed.path in self._tree.texts:
                        following.append(pointed.path)
        return following

    def _literals(self, path: str, unit: FoundUnit, reads: _Reads, read_names: frozenset[str]) -> Iterable[Literal]:
        """The literals of a file; those that give a value to a name which `file()` reads count as read."""
        scanned = self._scan(path)
        reads.attributes.update(literal.attribute for literal in scanned.literals)
        reads.arguments.update(
            argument
            for call, argument in scanned.bare_calls
            if "." in argument and _reads_what_cannot_be_known(call, unit)
        )
        for literal in scanned.literals:
            only_named = _only_named(literal)
            if only_named:
                reads.arguments.add(only_named)
            elif literal.attribute in read_names:
                yield literal._replace(calls=(*literal.calls, "file"))
            else:
                yield literal

    def _add_path(self, path: str, *, is_path: bool, reads: _Reads) -> None:
        if path in self._changed:
            reads.files.add(path)
        if is_path and path not in self._unit_folders:
            self._add_folder(path, reads)

    def _add_folder(self, folder: str, reads: _Reads) -> None:
        if folder in self._unit_folders:
            return
        if folder in self._changed_folders:
            reads.folders.add(folder)
        if any(path.endswith(MODULE_SUFFIXES) for path in self._in_folder.get(folder, ())):
            reads.modules.add(folder)

    def _add_modules(self, reads: _Reads) -> None:
        """Add what the local modules read, and those that they call in turn."""
        ahead, done = set(reads.modules), set[str]()
        while ahead:
            folder = ahead.pop()
            done.add(folder)
            module = self._module(folder)
            reads.add_module(module)
            ahead |= module.modules - done

    def _module(self, folder: str) -> _Reads:
        """What the files of a module point to: the same for every unit that uses it."""
        if folder not in self._modules:
            reads = self._modules[folder] = _Reads()
            for path in self._in_folder[folder]:
                place = Place(file=path, unit=folder, includes=(), bases=(folder,), nearest=lambda _: ())
                for pointed in (found for literal in self._scan(path).literals for found in pointed_at(literal, place)):
                    if pointed.is_pattern:
                        self._add_pattern(pointed.path, told_reads=True, reads=reads)
                    else:
                        self._add_path(pointed.path, is_path=pointed.is_path, reads=reads)
        return self._modules[folder]

    def _add_pattern(self, path: str, told_reads: bool, reads: _Reads) -> None:
        if told_reads and path.endswith(".hcl"):  # which one it is, Terragrunt has told
            return
        if re.search(r"\w", basename(path).replace(UNKNOWN, "")):
            reads.patterns.add(path.replace(UNKNOWN, "**"))
        else:
            reads.anywhere_under.add(dirname(_UNKNOWN_OR_GLOB.split(path, maxsplit=1)[0]))

    def _is_other_unit(self, path: str, unit: FoundUnit, literal: Literal) -> bool:
        """A dependency is named by its folder or its file; it is another unit, not a file that is read."""
        if "read_terragrunt_config" in literal.calls:
            return False
        return basename(path) in UNIT_FILES and dirname(path) in self._units and dirname(path) != unit.path

    def _scan(self, path: str) -> Scan:
        if path not in self._scans:
            self._scans[path] = scan(self._tree.texts.get(path, ""))
        return self._scans[path]

    def _nearest_above(self, unit: str, name: str) -> tuple[str, ...]:
        """Candidates in the folders above a unit, up to the first that is there: a deleted one may have been nearer."""
        found: list[str] = []
        for folder in folders_above(unit):
            path = f"{folder}/{name}" if folder else name
            if path in self._tree.paths:
                return (*found, path)
            if path in self._changed:
                found.append(path)
        return tuple(found)


def static_dependencies(unit: str, tree: Tree, units: Collection[str]) -> tuple[str, ...]:
    """The units that a unit's own file names as dependencies; for where Terragrunt doesn't tell."""
    place = Place(file=f"{unit}/terragrunt.hcl", unit=unit, includes=(), bases=(unit,), nearest=lambda _: ())
    named = {
        pointed.path.removesuffix("/terragrunt.hcl")
        for name in UNIT_FILES
        for literal in scan(tree.texts.get(f"{unit}/{name}", "")).literals
        if literal.attribute in ("config_path", "paths")
        for pointed in pointed_at(literal, place)
    }
    return tuple(sorted(path for path in named if path in units and path != unit))


def folders_above(path: str) -> Iterable[str]:
    """The folders in which a path lies, the nearest first, the root (`""`) last."""
    while path:
        path = dirname(path)
        yield path


def _only_named(literal: Literal) -> str | None:
    """The name in `file("${local.path}")`, which is `file(local.path)`."""
    if len(literal.parts) != 1 or READING.isdisjoint(literal.calls[:1]):
        return None
    part = literal.parts[0]
    return part.text if isinstance(part, Expression) and re.fullmatch(r"\w+(\.\w+)+", part.text) else None


def _reads_what_cannot_be_known(call: str, unit: FoundUnit) -> bool:
    if call in ("read_terragrunt_config", "mark_as_read", "mark_glob_as_read") and unit.told_reads:
        return False
    return call in READING
