"""Which units a command means, and in which order they are applied: waves, environment after environment."""

import difflib
from collections.abc import Collection, Iterable, Mapping

from docustack.configuration import Configuration
from docustack.errors import DocuStackError
from docustack.globs import covers
from docustack.runs import ENDED_BADLY, UnitOutcome, UnitPhase

Dependencies = Mapping[str, Iterable[str]]
"""The direct dependencies of every unit of the tree, those that aren't selected included."""


class DependencyCycle(DocuStackError):
    """Units depend on each other in a circle, so none of them can be first; `cycle` ends with its first unit."""

    def __init__(self, cycle: list[str]) -> None:
        self.cycle = cycle
        super().__init__(
            "These units depend on each other in a circle, so none can be applied first: "
            + " -> ".join(f"`{unit}`" for unit in cycle)
            + ". Remove one of the `dependency` or `dependencies` blocks."
        )


class UnknownDirectory(DocuStackError):
    """A command names a directory in which the pull request changes no unit; `changed` are those where it does."""

    def __init__(self, directory: str, changed: tuple[str, ...]) -> None:
        self.directory = directory
        self.changed = changed
        close = difflib.get_close_matches(directory, changed, n=1)
        self.nearest = close[0] if close else None
        meant = f" Did you mean `{self.nearest}`?" if self.nearest else ""
        listed = ", ".join(f"`{unit}`" for unit in changed) or "no unit"
        super().__init__(f"`{directory}` is not a unit that this pull request changes.{meant} It changes {listed}.")

    def is_in(self, units: Iterable[str]) -> bool:
        """Whether it names any of these."""
        return any(covers(_plain(self.directory), unit) for unit in units)


def select(changed: Iterable[str], directories: Iterable[str]) -> tuple[str, ...]:
    """The changed units that a command names: by path, by a directory above them, or by a glob; none named is all.

    Raises:
        UnknownDirectory: for the first one that names none of them.
    """
    units = tuple(sorted(changed))
    chosen: set[str] = set()
    named = False
    for directory in directories:
        named = True
        found = [unit for unit in units if covers(_plain(directory), unit)]
        if not found:
            raise UnknownDirectory(directory, units)
        chosen.update(found)
    return tuple(unit for unit in units if unit in chosen) if named else units


def _plain(directory: str) -> str:
    """People write `./dev/`, `/dev`, or the unit's file."""
    parts = [part for part in directory.strip().split("/") if part not in ("", ".")]
    if parts and parts[-1] in ("terragrunt.hcl", "terragrunt.hcl.json"):
        parts.pop()
    return "/".join(parts)


def waves(units: Iterable[str], dependencies: Dependencies) -> list[list[str]]:
    """Units in waves: each one's dependencies lie in earlier waves, also those it has through units not selected.

    Raises:
        DependencyCycle: a selected unit depends on itself.
    """
    needs = _needs(set(units), dependencies)
    result: list[list[str]] = []
    done: set[str] = set()
    while len(done) < len(needs):
        wave = sorted(unit for unit, needed in needs.items() if unit not in done and needed <= done)
        if not wave:
            raise DependencyCycle(_cycle(set(needs) - done, dependencies))
        result.append(wave)
        done.update(wave)
    return result


def waves_by_environment(
    configuration: Configuration, dependencies: Dependencies, units: Iterable[str]
) -> list[list[str]]:
    """Waves that never mix environments, which follow each other as the file lists them.

    Only where a unit depends on one of an environment that is listed later does that environment come first; and where
    environments depend on each other both ways, units come in the order of their dependencies alone.
    """
    left: dict[str | None, set[str]] = {}
    for unit in units:
        left.setdefault(configuration.environment_of(unit), set()).add(unit)
    order: list[str | None] = [*configuration.environment_order(), None]
    needs = _needs({unit for group in left.values() for unit in group}, dependencies)
    result: list[list[str]] = []
    while left:
        waiting = {unit for group in left.values() for unit in group}
        free = [name for name in order if name in left and not reach(left[name], needs) & (waiting - left[name])]
        if not free:
            return result + waves(waiting, dependencies)
        result += waves(left.pop(free[0]), dependencies)
    return result


def in_apply_order(configuration: Configuration, dependencies: Dependencies, units: Iterable[str]) -> list[str]:
    """The same as one list."""
    return [unit for wave in waves_by_environment(configuration, dependencies, units) for unit in wave]


def skipped_because(unit: str, dependencies: Dependencies, outcomes: Mapping[str, UnitOutcome]) -> str | None:
    """Why a unit is not applied: a unit that it depends on, directly or not, did not end well; None where all did."""
    bad = ended_badly_before(unit, dependencies, outcomes)
    return f"It depends on `{bad.unit}`, which {how_it_ended(bad)}." if bad else None


def ended_badly_before(unit: str, order: Dependencies, outcomes: Mapping[str, UnitOutcome]) -> UnitOutcome | None:
    """The end of a unit that has to come first, directly or not, and did not end well."""
    for other in sorted(reach([unit], order) - {unit}):
        ended = outcomes.get(other)
        if ended is not None and ended.phase in ENDED_BADLY:
            return ended
    return None


def how_it_ended(outcome: UnitOutcome) -> str:
    return "was skipped" if outcome.phase is UnitPhase.SKIPPED else "failed"


def dependants(units: Collection[str], dependencies: Dependencies) -> set[str]:
    """All units that depend on one of these, directly or not; the units themselves only if they do so too."""
    reverse: dict[str, set[str]] = {}
    for unit, needed in dependencies.items():
        for other in needed:
            reverse.setdefault(other, set()).add(unit)
    return reach(units, reverse)


def _needs(selected: set[str], dependencies: Dependencies) -> dict[str, set[str]]:
    """For each selected unit the selected ones that it depends on, directly or through others."""
    return {unit: reach([unit], dependencies) & selected for unit in selected}


def reach(start: Iterable[str], edges: Dependencies) -> set[str]:
    """All that these units lead to, directly or not; they themselves only where they lead back to themselves."""
    reached: set[str] = set()
    ahead = [other for unit in start for other in edges.get(unit, ())]
    while ahead:
        unit = ahead.pop()
        if unit not in reached:
            reached.add(unit)
            ahead.extend(edges.get(unit, ()))
    return reached


def _cycle(stuck: set[str], dependencies: Dependencies) -> list[str]:
    """The shortest circle through the first of the units that wait for themselves."""
    start = min(unit for unit in stuck if unit in reach([unit], dependencies))
    paths = [[start]]
    seen: set[str] = set()
    for path in paths:
        for other in sorted(dependencies.get(path[-1], ())):
            if other == start:
                return [*path, start]
            if other not in seen:
                seen.add(other)
                paths.append([*path, other])
    raise AssertionError("a unit that reaches itself is on a circle")
