"""Digests of what units are made from: every file of the tree that a unit reads, by git's own names of its content."""

import hashlib
from collections.abc import Collection, Iterable, Mapping

from docustack.base_moves import MovedInputs
from docustack.plans import Digest
from docustack.terrateam import TerrateamConfiguration
from docustack.unit_graph import UnitGraph
from docustack.unit_reads import Tree, UnitReads

_MOST_FILES = 20


def unit_inputs(
    graph: UnitGraph,
    tree: Tree,
    blobs: Mapping[str, str],
    units: Iterable[str],
    terrateam: TerrateamConfiguration,
) -> dict[str, Digest]:
    """One digest for each unit that is in the tree: equal as long as nothing that it reads is another.

    The same files as in `changed_units`, found by the same rules: what would make a unit a changed one, were it
    changed, is what its plan is made from. `blobs` gives for each path what git calls its content, and its mode.
    """
    reads = UnitReads(tree, graph, blobs.keys())
    tied = [path for path in blobs if terrateam.dirs]
    digests: dict[str, Digest] = {}
    for name in sorted({*units} & graph.units.keys()):
        files = reads.own(name) | reads.of(graph.units[name])
        files.update(path for path in tied if terrateam.adds_unit(path, name))
        digests[name] = _digest(files, blobs)
    return digests


def moved_inputs(graph: UnitGraph, tree: Tree, moved: Collection[str], units: Iterable[str]) -> list[MovedInputs]:
    """Which of the files that have moved the units read; also those that are no longer there."""
    reads = UnitReads(tree, graph, moved)
    found = []
    for name in units:
        if name in graph.units:
            files = sorted(reads.own(name) | reads.of(graph.units[name]))
            found.append(MovedInputs(unit=name, files=tuple(files[:_MOST_FILES]), count=len(files)))
    return found


def _digest(files: Iterable[str], blobs: Mapping[str, str]) -> Digest:
    content = hashlib.sha256()
    for path in sorted(files):
        content.update(f"{path}\0{blobs[path]}\n".encode(errors="surrogateescape"))
    return f"sha256:{content.hexdigest()}"
