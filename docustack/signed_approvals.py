"""A yes or no, or a stop, that came through our server, signed by it: what is signed, when a run does not take it.

The server has verified who it is; the signature says so to the run, which trusts nobody who reaches Temporal.
"""

from collections.abc import Iterable
from datetime import datetime
from enum import StrEnum

from pydantic import Field

from docustack.model import Model
from docustack.plans import Digest
from docustack.signatures import is_in_time, is_signed_by, signature

_PURPOSE = b"docustack approval 1\n"

REPLAYED = "This very approval has been sent before; it counts once."


class Verdict(StrEnum):
    APPROVE = "approve"
    REJECT = "reject"
    CANCEL = "cancel"  # at any time, whatever the run shows


SIGNALS = (Verdict.APPROVE.value, Verdict.REJECT.value)
"""The verdicts that are signals of Temporal's UI and CLI too; it has a button of its own for the other one."""


class Approval(Model):
    """One person's yes (or no) to the plans of one run, at one commit."""

    verdict: Verdict
    login: str = Field(min_length=1, max_length=100)
    run_id: str = Field(min_length=1, max_length=100)
    commit: str = Field(max_length=100)
    plans: Digest = Field(max_length=100)  # of all plans together that the person was shown
    reason: str = Field(default="", max_length=1_000)
    given_at: datetime
    nonce: str = Field(min_length=16, max_length=100)


class SignedApproval(Model):
    approval: Approval
    signature: str = Field(max_length=200)


class Refusal(StrEnum):
    """Why an approval is not taken, for programs."""

    NOT_WAITING = "not-waiting"
    OTHER_RUN = "other-run"
    OTHER_COMMIT = "other-commit"
    OTHER_PLANS = "other-plans"
    REPLAYED = "replayed"
    EXPIRED = "expired"
    AUTHOR = "author"
    NO_REASON = "no-reason"
    FORGED = "forged"
    NOT_ALLOWED = "not-allowed"
    UNAVAILABLE = "unavailable"


class ApprovalAnswer(Model):
    """What became of it, at once: the same that the pull request is told."""

    accepted: bool
    refusal: str = ""  # a `Refusal`
    message: str


class Asked(Model):
    """What a run waits for at this moment: an approval has to be an answer to exactly this."""

    run_id: str
    waiting: bool
    commit: str
    plans: Digest
    author: str
    status: str = ""  # how the run stands


def sign(approval: Approval, key: str) -> SignedApproval:
    return SignedApproval(approval=approval, signature=signature(_PURPOSE, approval, key))


def is_genuine(signed: SignedApproval, keys: Iterable[str]) -> bool:
    return is_signed_by(signed.signature, _PURPOSE, signed.approval, keys)


def refuse(
    approval: Approval, sent_as: Verdict, asked: Asked, now: datetime, seen: Iterable[str]
) -> tuple[Refusal, str] | None:
    """Why this is no answer to what the run asks; None where it is one. `seen`: the nonces that have been used."""
    refused = _refuse_as_sent(approval, sent_as, asked, now, seen)
    return refused if refused or approval.verdict is Verdict.CANCEL else _refuse_as_answer(approval, asked)


def _refuse_as_sent(
    approval: Approval, sent_as: Verdict, asked: Asked, now: datetime, seen: Iterable[str]
) -> tuple[Refusal, str] | None:
    if approval.verdict is not sent_as:
        return Refusal.FORGED, f"This was signed to {approval.verdict.value}, not to {sent_as.value}."
    if approval.run_id != asked.run_id:
        return Refusal.OTHER_RUN, f"This was given to run {approval.run_id}, not to {asked.run_id}."
    if approval.nonce in seen:
        return Refusal.REPLAYED, REPLAYED
    if not is_in_time(approval.given_at, now):
        return Refusal.EXPIRED, "This was signed too long ago, or by a clock that is wrong. Approve again."
    return None


def _refuse_as_answer(approval: Approval, asked: Asked) -> tuple[Refusal, str] | None:
    yes = approval.verdict is Verdict.APPROVE
    if approval.commit != asked.commit:
        told = f"This is for commit {approval.commit[:7]}, and the run is of {asked.commit[:7]}."
        return Refusal.OTHER_COMMIT, f"{told} Look at the plans of that one."
    if not asked.waiting:
        return Refusal.NOT_WAITING, not_waiting(asked)
    if yes and approval.plans != asked.plans:
        return Refusal.OTHER_PLANS, "The run shows other plans now than those that you approved. Look at them first."
    if yes and approval.login.lower() == asked.author.lower():
        return Refusal.AUTHOR, f"@{approval.login} is the author of the pull request: somebody else has to approve it."
    if not yes and not approval.reason.strip():
        return Refusal.NO_REASON, "A rejection says why."
    return None


def not_waiting(asked: Asked) -> str:
    """A run takes approvals while it stands at its gate, and only then: before and after nobody knows what of."""
    return f"Run {asked.run_id} waits for nobody's approval at this moment (it is {asked.status or 'not at its gate'})."
