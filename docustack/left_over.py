"""What a run leaves over of a pull request: changed units without a plan, and units that still wait for their apply."""

from collections.abc import Collection

from docustack.runs import RunInput


def without_plan(units: Collection[str], start: RunInput) -> list[str]:
    """Units of which no run before has left a plan that counts, nor an apply."""
    known = {plan.unit for plan in start.plans} | set(start.deferred) | set(start.applied)
    return sorted(set(units) - known)


def left_to_plan(changed: Collection[str], start: RunInput, done: Collection[str]) -> list[str]:
    """Changed units that neither this run (`done`) nor an earlier one has planned."""
    return sorted(set(without_plan(changed, start)) - set(done))


def left_to_apply(changed: Collection[str], start: RunInput, done: Collection[str]) -> list[str]:
    """Units that neither this run (`done`) nor an earlier one applied: those with changes, and those without a plan.

    Nobody knows what a unit without a plan would do, so it can't count as having nothing to do.
    """
    waiting = start.to_apply - set(start.applied)
    return sorted((waiting | set(without_plan(changed, start))) - set(done))
