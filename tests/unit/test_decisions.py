"""What a run is told beside reviews: whose yes and no counts, what is kept, and how it is told."""

from datetime import UTC, datetime

import pytest

from docustack.decisions import KEPT, GivenDecision, decisions_comment, remember, why_it_does_not_count, why_no_cancel
from docustack.gate_facts import Door
from docustack.operator_signals import read_signal
from tests.unit.guide_rules import GUIDE, HEAD, PEOPLE

NOW = datetime(2026, 1, 1, 12, tzinfo=UTC)
TRUSTING = GUIDE.model_copy(
    update={
        "environments": {
            name: environment.model_copy(update={"trust_temporal_operators": True})
            for name, environment in GUIDE.environments.items()
        }
    }
)


def given(verdict: str = "approve", login: str = "lead", **changes: object) -> GivenDecision:
    decision = GivenDecision(door=Door.SERVER, verdict=verdict, login=login, commit=HEAD, received_at=NOW)
    return decision.model_copy(update=changes)


def why(who: str, *environments: str, verdict: str = "approve", author: str = "somebody", **changes: object) -> str:
    person = PEOPLE[who]
    decision = given(verdict, person.login, **changes)
    configuration = TRUSTING if changes.pop("trusting", False) else GUIDE
    return why_it_does_not_count(configuration, environments, author, decision, person) or "counts"


# ---- whose yes, whose no ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "who,where,yes,no",
    [
        ("lead", "prod", "counts", "counts"),
        ("infra", "prod", "is not a member", "can neither approve nor apply"),
        ("outsider", "prod", "is not a member", "can neither approve nor apply"),
        ("infra", "staging", "counts", "counts"),
        ("developer", "staging", "is not a member", "can neither approve nor apply"),
        ("infra", "dev", "counts", "counts"),
        ("developer", "dev", "may not apply `dev`", "counts"),
        ("outsider", "dev", "has no push access", "can neither approve nor apply"),
    ],
)
def test_a_yes_takes_an_approver_and_a_no_somebody_who_could_approve_or_apply(
    who: str, where: str, yes: str, no: str
) -> None:
    assert yes in why(who, where)
    assert no in why(who, where, verdict="reject")


def test_a_run_is_stopped_by_who_may_apply_in_all_of_its_environments() -> None:
    for who, environments, stops in (
        ("lead", ["prod"], True),
        ("infra", ["dev"], True),
        ("infra", ["dev", "prod"], False),
        ("developer", ["dev"], False),
        ("lead", [], False),
    ):
        reason = why_no_cancel(GUIDE, environments, "somebody", PEOPLE[who])
        assert (reason is None) is stops, (who, environments, reason)
        assert stops or "`somebody`, whose run it is" in str(reason)


def test_an_author_may_say_no_and_never_yes() -> None:
    assert why("lead", "prod", author="LEAD") == "is the author of the pull request"
    assert why("lead", "prod", author="lead", verdict="reject") == "counts"


def test_one_environment_of_several_is_enough() -> None:
    assert why("infra", "staging", "prod") == "counts"
    assert why("developer", "staging", "prod").count(";") == 1


@pytest.mark.parametrize("verdict", ["approve", "reject"])
def test_a_bare_signal_counts_where_operators_are_trusted_and_then_by_the_same_rules(verdict: str) -> None:
    assert "nobody has verified" in why("lead", "prod", verdict=verdict, door=Door.TEMPORAL)
    assert why("lead", "prod", verdict=verdict, door=Door.TEMPORAL, trusting=True) == "counts"
    assert why("infra", "prod", verdict=verdict, door=Door.TEMPORAL, trusting=True) != "counts"


# ---- signals ---------------------------------------------------------------------------------------------------------


def test_a_signal_that_names_who_sends_it_is_understood() -> None:
    signal = read_signal("approve", [{"actor": "@lead", "reason": "read\nit", "more": 1}])
    assert (signal.login, signal.reason, signal.problem) == ("lead", "read it", "")


@pytest.mark.parametrize("payloads", [[], ["lead"], [None], [{}], [{"actor": ""}], [{"actor": "lead"}] * 2, [["x"]]])
def test_what_a_signal_lacks_is_told_with_how_to_send_it(payloads: list[object]) -> None:
    signal = read_signal("approve", payloads)
    assert '`{"actor": "<your login>"}`' in signal.problem


def test_a_rejection_without_a_reason_and_a_name_that_is_none_are_told() -> None:
    assert "says why" in read_signal("reject", [{"actor": "lead"}]).problem
    assert "no such signal" in read_signal("Approve", [{"actor": "lead"}]).problem


def test_a_giant_signal_stays_small() -> None:
    signal = read_signal("approve", [{"actor": "x" * 10_000, "reason": "y" * 10_000}])
    assert len(signal.login) <= 100
    assert len(signal.reason) <= 500
    assert len(read_signal("n" * 10_000, ["z" * 10_000]).name) <= 100
    assert len(read_signal("approve", ["z" * 10_000]).problem) < 300


# ---- kept and told ---------------------------------------------------------------------------------------------------


def test_what_does_not_count_makes_room_before_what_does() -> None:
    decisions = [given(counts=True)]
    made_room = sum(remember(decisions, given(login=f"stranger-{number}")) for number in range(KEPT + 9))
    assert (len(decisions), made_room) == (KEPT, 10)
    assert decisions[0].counts
    assert decisions[-1].login == f"stranger-{KEPT + 8}"


def test_the_comment_tells_each_with_what_became_of_it() -> None:
    no = given("reject", counts=True, reason="not today", told="It ends the run.")
    claimed = given(door=Door.TEMPORAL, told="It doesn't count.")
    body = decisions_comment("0dd64b3188", [given(counts=True, told="It counts."), no, claimed], forgotten=4)
    assert body.splitlines()[2:] == [
        "- 4 earlier ones",
        "- ✅ 2026-01-01 12:00 UTC: `approve` of `lead` through the server: It counts.",
        '- ⛔ 2026-01-01 12:00 UTC: `reject` of `lead` through the server ("not today"): It ends the run.',
        "- ⚠️ 2026-01-01 12:00 UTC: the signal `approve` from Temporal, which claims to be of `lead`: It doesn't count.",
    ]
