"""What is no order at all, whatever the repository holds."""

import pytest

from docustack.orders import MANY, order_problem
from docustack.runs import ManualOrder, Operation

UNIT = "dev/us-east-1/vpc"


def problem(operation: Operation = Operation.APPLY, *paths: str, **order: object) -> str:
    return order_problem(operation, paths or (UNIT,), ManualOrder.model_validate(order))


@pytest.mark.parametrize("operation", ["plan", "apply", "destroy", "refresh"])
def test_what_is_whole_is_an_order(operation: str) -> None:
    assert problem(Operation(operation), UNIT, "dev", ref="feature/x") == ""


def test_an_unlock_is_none() -> None:
    assert "nothing that can be ordered" in problem(Operation.UNLOCK)


@pytest.mark.parametrize("path", ["/etc", "../x", "a/../b", "", ".", "a\nb", "x" * 301])
def test_a_path_stays_within_the_repository(path: str) -> None:
    assert problem(Operation.PLAN, path)


@pytest.mark.parametrize("ref", ["-x", "--upload-pack=x", "a b", "a..b", "a\nb", "x" * 251])
def test_a_ref_is_no_option_of_gits(ref: str) -> None:
    assert "no branch, tag or commit" in problem(ref=ref)


def test_targets_and_imports_are_of_one_unit() -> None:
    assert "name one path" in problem(Operation.APPLY, "dev/a", "dev/b", targets=("aws_vpc.main",))
    given = {"address": "aws_vpc.main", "resource_id": "vpc-1"}
    assert "name one path" in problem(Operation.IMPORT, "dev/a", "dev/b", **given)
    assert problem(Operation.IMPORT, "dev/a", **given) == ""
    assert problem(Operation.IMPORT, "dev/a", address="aws_vpc.main")
    assert problem(Operation.IMPORT, "dev/a", resource_id="vpc-1")
    assert "Only an import" in problem(Operation.APPLY, "dev/a", **given)


@pytest.mark.parametrize("target", ["", "-destroy", "a b", "a\nb"])
def test_a_target_is_no_option_of_terraforms(target: str) -> None:
    assert "no address" in problem(targets=(target,))


def test_an_order_is_bounded() -> None:
    assert "at most" in problem(Operation.PLAN, *[f"dev/{number}" for number in range(MANY + 1)])
    assert "at least one path" in order_problem(Operation.PLAN, (), ManualOrder())
