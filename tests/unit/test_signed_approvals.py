"""What the server signs, and how a run tells that it was the server."""

from datetime import UTC, datetime, timedelta

import pytest

from docustack.signatures import GOOD_FOR
from docustack.signed_approvals import (
    Approval,
    Asked,
    Refusal,
    SignedApproval,
    Verdict,
    is_genuine,
    refuse,
    sign,
)

NOW = datetime(2026, 1, 1, 12, 0, 0, 123456, tzinfo=UTC)
KEY, OTHER = "k" * 32, "o" * 32
APPROVAL = Approval(
    verdict=Verdict.APPROVE,
    login="lead",
    run_id="0dd64b3188",
    commit="a" * 40,
    plans="sha256:1",
    given_at=NOW,
    nonce="n" * 32,
)
ASKED = Asked(run_id="0dd64b3188", waiting=True, commit="a" * 40, plans="sha256:1", author="developer")


def test_a_signature_holds_on_the_way_through_json() -> None:
    sent = sign(APPROVAL, KEY).model_dump_json()
    assert is_genuine(SignedApproval.model_validate_json(sent), [KEY])


def test_a_new_key_comes_before_the_old_one() -> None:
    assert is_genuine(sign(APPROVAL, OTHER), [KEY, OTHER])
    assert not is_genuine(sign(APPROVAL, OTHER), [KEY])


def test_without_a_key_nothing_is_genuine() -> None:
    assert not is_genuine(sign(APPROVAL, ""), [])


@pytest.mark.parametrize("field", Approval.model_fields)
def test_every_field_is_signed(field: str) -> None:
    others: dict[str, object] = {"verdict": Verdict.REJECT, "given_at": NOW + timedelta(microseconds=1)}
    changed = APPROVAL.model_copy(update={field: others.get(field, "something else")})
    assert not is_genuine(SignedApproval(approval=changed, signature=sign(APPROVAL, KEY).signature), [KEY])


@pytest.mark.parametrize("signature", ["", "sha256:", "sha256:" + "0" * 64, "é" * 70])
def test_a_made_up_signature_is_none(signature: str) -> None:
    assert not is_genuine(SignedApproval(approval=APPROVAL, signature=signature), [KEY])


def test_a_run_is_cancelled_whatever_it_shows_but_by_no_other_word() -> None:
    stop = APPROVAL.model_copy(update={"verdict": Verdict.CANCEL, "plans": "", "login": ASKED.author})
    working = ASKED.model_copy(update={"waiting": False, "commit": "b" * 40})
    assert refuse(stop, Verdict.CANCEL, working, NOW, []) is None
    for refused in (
        refuse(APPROVAL, Verdict.CANCEL, working, NOW, []),
        refuse(stop, Verdict.CANCEL, working, NOW, [stop.nonce]),
        refuse(stop, Verdict.CANCEL, working.model_copy(update={"run_id": "another"}), NOW, []),
    ):
        assert refused is not None


def test_the_answer_to_the_question_is_taken() -> None:
    assert refuse(APPROVAL, Verdict.APPROVE, ASKED, NOW, []) is None


@pytest.mark.parametrize(
    "asked,refusal",
    [
        ({"run_id": "another"}, Refusal.OTHER_RUN),
        ({"commit": "b" * 40}, Refusal.OTHER_COMMIT),
        ({"plans": "sha256:2"}, Refusal.OTHER_PLANS),
        ({"waiting": False, "status": "succeeded"}, Refusal.NOT_WAITING),
        ({"author": "Lead"}, Refusal.AUTHOR),
    ],
)
def test_the_answer_to_another_question_is_refused(asked: dict[str, object], refusal: Refusal) -> None:
    refused = refuse(APPROVAL, Verdict.APPROVE, ASKED.model_copy(update=asked), NOW, [])
    assert refused is not None
    assert refused[0] is refusal


@pytest.mark.parametrize("late,good", [(GOOD_FOR, True), (GOOD_FOR + timedelta(seconds=1), False)])
def test_an_approval_that_was_kept_is_refused(late: timedelta, good: bool) -> None:
    assert (refuse(APPROVAL, Verdict.APPROVE, ASKED, NOW + late, []) is None) is good


def test_the_same_approval_counts_once() -> None:
    refused = refuse(APPROVAL, Verdict.APPROVE, ASKED, NOW, [APPROVAL.nonce])
    assert refused is not None
    assert refused[0] is Refusal.REPLAYED


def test_a_no_is_taken_of_the_author_and_of_other_plans_but_never_without_a_reason() -> None:
    no = APPROVAL.model_copy(update={"verdict": Verdict.REJECT, "reason": "not today", "login": "developer"})
    others = ASKED.model_copy(update={"plans": "sha256:2"})
    assert refuse(no, Verdict.REJECT, others, NOW, []) is None
    refused = refuse(no.model_copy(update={"reason": "\n "}), Verdict.REJECT, others, NOW, [])
    assert refused is not None
    assert refused[0] is Refusal.NO_REASON


def test_a_no_can_not_be_sent_as_a_yes() -> None:
    no = APPROVAL.model_copy(update={"verdict": Verdict.REJECT, "reason": "not today"})
    refused = refuse(no, Verdict.APPROVE, ASKED, NOW, [])
    assert refused is not None
    assert refused[0] is Refusal.FORGED
