"""What is no order at all, whatever the repository holds."""

from datetime import UTC, datetime, timedelta

import pytest

from docustack.orders import MANY, begins_in_time, is_genuine_run, order_problem, sign_run, signed_run
from docustack.repository import Repository
from docustack.runs import ManualOrder, Operation, RunInput

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


NOW = datetime(2026, 1, 1, 12, tzinfo=UTC)
KEY = "k" * 32
SIGNED = sign_run(
    RunInput(
        run_id="0dd64b3188",
        repository=Repository(owner="docustack", name="live"),
        operation=Operation.PLAN,
        actor="developer",
        directories=(UNIT,),
        manual=ManualOrder(),
    ),
    NOW,
    KEY,
)


def test_an_order_is_genuine_on_the_way_through_json() -> None:
    sent = RunInput.model_validate_json(SIGNED.model_dump_json())
    assert is_genuine_run(signed_run(sent), [KEY])
    assert not is_genuine_run(signed_run(sent), ["o" * 32])
    assert not is_genuine_run(signed_run(sent), [])


@pytest.mark.parametrize(
    "changed",
    [
        {"actor": "lead"},
        {"operation": Operation.DESTROY},
        {"directories": ("prod",)},
        {"run_id": "another"},
        {"repository": Repository(owner="x", name="live")},
    ],
)
def test_nothing_of_a_signed_order_can_be_another(changed: dict[str, object]) -> None:
    assert not is_genuine_run(signed_run(SIGNED.model_copy(update=changed)), [KEY])


@pytest.mark.parametrize("field", [name for name in ManualOrder.model_fields if name != "signature"])
def test_nothing_of_what_is_ordered_can_be_another(field: str) -> None:
    others: dict[str, object] = {"confirmed": True, "late": True, "given_at": NOW + timedelta(seconds=1)}
    assert SIGNED.manual is not None
    other = others.get(field, ("x",) if field in ("targets", "without") else "x")
    manual = SIGNED.manual.model_copy(update={field: other})
    assert not is_genuine_run(signed_run(SIGNED.model_copy(update={"manual": manual})), [KEY])


def test_an_order_is_good_for_a_quarter_of_an_hour() -> None:
    assert SIGNED.manual is not None
    assert begins_in_time(SIGNED.manual, NOW + timedelta(minutes=14))
    assert not begins_in_time(SIGNED.manual, NOW + timedelta(minutes=16))
    assert not begins_in_time(ManualOrder(), NOW)


def test_a_working_copy_is_planned_or_applied_on_a_commit() -> None:
    kept, commit = f"working-copies/{'0' * 64}.patch", "a" * 40
    assert problem(Operation.PLAN, UNIT, working_copy=kept, ref=commit) == ""
    assert problem(Operation.APPLY, UNIT, working_copy=kept, ref=commit) == "", "the environment's rules decide"
    assert problem(Operation.DESTROY, UNIT, working_copy=kept, ref=commit)
    for key, ref in (("runs/0dd64b3188/plan.json", commit), ("working-copies/../x", commit), (kept, "main")):
        assert problem(Operation.PLAN, UNIT, working_copy=key, ref=ref)
