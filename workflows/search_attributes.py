"""What Temporal's own UI can be asked: which runs touch a unit, an environment, a pull request, and how they stand."""

from collections.abc import Iterable, Sequence
from typing import Any

from temporalio.common import (
    SearchAttributeKey,
    SearchAttributePair,
    SearchAttributeUpdate,
    TypedSearchAttributes,
)

REPOSITORY = SearchAttributeKey.for_keyword("DocustackRepository")
ENVIRONMENT = SearchAttributeKey.for_keyword_list("DocustackEnvironment")
UNITS = SearchAttributeKey.for_keyword_list("DocustackUnits")
PULL_REQUEST = SearchAttributeKey.for_int("DocustackPullRequest")
ACTOR = SearchAttributeKey.for_keyword("DocustackActor")
STATUS = SearchAttributeKey.for_keyword("DocustackStatus")

_UNITS_BYTES = 1_600
"""A value has at most 2,048 bytes: more refuses a start, and an upsert terminates the workflow."""


def of_pull_request(repository: str, number: int, actor: str | None = None) -> TypedSearchAttributes:
    """What is known of a workflow when it starts."""
    pairs: list[SearchAttributePair[Any]] = [
        SearchAttributePair(REPOSITORY, repository),
        SearchAttributePair(PULL_REQUEST, number),
    ]
    if actor:
        pairs.append(SearchAttributePair(ACTOR, actor))
    return TypedSearchAttributes(pairs)


def of_units(units: Sequence[str], environments: Iterable[str]) -> list[SearchAttributeUpdate[Sequence[str]]]:
    """The units and environments of a run; of many units as many as fit."""
    return [UNITS.value_set(capped(units)), ENVIRONMENT.value_set(sorted(set(environments))[:20])]


def capped(units: Sequence[str]) -> list[str]:
    """As many as fit; the count of all stands in the workflow's summary."""
    fitting: list[str] = []
    size = 0
    for unit in units:
        size += len(unit.encode()) + 8
        if size > _UNITS_BYTES:
            break
        fitting.append(unit)
    return fitting
