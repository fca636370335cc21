"""How long the units of an environment will take, told by how long they took before."""

from collections.abc import Collection, Mapping

from docustack.configuration import Configuration
from docustack.units import DependencyCycle, waves

_UNITS_TO_BE_SURE = 0.5
"""Of fewer than this share of the units nothing would be known: then no time is told."""


def expected_seconds(
    configuration: Configuration,
    units: Collection[str],
    dependencies: Mapping[str, tuple[str, ...]],
    took: Mapping[str, float],
) -> float | None:
    """Wave by wave, as many at once as are applied at once; None where too little is known.

    A unit that was never applied counts as its like in another environment does, `prod/us-east-1/vpc` as
    `dev/us-east-1/vpc`, else as the others on average.
    """
    known = {unit: seconds for unit in units if (seconds := _seconds(configuration, unit, took)) is not None}
    if not units or len(known) < len(units) * _UNITS_TO_BE_SURE:
        return None
    average = sum(known.values()) / len(known)
    try:
        order = waves(sorted(units), dependencies)
    except DependencyCycle:
        return None
    total = 0.0
    for wave in order:
        times = [known.get(unit, average) for unit in wave]
        total += max(*times, sum(times) / configuration.apply.parallelism)
    return total


def units_of(configuration: Configuration, environment: str, dependencies: Mapping[str, object]) -> list[str]:
    """The environment's units, as far as an earlier run has found them."""
    return sorted(unit for unit in dependencies if configuration.environment_of(unit) == environment)


def _seconds(configuration: Configuration, unit: str, took: Mapping[str, float]) -> float | None:
    if unit in took:
        return took[unit]
    own = configuration.environment_of(unit)
    if own is None:
        return None
    below = unit.removeprefix(configuration.environments[own].path)
    like = [took[rules.path + below] for rules in configuration.environments.values() if rules.path + below in took]
    return max(like, default=None)
