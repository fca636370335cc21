"""The guide's table "Approval Requirements", cell by cell."""

import pytest

from docustack.access import Person
from docustack.approvals import count_approvals, count_team_approvals
from docustack.configuration import Approvals, Configuration
from docustack.gate_facts import APPROVED, CHANGES_REQUESTED, DISMISSED, Door, Review
from docustack.shown_plans import ShownPlan
from tests.unit.guide_rules import GUIDE, HEAD, NOW, OLDER, PEOPLE, environment

LATER = "2026-01-01T00:01:00Z"


def review(who: str, state: str = APPROVED, commit: str = HEAD) -> Review:
    return Review(reviewer=PEOPLE[who], state=state, commit=commit)


APPROVAL_CELLS = [
    # environment, reviewers, satisfied
    ("dev", [], True),
    ("staging", [], False),
    ("staging", ["developer"], False),
    ("staging", ["lead"], False),
    ("staging", ["infra"], True),
    ("prod", [], False),
    ("prod", ["developer"], False),
    ("prod", ["infra"], False),
    ("prod", ["lead"], True),
    ("management", [], False),
    ("management", ["infra"], False),
    ("management", ["lead"], True),
]


@pytest.mark.parametrize("where,reviewers,satisfied", APPROVAL_CELLS)
def test_approval_table_of_the_guide(where: str, reviewers: list[str], satisfied: bool) -> None:
    decision = count_approvals(GUIDE, where, "author", HEAD, [review(who) for who in reviewers])
    assert decision.satisfied is satisfied


def anyone_once() -> Configuration:
    rules = environment("dev", "anyone", ["infra"], Approvals(from_="anyone", minimum=1), "main")
    return GUIDE.model_copy(update={"environments": {"dev": rules}})


def test_any_team_member_is_anybody_with_push_access() -> None:
    assert count_approvals(anyone_once(), "dev", "author", HEAD, [review("developer")]).satisfied
    refused = count_approvals(anyone_once(), "dev", "author", HEAD, [review("outsider")])
    assert not refused.satisfied
    assert refused.ignored[0].reason == "has no push access to the repository"


def test_author_cannot_approve_own_pull_request() -> None:
    decision = count_approvals(GUIDE, "prod", "LEAD", HEAD, [review("lead")])
    assert not decision.satisfied
    assert decision.ignored[0].reason == "is the author of the pull request"


def test_push_dismisses_approval() -> None:
    decision = count_approvals(GUIDE, "prod", "author", HEAD, [review("lead", commit=OLDER)])
    assert (decision.satisfied, decision.missing, decision.counted) == (False, 1, ())
    assert "approved bbbbbbb, but the head is now aaaaaaa" in decision.message


def test_dismissed_review_does_not_count() -> None:
    decision = count_approvals(GUIDE, "prod", "author", HEAD, [review("lead", DISMISSED)])
    assert not decision.satisfied
    assert "dismissed" in decision.ignored[0].reason


def test_later_change_request_withdraws_an_approval() -> None:
    reviews = [review("lead"), review("lead", CHANGES_REQUESTED)]
    decision = count_approvals(GUIDE, "prod", "author", HEAD, reviews)
    assert (decision.satisfied, decision.counted, decision.blocked_by) == (False, (), ("lead",))


def test_later_approval_lifts_the_same_persons_change_request() -> None:
    reviews = [review("lead", CHANGES_REQUESTED), review("lead")]
    assert count_approvals(GUIDE, "prod", "author", HEAD, reviews).satisfied


def test_comment_after_an_approval_leaves_it_standing() -> None:
    assert count_approvals(GUIDE, "prod", "author", HEAD, [review("lead"), review("lead", "COMMENTED")]).satisfied


def test_change_request_of_an_approver_blocks_however_many_approve() -> None:
    other = Person(login="other-lead", teams=("leads",), can_push=True)
    reviews = [review("lead"), Review(reviewer=other, state=CHANGES_REQUESTED, commit=OLDER)]
    decision = count_approvals(GUIDE, "prod", "author", HEAD, reviews)
    assert (decision.satisfied, decision.missing, decision.blocked_by) == (False, 0, ("other-lead",))
    assert "@other-lead requested changes" in decision.message


def test_change_request_of_somebody_else_does_not_block() -> None:
    reviews = [review("lead"), review("developer", CHANGES_REQUESTED)]
    assert count_approvals(GUIDE, "prod", "author", HEAD, reviews).satisfied


def signal_of(who: str, at: str = LATER) -> Review:
    """What somebody sends from Temporal's UI under a login that nobody has verified."""
    return Review(reviewer=PEOPLE[who], state=APPROVED, commit=HEAD, submitted_at=at, door=Door.TEMPORAL)


def trusting(where: str) -> Configuration:
    """The guide's rules, but that one environment believes Temporal's operators."""
    trusts = GUIDE.environments[where].model_copy(update={"trust_temporal_operators": True})
    return GUIDE.model_copy(update={"environments": {**GUIDE.environments, where: trusts}})


def test_a_signal_lifts_a_change_request_only_where_operators_are_trusted() -> None:
    other = Person(login="second-lead", teams=("leads",), can_push=True)
    no = Review(reviewer=PEOPLE["lead"], state=CHANGES_REQUESTED, commit=HEAD, submitted_at=NOW)
    yes = Review(reviewer=other, state=APPROVED, commit=HEAD, submitted_at=NOW)
    rules, given = trusting("management"), [no, yes, signal_of("lead")]
    prod = count_approvals(rules, "prod", "author", HEAD, given)
    assert (prod.satisfied, prod.counted, prod.blocked_by) == (False, ("second-lead",), ("lead",))
    management = count_approvals(rules, "management", "author", HEAD, given)
    assert (management.satisfied, management.blocked_by) == (True, ())


def test_a_signal_doesn_t_hide_the_approval_of_who_it_claims_to_be_of() -> None:
    review = Review(reviewer=PEOPLE["lead"], state=APPROVED, commit=HEAD, submitted_at=NOW)
    decision = count_approvals(trusting("management"), "prod", "author", HEAD, [review, signal_of("lead")])
    assert (decision.satisfied, decision.counted) == (True, ("lead",))
    alone = count_approvals(trusting("management"), "prod", "author", HEAD, [signal_of("lead")])
    assert not alone.satisfied
    assert "@lead doesn't count, who is only claimed to have sent the signal" in alone.message


def test_a_signal_is_no_word_about_a_change_of_the_rules() -> None:
    review = Review(reviewer=PEOPLE["lead"], state=CHANGES_REQUESTED, commit=HEAD, submitted_at=NOW)
    other = Person(login="second-lead", teams=("leads",), can_push=True)
    yes = Review(reviewer=other, state=APPROVED, commit=HEAD, submitted_at=NOW)
    given = [review, yes, signal_of("lead")]
    assert count_team_approvals("It", "rules_owners", "leads", "author", HEAD, given).blocked_by == ("lead",)


@pytest.mark.parametrize(
    "state,submitted_at", [("PENDING", NOW), ("approved?", NOW), (APPROVED, "yesterday"), (APPROVED, "")]
)
def test_a_review_that_can_not_be_read_counts_for_nothing(state: str, submitted_at: str) -> None:
    plan = ShownPlan(unit="prod/vpc", commit=HEAD, digest="sha256:1", shown_at=NOW)
    review = Review(reviewer=PEOPLE["lead"], state=state, commit=HEAD, submitted_at=submitted_at)
    assert not count_approvals(GUIDE, "prod", "developer", HEAD, [review], [plan]).satisfied


def test_one_person_counts_once() -> None:
    twice = GUIDE.model_copy(
        update={
            "environments": {
                "prod": environment("prod", ["infra"], ["leads"], Approvals(from_=["leads"], minimum=2), "main")
            }
        }
    )
    decision = count_approvals(twice, "prod", "author", HEAD, [review("lead"), review("lead")])
    assert (decision.satisfied, decision.counted, decision.missing) == (False, ("lead",), 1)
    assert "needs 2 approvals from a member of the `leads` team, and has 1, from @lead" in decision.message
