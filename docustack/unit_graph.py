"""The units of a live repository and what each depends on and reads, as Terragrunt tells it."""

import re
from collections.abc import Iterable

from pydantic import TypeAdapter, ValidationError

from docustack.errors import DocuStackError
from docustack.model import Model


class UnreadableGraph(DocuStackError):
    """Terragrunt's answer isn't in any form that is known."""


class FoundUnit(Model):
    """A unit and the files it reads, by paths from the root.

    `told_reads` is False where Terragrunt couldn't or can't tell (an older version, a unit on a dependency cycle): then
    all that is known of what it reads comes from reading its text.
    """

    path: str
    dependencies: tuple[str, ...] = ()
    includes: tuple[str, ...] = ()
    reading: tuple[str, ...] = ()
    told_reads: bool = True


class UnitGraph(Model):
    """All units by their path; `stacks` are directories whose units exist only after `terragrunt stack generate`."""

    units: dict[str, FoundUnit] = {}
    stacks: tuple[str, ...] = ()

    def dependencies(self) -> dict[str, tuple[str, ...]]:
        """Direct dependencies that are units themselves."""
        return {
            unit.path: tuple(other for other in unit.dependencies if other in self.units)
            for unit in self.units.values()
        }

    def with_units(self, units: Iterable[FoundUnit]) -> "UnitGraph":
        return self.model_copy(update={"units": {**self.units, **{unit.path: unit for unit in units}}})


class _Component(Model):
    """One entry of `terragrunt find --json`; Terragrunt 1.x promises to keep this form."""

    type: str
    path: str
    dependencies: tuple[str, ...] = ()
    include: dict[str, str] = {}
    reading: tuple[str, ...] = ()


_COMPONENTS = TypeAdapter(list[_Component])


def parse_find(text: str) -> UnitGraph:
    """Read the answer of `terragrunt find --dependencies --include --reading --json`.

    A `terragrunt.hcl` that others include is their parent, not a unit: only Terragrunt counts it as one.
    """
    try:
        components = _COMPONENTS.validate_json(text)
    except ValidationError as error:
        raise UnreadableGraph(f"`terragrunt find` answered something else than its JSON: {text[:200]!r}") from error
    parents = {path for component in components for path in component.include.values()}
    units = {
        component.path: FoundUnit(
            path=component.path,
            dependencies=tuple(sorted(set(component.dependencies))),
            includes=tuple(sorted(set(component.include.values()))),
            reading=component.reading,
        )
        for component in components
        if component.type == "unit" and component.path != "." and f"{component.path}/terragrunt.hcl" not in parents
    }
    stacks = tuple(sorted(component.path for component in components if component.type == "stack"))
    return UnitGraph(units=units, stacks=stacks)


_NODE = re.compile(
    r'^\s*"(?P<unit>[^"]+)"(?:\s*->\s*"(?P<dependency>[^"]+)")?\s*(?:\[[^\]]*\])?\s*;?\s*$', re.MULTILINE
)


def parse_graph_dependencies(text: str, root: str) -> UnitGraph:
    """Read the answer of `terragrunt graph-dependencies` (0.5x): a graph in DOT; it tells nothing of files read.

    Args:
        root: the folder in which it ran, since versions differ in whether they print whole paths.
    """
    if "digraph" not in text:
        raise UnreadableGraph(f"`terragrunt graph-dependencies` answered something else than a graph: {text[:200]!r}")
    edges: dict[str, set[str]] = {}
    for match in _NODE.finditer(text):
        unit = _relative(match["unit"], root)
        edges.setdefault(unit, set())
        if match["dependency"]:
            dependency = _relative(match["dependency"], root)
            edges.setdefault(dependency, set())
            edges[unit].add(dependency)
    return _without_reads(edges)


def _without_reads(edges: dict[str, set[str]]) -> UnitGraph:
    return UnitGraph(
        units={
            unit: FoundUnit(path=unit, dependencies=tuple(sorted(needed)), told_reads=False)
            for unit, needed in sorted(edges.items())
            if unit not in ("", ".")
        }
    )


def _relative(path: str, root: str) -> str:
    prefix = root.rstrip("/") + "/"
    return path.removeprefix(prefix) if path != root.rstrip("/") else "."
