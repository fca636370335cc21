"""A saved plan is applied only if it was made from the outputs that its dependencies have now: every combination."""

import itertools

import pytest

from docustack.plans import (
    DependencyOutputs,
    OutputsKind,
    PlanRecord,
    PlanSummary,
    PlanVerdict,
    judge_plan,
)

OLD, NEW = "sha256:old", "sha256:new"
STATES = [
    (OutputsKind.REAL, OLD),
    (OutputsKind.REAL, NEW),
    (OutputsKind.REAL, None),
    (OutputsKind.MOCK, None),
    (OutputsKind.MOCK, OLD),
    (OutputsKind.MISSING, None),
]
"""What a dependency can have, then or now; a mock of some keys only carries the digest of the real ones."""


def outputs(unit: str, state: tuple[OutputsKind, str | None]) -> DependencyOutputs:
    return DependencyOutputs(unit=unit, kind=state[0], digest=state[1])


def plan(*dependencies: DependencyOutputs, spent: bool = False) -> PlanRecord:
    return PlanRecord(
        unit="dev/us-east-1/ecs-cluster",
        run_id="1",
        commit="a" * 40,
        tree_commit="b" * 40,
        digest="sha256:plan",
        summary=PlanSummary(add=1),
        dependencies=dependencies,
        binary="binary",
        json_document="json",
        text="text",
        log="log",
        spent=spent,
    )


@pytest.mark.parametrize("then, now", list(itertools.product(STATES, STATES)))
def test_one_dependency_allows_a_plan_only_with_equal_real_outputs(
    then: tuple[OutputsKind, str | None], now: tuple[OutputsKind, str | None]
) -> None:
    verdict = judge_plan(plan(outputs("vpc", then)), (outputs("vpc", now),))
    real_and_equal = then == now and then[0] is OutputsKind.REAL
    assert verdict is (PlanVerdict.APPLY if real_and_equal else PlanVerdict.PLAN_AGAIN)


@pytest.mark.parametrize("first, second", list(itertools.product(STATES, STATES)))
def test_of_two_dependencies_each_has_to_be_as_it_was(
    first: tuple[OutputsKind, str | None], second: tuple[OutputsKind, str | None]
) -> None:
    made_with = (outputs("vpc", (OutputsKind.REAL, OLD)), outputs("rds", (OutputsKind.REAL, NEW)))
    verdict = judge_plan(plan(*made_with), (outputs("vpc", first), outputs("rds", second)))
    unchanged = first == (OutputsKind.REAL, OLD) and second == (OutputsKind.REAL, NEW)
    assert verdict is (PlanVerdict.APPLY if unchanged else PlanVerdict.PLAN_AGAIN)


def test_the_order_in_which_dependencies_are_told_does_not_matter() -> None:
    vpc, rds = outputs("vpc", (OutputsKind.REAL, OLD)), outputs("rds", (OutputsKind.REAL, NEW))
    assert judge_plan(plan(vpc, rds), (rds, vpc)) is PlanVerdict.APPLY


def test_a_plan_without_dependencies_may_be_applied() -> None:
    assert judge_plan(plan(), ()) is PlanVerdict.APPLY


@pytest.mark.parametrize(
    "then, now",
    [
        ((), ("vpc",)),
        (("vpc",), ()),
        (("vpc",), ("rds",)),
        (("vpc",), ("vpc", "rds")),
        (("vpc", "rds"), ("vpc",)),
    ],
)
def test_other_dependencies_than_it_was_made_with_want_a_new_plan(then: tuple[str, ...], now: tuple[str, ...]) -> None:
    made_with = tuple(outputs(unit, (OutputsKind.REAL, OLD)) for unit in then)
    present = tuple(outputs(unit, (OutputsKind.REAL, OLD)) for unit in now)
    assert judge_plan(plan(*made_with), present) is PlanVerdict.PLAN_AGAIN


@pytest.mark.parametrize("dependencies", [(), (outputs("vpc", (OutputsKind.REAL, OLD)),)])
def test_a_spent_plan_is_never_applied_again(dependencies: tuple[DependencyOutputs, ...]) -> None:
    assert judge_plan(plan(*dependencies, spent=True), dependencies) is PlanVerdict.PLAN_AGAIN


@pytest.mark.parametrize(
    "kinds, preview",
    [
        ((), False),
        ((OutputsKind.REAL,), False),
        ((OutputsKind.MOCK,), True),
        ((OutputsKind.MISSING,), False),
        ((OutputsKind.REAL, OutputsKind.MOCK), True),
    ],
)
def test_a_plan_is_a_preview_as_soon_as_one_dependency_gave_mocks(
    kinds: tuple[OutputsKind, ...], preview: bool
) -> None:
    dependencies = [outputs(f"unit-{index}", (kind, None)) for index, kind in enumerate(kinds)]
    assert plan(*dependencies).is_preview is preview


@pytest.mark.parametrize("field", ["add", "change", "destroy", "outputs_changed"])
def test_a_plan_that_changes_anything_is_not_empty(field: str) -> None:
    assert PlanSummary().is_empty
    assert not PlanSummary(**{field: 1}).is_empty
