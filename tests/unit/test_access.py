"""The guide's tables "Access Control" and "Approval Requirements", cell by cell."""

import pytest

from docustack.access import (
    APPROVED,
    CHANGES_REQUESTED,
    DISMISSED,
    Person,
    Review,
    count_approvals,
    decide_access,
    decide_branch,
)
from docustack.approvals import ShownPlan
from docustack.configuration import Approvals, Configuration, Environment, Who
from docustack.runs import Operation

NOW = "2026-01-01T00:00:00Z"
HEAD, OLDER = "a" * 40, "b" * 40
PEOPLE = {
    "developer": Person(login="developer", can_push=True),
    "infra": Person(login="infra-member", teams=("infra",), can_push=True),
    "lead": Person(login="lead", teams=("leads",), can_push=True),
    "outsider": Person(login="outsider"),
}


def environment(path: str, plan: Who, apply: list[str], approvals: Approvals, branch: str) -> Environment:
    return Environment(path=path, account_id="1" * 12, plan=plan, apply=apply, approvals=approvals, branch=branch)


GUIDE = Configuration(
    version=1,
    teams={"infra": "infra", "leads": "leads", "security": "security"},
    environments={
        "dev": environment("dev", "anyone", ["infra"], Approvals(from_="anyone", minimum=0), "main"),
        "staging": environment("staging", "anyone", ["infra"], Approvals(from_=["infra"], minimum=1), "staging"),
        "prod": environment("prod", ["infra"], ["leads"], Approvals(from_=["leads"], minimum=1), "main"),
        "management": environment("management", ["infra"], ["leads"], Approvals(from_=["leads"], minimum=1), "main"),
    },
)

CELLS = [
    # who, environment, may plan, may apply
    ("developer", "dev", True, False),
    ("developer", "staging", True, False),
    ("developer", "prod", False, False),
    ("developer", "management", False, False),
    ("infra", "dev", True, True),
    ("infra", "staging", True, True),
    ("infra", "prod", True, False),
    ("infra", "management", True, False),
    ("lead", "dev", True, False),
    ("lead", "staging", True, False),
    ("lead", "prod", False, True),
    ("lead", "management", False, True),
    ("outsider", "dev", False, False),
    ("outsider", "staging", False, False),
    ("outsider", "prod", False, False),
    ("outsider", "management", False, False),
]


@pytest.mark.parametrize("who,where,may_plan,may_apply", CELLS)
def test_access_table_of_the_guide(who: str, where: str, may_plan: bool, may_apply: bool) -> None:
    assert decide_access(GUIDE, where, Operation.PLAN, PEOPLE[who]).allowed is may_plan
    assert decide_access(GUIDE, where, Operation.APPLY, PEOPLE[who]).allowed is may_apply


def test_refusal_names_rule_team_and_person() -> None:
    decision = decide_access(GUIDE, "prod", Operation.APPLY, PEOPLE["developer"])
    assert decision.who_can == ("leads",)
    assert decision.rule == "environments.prod.apply"
    assert decision.message == (
        "@developer may not apply `prod`: that takes a member of the `leads` team, and @developer is not a member "
        "(rule `environments.prod.apply` in `docustack.yaml`)."
    )


def test_refusal_names_every_team_of_the_rule() -> None:
    several = GUIDE.model_copy(
        update={
            "environments": {
                "dev": environment("dev", "anyone", ["infra", "leads", "security"], Approvals(), "main"),
            }
        }
    )
    message = decide_access(several, "dev", Operation.APPLY, PEOPLE["developer"]).message
    assert "a member of the `infra`, `leads` or `security` team" in message


def test_anyone_means_push_access() -> None:
    decision = decide_access(GUIDE, "dev", Operation.PLAN, PEOPLE["outsider"])
    assert decision.who_can == ("anyone with push access",)
    assert "@outsider has no push access to the repository" in decision.message


def test_team_membership_without_push_access_is_not_enough() -> None:
    reader = Person(login="reader", teams=("infra", "leads"))
    assert not decide_access(GUIDE, "dev", Operation.APPLY, reader).allowed
    assert "no push access" in decide_access(GUIDE, "dev", Operation.APPLY, reader).message


def test_environment_that_does_not_exist_is_refused_to_everybody() -> None:
    decision = decide_access(GUIDE, "qa", Operation.PLAN, PEOPLE["lead"])
    assert not decision.allowed
    assert "`dev`, `staging`, `prod`, `management`" in decision.message


# ---- approvals -------------------------------------------------------------------------------------------------------


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


# ---- branches --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "where,base_ref,allowed",
    [
        ("dev", "main", True),
        ("dev", "staging", False),
        ("staging", "staging", True),
        ("staging", "main", False),
        ("prod", "main", True),
        ("prod", "staging", False),
    ],
)
def test_environment_is_applied_from_its_branch_only(where: str, base_ref: str, allowed: bool) -> None:
    assert decide_branch(GUIDE, where, base_ref).allowed is allowed


def test_refused_branch_says_where_to_open_the_pull_request() -> None:
    message = decide_branch(GUIDE, "staging", "main").message
    assert "only from pull requests to `staging`, and this one is to `main`" in message
    assert "open a pull request to `staging`" in message
