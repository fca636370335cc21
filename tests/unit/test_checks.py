"""The check runs: green only when every unit they speak of succeeded."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from docustack.checks import (
    SUMMARY_LIMIT,
    TITLE_LIMIT,
    Check,
    apply_check,
    lost_check,
    plan_check,
    refused_check,
    running_check,
    waiting_check,
)
from docustack.comment_limits import size
from docustack.errors import ErrorType
from docustack.runs import Operation, UnitOutcome, UnitPhase

GOOD_PLAN = (UnitPhase.PLANNED, UnitPhase.NO_CHANGES)
GOOD_APPLY = (UnitPhase.APPLIED, UnitPhase.NO_CHANGES)


def unit(name: str, phase: UnitPhase, *, message: str = "", error: ErrorType | None = None) -> UnitOutcome:
    return UnitOutcome(unit=name, environment="dev", phase=phase, message=message, error_type=error)


def units(*phases: UnitPhase) -> list[UnitOutcome]:
    return [unit(f"dev/u{number}", phase) for number, phase in enumerate(phases)]


def test_a_plan_check_is_green_when_every_unit_was_planned() -> None:
    check = plan_check(units(UnitPhase.PLANNED, UnitPhase.NO_CHANGES))
    assert (check.status, check.conclusion) == ("completed", "success")
    assert check.title == "2 units: 1 planned, 1 without changes"
    assert "| `dev/u0` | ✅ Planned |" in check.summary


def test_one_failed_plan_turns_the_check_red_and_is_named() -> None:
    outcomes = [*units(UnitPhase.PLANNED), unit("dev/bad", UnitPhase.FAILED, message="no such VPC\nadvice")]
    check = plan_check(outcomes)
    assert check.conclusion == "failure"
    assert check.title == "1 of 2 units not planned: dev/bad"
    assert "- `dev/bad`: no such VPC" in check.summary
    assert "advice" not in check.summary


def test_titles_count_what_is_left_beside_what_failed() -> None:
    outcomes = [*units(UnitPhase.PLANNED), unit("dev/bad", UnitPhase.FAILED)]
    assert plan_check(outcomes, left=["prod/a", "prod/b"]).title == "3 of 4 units not planned"
    assert plan_check(units(UnitPhase.PLANNED), left=["prod/a"]).title == "1 of 2 units planned"


def test_the_title_of_a_refusal_is_a_phrase_and_its_summary_has_all() -> None:
    message = "@dev may not apply `prod`: that takes a member of `leads`, and @dev is none (rule `x`).\n\nNothing."
    check = refused_check(message)
    assert check.title == "@dev may not apply prod"
    assert "that takes a member of" in check.summary
    gone = "`a1b2c3d` is no longer the head of this pull request (`b1b2c3d` is), so its plans are not applied."
    assert refused_check(gone, cancelled=True).title == "Cancelled: a1b2c3d is no longer the head of this pull request"


def test_a_deferred_plan_is_neither_green_nor_a_failure() -> None:
    check = plan_check(units(UnitPhase.PLANNED, UnitPhase.DEFERRED))
    assert check.conclusion == "neutral"
    assert "1 unit can be planned only after another was applied" in check.title


def test_a_failure_outweighs_a_deferral_and_a_cancellation() -> None:
    cancelled = unit("dev/c", UnitPhase.SKIPPED, error=ErrorType.CANCELLED)
    assert plan_check([*units(UnitPhase.DEFERRED, UnitPhase.FAILED), cancelled]).conclusion == "failure"


def test_a_cancelled_run_is_cancelled() -> None:
    cancelled = unit("dev/c", UnitPhase.SKIPPED, error=ErrorType.CANCELLED)
    assert plan_check([*units(UnitPhase.PLANNED), cancelled]).conclusion == "cancelled"
    assert apply_check([*units(UnitPhase.APPLIED), cancelled]).conclusion == "cancelled"


def test_a_pull_request_without_units_blocks_nobody() -> None:
    assert plan_check([]).conclusion == "success"
    assert apply_check([]).conclusion == "success"
    assert apply_check([]).title == "Nothing to apply"


def test_an_apply_of_some_units_is_not_done() -> None:
    check = apply_check(units(UnitPhase.APPLIED), left=["dev/b", "dev/c"])
    assert check.conclusion == "action_required"
    assert check.title == "1 of 3 units applied"
    assert check.summary.startswith("Not applied yet: `dev/b` and `dev/c`.")


def test_before_anything_is_applied_an_action_is_required() -> None:
    check = apply_check([], left=["dev/b"])
    assert (check.conclusion, check.title) == ("action_required", "0 of 1 unit applied")


def test_an_apply_of_all_is_green() -> None:
    check = apply_check(units(UnitPhase.APPLIED, UnitPhase.NO_CHANGES))
    assert (check.conclusion, check.title) == ("success", "2 of 2 units applied")


@pytest.mark.parametrize("phase", [UnitPhase.FAILED, UnitPhase.UNKNOWN, UnitPhase.SKIPPED])
def test_an_apply_with_a_bad_end_is_red(phase: UnitPhase) -> None:
    assert apply_check(units(UnitPhase.APPLIED, phase)).conclusion == "failure"
    assert apply_check(units(UnitPhase.APPLIED, phase), left=["dev/z"]).conclusion == "failure"


@given(st.lists(st.sampled_from(list(UnitPhase)), max_size=6), st.lists(st.just("dev/left"), max_size=1))
def test_green_means_that_every_unit_succeeded(phases: list[UnitPhase], left: list[str]) -> None:
    plan, apply = plan_check(units(*phases)), apply_check(units(*phases), left)
    assert (plan.conclusion == "success") is all(phase in GOOD_PLAN or phase is UnitPhase.APPLIED for phase in phases)
    assert (apply.conclusion == "success") is (not left and all(phase in GOOD_APPLY for phase in phases))
    for check in (plan, apply):
        assert check.status == "completed", "a run that has ended leaves nothing pending"
        assert check.conclusion is not None


def test_a_refusal_is_never_green() -> None:
    message = "`dev/x` is held by pull request 7.\n\nmore"
    assert refused_check(message).conclusion == "action_required"
    assert refused_check(message).title == "dev/x is held by pull request 7"
    assert "more" in refused_check(message).summary
    assert refused_check("x", cancelled=True).conclusion == "cancelled"
    assert refused_check("x", failed=True).conclusion == "failure"
    assert refused_check("").title == "Refused"


def test_only_a_living_run_is_pending() -> None:
    for check in (running_check(Operation.PLAN, 3), waiting_check("`prod` needs 1 approval.")):
        assert check.status == "in_progress"
        assert check.conclusion is None
    assert running_check(Operation.PLAN, 3).title == "Planning 3 units"
    assert running_check(Operation.APPLY, 1).title == "Applying 1 unit"


def test_a_run_that_was_ended_from_outside_is_no_success_and_an_apply_wants_somebody_to_look() -> None:
    for operation, conclusion in ((Operation.PLAN, "cancelled"), (Operation.APPLY, "failure")):
        check = lost_check(operation, "The run `1` was ended from outside.")
        assert (check.status, check.conclusion, check.title) == ("completed", conclusion, "Ended from outside")
        assert "`1`" in check.summary


def test_a_check_stays_within_githubs_limits() -> None:
    many = [unit(f"dev/{'é' * 90}{n}", UnitPhase.FAILED, message="m" * 5_000) for n in range(2_000)]
    checks: list[Check] = [
        plan_check(many),
        apply_check(many, left=[f"dev/{'x' * 200}{n}" for n in range(3_000)]),
        refused_check("`" + "x\n" * 100_000),
        refused_check("é" * 100_000),
        waiting_check("@all " * 50_000),
        plan_check([unit("d/" * 400, UnitPhase.FAILED)]),
    ]
    for check in checks:
        assert len(check.title) <= TITLE_LIMIT
        assert "\n" not in check.title
        assert size(check.summary) <= SUMMARY_LIMIT
