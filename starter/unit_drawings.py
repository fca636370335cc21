"""Draws a graph of units: as text, in Graphviz' DOT, and for Mermaid."""

import json
from collections.abc import Iterable
from itertools import groupby

from starter.listed_units import ListedUnit, ListedUnits


def as_text(found: ListedUnits) -> str:
    """Wave by wave, each unit with what it depends on."""
    lines: list[str] = []
    for wave, units in groupby(found.units, key=lambda unit: unit.wave):
        members = list(units)
        environments = ", ".join(dict.fromkeys(unit.environment for unit in members if unit.environment))
        lines.append(f"wave {wave}" + (f" ({environments})" if environments else ""))
        for unit in members:
            lines.append(f"  {unit.unit}")
            lines += [f"    <- {dependency}" for dependency in unit.dependencies]
    return "\n".join(lines)


def as_dot(found: ListedUnits) -> str:
    """Arrows go from a unit to those that it depends on, as in Terragrunt's own graphs."""
    lines = ["digraph units {", "  rankdir=RL;", "  node [shape=box];"]
    for number, (environment, units) in enumerate(_by_environment(found)):
        indent = "  "
        if environment:
            lines += [f"  subgraph cluster_{number} {{", f"    label={json.dumps(environment)};"]
            indent = "    "
        lines += [f"{indent}{json.dumps(unit.unit)};" for unit in units]
        if environment:
            lines.append("  }")
    lines += [
        f"  {json.dumps(unit.unit)} -> {json.dumps(dependency)};"
        for unit in found.units
        for dependency in unit.dependencies
    ]
    return "\n".join([*lines, "}"])


def as_mermaid(found: ListedUnits) -> str:
    """The same for a Markdown page on GitHub."""
    names = {unit.unit: f"u{number}" for number, unit in enumerate(found.units)}
    lines = ["graph RL"]
    for number, (environment, units) in enumerate(_by_environment(found)):
        nodes = [f'{names[unit.unit]}["{unit.unit}"]' for unit in units]
        if environment:
            lines += [f'  subgraph e{number}["{environment}"]', *(f"    {node}" for node in nodes), "  end"]
        else:
            lines += [f"  {node}" for node in nodes]
    lines += [
        f"  {names[unit.unit]} --> {names[dependency]}" for unit in found.units for dependency in unit.dependencies
    ]
    return "\n".join(lines)


def _by_environment(found: ListedUnits) -> Iterable[tuple[str | None, list[ListedUnit]]]:
    groups: dict[str | None, list[ListedUnit]] = {}
    for unit in found.units:
        groups.setdefault(unit.environment, []).append(unit)
    return groups.items()
