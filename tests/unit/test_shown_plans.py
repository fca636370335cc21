"""An approval is of the plans that could be read when it was given, and of no other."""

import pytest

from docustack.access import Person
from docustack.approvals import count_approvals
from docustack.gate_facts import APPROVED, CHANGES_REQUESTED, Review
from docustack.plans import DependencyOutputs, OutputsKind, PlanRecord, PlanSummary
from docustack.shown_plans import ShownPlan, first_shown, first_unseen, shown_plan
from tests.unit.guide_rules import GUIDE

HEAD = "a" * 40
VPC, RDS = "prod/us-east-1/vpc", "prod/us-east-1/rds"


def plan(**changes: object) -> PlanRecord:
    record = PlanRecord(
        unit=VPC,
        run_id="r",
        commit=HEAD,
        tree_commit="c" * 40,
        digest="sha256:1",
        summary=PlanSummary(add=1),
        binary="b",
        json_document="j",
        text="t",
        log="l",
    )
    return record.model_copy(update=changes)


def shown(unit: str = VPC, at: str = "2026-01-01T10:05:00Z", number: int = 1) -> ShownPlan:
    return ShownPlan(unit=unit, commit=HEAD, digest="sha256:1", shown_at=at, number=number)


def given(at: str, *, state: str = APPROVED, login: str = "lead", seen: int | None = None) -> Review:
    lead = Person(login=login, teams=("leads",), can_push=True)
    return Review(reviewer=lead, state=state, commit=HEAD, submitted_at=at, seen=seen)


# ---- reviews: told by GitHub's own clock -----------------------------------------------------------------------------


@pytest.mark.parametrize(
    "given_at,counts",
    [
        ("2026-01-01T10:04:59Z", False),
        ("2026-01-01T10:05:00Z", True),
        ("2026-01-01T12:05:01+02:00", True),
        ("2026-01-01T11:04:59+01:00", False),
        ("2026-01-01T10:05:01", False),
        ("", False),
        ("yesterday", False),
    ],
)
def test_a_review_counts_from_the_moment_at_which_the_plan_could_be_read(given_at: str, counts: bool) -> None:
    assert (first_unseen(given_at, None, [shown()]) is None) is counts


def test_an_approval_given_while_the_plan_was_made_is_none_of_it() -> None:
    decision = count_approvals(GUIDE, "prod", "developer", HEAD, [given("2026-01-01T10:00:00Z")], [shown()])
    assert not decision.satisfied
    assert "before the plan of `prod/us-east-1/vpc` could be read" in decision.message
    assert "approve again" in decision.message


def test_one_of_several_plans_that_came_later_is_enough_to_ask_again() -> None:
    plans = [shown(VPC), shown(RDS, at="2026-01-01T10:20:00Z")]
    assert not count_approvals(GUIDE, "prod", "developer", HEAD, [given("2026-01-01T10:10:00Z")], plans).satisfied
    assert count_approvals(GUIDE, "prod", "developer", HEAD, [given("2026-01-01T10:20:00Z")], plans).satisfied


def test_a_request_for_changes_blocks_whatever_had_been_shown() -> None:
    early = [given("2026-01-01T09:00:00Z", state=CHANGES_REQUESTED)]
    assert count_approvals(GUIDE, "prod", "developer", HEAD, early, [shown()]).blocked_by == ("lead",)


def test_a_plan_of_which_it_is_not_known_when_it_was_shown_asks_for_no_time() -> None:
    assert first_unseen("2026-01-01T09:00:00Z", None, [shown(at="")]) is None


# ---- what a run itself is told: counted, since its clock and GitHub's differ -----------------------------------------


def test_an_approval_that_the_run_was_given_is_of_the_plans_it_had_shown_by_then() -> None:
    plans = [shown(VPC, number=1), shown(RDS, number=2)]
    assert first_unseen("", 2, plans) is None
    assert first_unseen("2030-01-01T00:00:00Z", 1, plans) == plans[1]
    decision = count_approvals(GUIDE, "prod", "developer", HEAD, [given("2030-01-01T00:00:00Z", seen=1)], plans)
    assert not decision.satisfied


def test_the_last_word_of_a_person_counts_by_whichever_door_it_came() -> None:
    no, yes = given("2026-01-01T10:10:00Z", state=CHANGES_REQUESTED), given("2026-01-01T10:20:00+00:00", seen=9)
    assert count_approvals(GUIDE, "prod", "developer", HEAD, [yes, no], [shown()]).satisfied
    later_no = given("2026-01-01T10:30:00Z", state=CHANGES_REQUESTED)
    assert count_approvals(GUIDE, "prod", "developer", HEAD, [later_no, yes], [shown()]).blocked_by == ("lead",)


# ---- plans made again ------------------------------------------------------------------------------------------------


def test_a_plan_that_says_the_same_again_has_been_read() -> None:
    before = shown_plan(plan(shown_at="2026-01-01T10:05:00Z"))
    again = first_shown(plan(shown_at="2026-01-01T11:00:00Z"), before)
    assert again.shown_at == "2026-01-01T10:05:00Z"


MOCKED = (DependencyOutputs(unit="x", kind=OutputsKind.MOCK),)


@pytest.mark.parametrize(
    "changes", [{"digest": "sha256:2"}, {"commit": "b" * 40}, {"dependencies": MOCKED}, {"unit": RDS}]
)
def test_a_plan_that_says_something_else_has_not_been_read(changes: dict[str, object]) -> None:
    before = shown_plan(plan(shown_at="2026-01-01T10:05:00Z"))
    again = plan(shown_at="2026-01-01T11:00:00Z", **changes)
    assert first_shown(again, before).shown_at == "2026-01-01T11:00:00Z"
    assert first_shown(again, None).shown_at == "2026-01-01T11:00:00Z"
