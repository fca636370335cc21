"""What Temporal's own UI can be asked: which runs touch a unit, an environment, a pull request, and how they stand."""

from collections.abc import Iterable, Sequence
from typing import Any

from temporalio.common import (
    SearchAttributeKey,
    SearchAttributePair,
    SearchAttributeUpdate,
    TypedSearchAttributes,
)

from docustack import visibility
from docustack.visibility import capped, capped_and_marked

REPOSITORY = SearchAttributeKey.for_keyword(visibility.REPOSITORY)
ENVIRONMENT = SearchAttributeKey.for_keyword_list(visibility.ENVIRONMENT)
UNITS = SearchAttributeKey.for_keyword_list(visibility.UNITS)
PULL_REQUEST = SearchAttributeKey.for_int(visibility.PULL_REQUEST)
BASE_BRANCH = SearchAttributeKey.for_keyword(visibility.BASE_BRANCH)
ACTOR = SearchAttributeKey.for_keyword(visibility.ACTOR)
STATUS = SearchAttributeKey.for_keyword(visibility.STATUS)


def of_pull_request(repository: str, number: int, actor: str | None = None) -> TypedSearchAttributes:
    """What is known of a workflow when it starts."""
    pairs: list[SearchAttributePair[Any]] = [
        SearchAttributePair(REPOSITORY, repository),
        SearchAttributePair(PULL_REQUEST, number),
    ]
    if actor:
        pairs.append(SearchAttributePair(ACTOR, actor))
    return TypedSearchAttributes(pairs)


def of_order(repository: str, actor: str) -> list[SearchAttributeUpdate[str]]:
    """What is known of a run without a pull request, whoever has started it."""
    return [REPOSITORY.value_set(repository), ACTOR.value_set(actor)]


def of_units(units: Sequence[str], environments: Iterable[str]) -> list[SearchAttributeUpdate[Sequence[str]]]:
    """The units and environments of a run; of many units as many as fit."""
    return [UNITS.value_set(capped(units)), ENVIRONMENT.value_set(sorted(set(environments))[:20])]


def of_plans(units: Iterable[str]) -> SearchAttributeUpdate[Sequence[str]]:
    """The units that a pull request has plans for: by them it is found when one of them comes free."""
    return UNITS.value_set(capped_and_marked(sorted(units)))
