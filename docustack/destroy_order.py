"""When a deleted unit may be destroyed: after all that depended on it has let go of it, and never before."""

from collections.abc import Collection, Iterable, Mapping, Sequence

from docustack.configuration import Configuration
from docustack.deleted_units import DeletedUnit, Fate
from docustack.plans import PlanRecord
from docustack.repository import Discovery
from docustack.runs import UnitOutcome, UnitPhase
from docustack.units import ended_badly_before, how_it_ended, waves_by_environment


def order_of(discovery: Discovery, deleted: Sequence[DeletedUnit]) -> dict[str, tuple[str, ...]]:
    """For every unit those that come before it: its dependencies; of a deleted unit, those that depended on it.

    Of a unit that goes on under another name it is the new one that lets go.
    """
    heirs = _heirs(deleted)
    return {
        **discovery.dependencies,
        **{each.unit: tuple(heirs.get(other, other) for other in each.dependants) for each in discovery.deletions},
    }


def destroy_waves(
    configuration: Configuration, order: Mapping[str, tuple[str, ...]], destroyed: Iterable[str]
) -> list[list[str]]:
    """Waves of destructions, dependants first, none of them with units of two environments."""
    waves: list[list[str]] = []
    for wave in waves_by_environment(configuration, order, destroyed):
        by_environment: dict[str | None, list[str]] = {}
        for unit in wave:
            by_environment.setdefault(configuration.environment_of(unit), []).append(unit)
        waves += by_environment.values()
    return waves


def still_holding(
    unit: str,
    order: Mapping[str, tuple[str, ...]],
    chosen: Collection[str],
    settled: Collection[str],
) -> tuple[str, ...]:
    """Units that have to come first and neither come in this run nor are done with: then `unit` is not destroyed."""
    return tuple(sorted(other for other in order.get(unit, ()) if other not in chosen and other not in settled))


def settled_units(
    discovery: Discovery, deleted: Sequence[DeletedUnit], plans: Iterable[PlanRecord], applied: Iterable[str]
) -> set[str]:
    """Units of which nothing is left to do: applied at this commit, planned without changes, or owning nothing."""
    without_changes = {plan.unit for plan in plans if plan.summary.is_empty and not plan.is_preview and not plan.spent}
    nothing_left = {each.unit for each in deleted if each.fate in (Fate.NOTHING_LEFT, Fate.GONE)}
    return {*applied} | without_changes | nothing_left


def not_destroyed_because(
    unit: str, environment: str, order: Mapping[str, tuple[str, ...]], outcomes: Mapping[str, UnitOutcome]
) -> str | None:
    """Why a unit is not destroyed in spite of the command: what comes before it, or another environment, failed."""
    if bad := ended_badly_before(unit, order, outcomes):
        return f"`{bad.unit}` has to let go of it first, and it {how_it_ended(bad)}."
    for other in outcomes.values():
        if other.environment != environment and other.phase in (UnitPhase.FAILED, UnitPhase.UNKNOWN):
            return f"`{other.unit}` failed, and nothing is destroyed in another environment after that."
    return None


def _heirs(deleted: Iterable[DeletedUnit]) -> dict[str, str]:
    return {each.unit: each.because[0] for each in deleted if each.fate in (Fate.MOVED, Fate.COPIED) and each.because}
