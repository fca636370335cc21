"""The guide's table "Access Control", cell by cell."""

import pytest

from docustack.access import Person, decide_access, decide_branch
from docustack.configuration import Approvals
from docustack.runs import Operation
from tests.unit.guide_rules import GUIDE, PEOPLE, environment

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
