"""What is to become of a deployment that has stopped: the question, its answers, and when one of them counts."""

import json
from collections.abc import Iterable, Sequence
from datetime import datetime
from enum import StrEnum

from pydantic import Field

from docustack.comment_text import one_line
from docustack.gate_facts import Door
from docustack.model import Model
from docustack.signatures import is_in_time, is_signed_by, signature

_PURPOSE = b"docustack deployment decision 1\n"

REPLAYED = "This very decision has been sent before; it counts once."


class DecisionKind(StrEnum):
    RETRY = "retry"  # what failed, and what has not begun
    SKIP = "skip"  # one unit and all that depend on it
    ROLL_BACK = "roll-back"  # destroy what this deployment has made in this environment
    STOP = "stop"
    CANCEL = "cancel"  # at any time, and no answer to a question: the server then cancels the workflow


class Question(Model):
    """An environment has stopped; `number` keeps an answer from being taken for one to the next question."""

    number: int
    environment: str
    message: str
    done: tuple[str, ...] = ()
    failed: tuple[str, ...] = ()
    not_begun: tuple[str, ...] = ()
    made: tuple[str, ...] = ()  # what a rollback would destroy
    asked_at: datetime

    @property
    def answers(self) -> tuple[DecisionKind, ...]:
        """What can be said to it."""
        skip = (DecisionKind.SKIP,) if self.failed or self.not_begun else ()
        roll_back = (DecisionKind.ROLL_BACK,) if self.made else ()
        return (DecisionKind.RETRY, *skip, *roll_back, DecisionKind.STOP)


class Decision(Model):
    """One person's answer."""

    kind: DecisionKind
    login: str = Field(min_length=1, max_length=100)
    deployment: str = Field(min_length=1, max_length=300)  # the workflow's id
    question: int
    unit: str = Field(default="", max_length=500)  # of a skip
    environment: str = Field(default="", max_length=100)  # of a rollback, as the person has typed it
    latest: bool = False  # of a retry: from the present tips of the environments' branches on
    given_at: datetime
    nonce: str = Field(min_length=16, max_length=100)


class SignedDecision(Model):
    decision: Decision
    signature: str = Field(max_length=200)


class TakenDecision(Model):
    """One that was given, by whichever door, and what became of it."""

    kind: str  # a `DecisionKind`; of a signal that is none, its name
    login: str = ""  # claimed only, where the door is Temporal's
    door: Door = Door.SERVER
    question: int = 0
    unit: str = ""
    environment: str = ""  # in which it was to be decided
    latest: bool = False
    received_at: datetime
    counts: bool = False
    told: str = ""


class DecisionRefusal(StrEnum):
    """Why a decision is not taken, for programs."""

    NOT_WAITING = "not-waiting"
    OTHER_QUESTION = "other-question"
    NO_SUCH_UNIT = "no-such-unit"
    NOTHING_MADE = "nothing-made"
    OTHER_NAME = "other-name"
    REPLAYED = "replayed"
    EXPIRED = "expired"
    FORGED = "forged"
    NOT_ALLOWED = "not-allowed"
    UNAVAILABLE = "unavailable"


class DeploymentAnswer(Model):
    """What became of a decision, at once."""

    accepted: bool
    refusal: str = ""  # a `DecisionRefusal`
    message: str


def sign_decision(decision: Decision, key: str) -> SignedDecision:
    return SignedDecision(decision=decision, signature=signature(_PURPOSE, decision, key))


def is_genuine_decision(signed: SignedDecision, keys: Iterable[str]) -> bool:
    return is_signed_by(signed.signature, _PURPOSE, signed.decision, keys)


def refuse_decision(
    decision: Decision, deployment: str, question: Question | None, now: datetime, seen: Iterable[str]
) -> tuple[DecisionRefusal, str] | None:
    """Why this is no answer to what is asked; None where it is one. `seen`: the nonces that have been used."""
    if decision.nonce in seen:
        return DecisionRefusal.REPLAYED, REPLAYED
    if not is_in_time(decision.given_at, now):
        return DecisionRefusal.EXPIRED, "This was signed too long ago, or by a clock that is wrong. Decide again."
    if decision.deployment != deployment:
        return DecisionRefusal.OTHER_QUESTION, f"This was given to {decision.deployment}, not to {deployment}."
    if decision.kind is DecisionKind.CANCEL:
        return None
    if question is None:
        return DecisionRefusal.NOT_WAITING, "The deployment waits for no decision at this moment."
    if decision.question != question.number:
        told = "The deployment asks something else by now than what you were shown."
        return DecisionRefusal.OTHER_QUESTION, f"{told} `docustack deploy show` says what."
    return refuse_answer(decision.kind, question, decision.unit, decision.environment)


def refuse_answer(kind: DecisionKind, question: Question, unit: str, typed: str) -> tuple[DecisionRefusal, str] | None:
    """The same for what comes unsigned."""
    if kind is DecisionKind.SKIP and unit not in (*question.failed, *question.not_begun):
        left = ", ".join((*question.failed, *question.not_begun)) or "none"
        what = f"`{unit}` is no unit that is left" if unit else "Which unit? Those that are left are"
        return DecisionRefusal.NO_SUCH_UNIT, f"{what}{f': {left}.' if unit else f' {left}.'}"
    if kind is DecisionKind.ROLL_BACK:
        if not question.made:
            told = f"There is nothing to roll back: this deployment has made nothing in `{question.environment}`"
            return DecisionRefusal.NOTHING_MADE, f"{told}. What was there before it is not destroyed."
        if typed != question.environment:
            told = f"A rollback destroys {len(question.made)} units: type the environment's name"
            return DecisionRefusal.OTHER_NAME, f"{told}, `{question.environment}`, not `{one_line(typed, 100)}`."
    return None


class DecisionSignal(Model):
    """A signal from Temporal's own UI or CLI, as far as it can be understood."""

    name: str
    kind: DecisionKind | None = None
    login: str = ""
    unit: str = ""
    environment: str = ""
    latest: bool = False
    problem: str = ""


def read_decision_signal(name: str, payloads: Sequence[object]) -> DecisionSignal:
    """Whatever somebody has typed there: understood if it is one object that names who sends it."""
    known = [kind.value for kind in DecisionKind if kind is not DecisionKind.CANCEL]
    shown = one_line(name, 100)
    if name not in known:
        return DecisionSignal(name=shown, problem=f"there is no such signal: {', '.join(known)} are")
    usage = 'its input is an object that says who you are: {"actor": "<your login>"}'
    if len(payloads) != 1 or not isinstance(payloads[0], dict):
        given = one_line(json.dumps(payloads, ensure_ascii=False, default=str), 80)
        return DecisionSignal(name=shown, kind=DecisionKind(name), problem=f"{usage}, not {given}")
    fields = payloads[0]
    text = {key: one_line(str(fields.get(key) or ""), 500) for key in ("actor", "unit", "environment")}
    login = text["actor"].removeprefix("@")[:100]
    return DecisionSignal(
        name=shown,
        kind=DecisionKind(name),
        login=login,
        unit=text["unit"],
        environment=text["environment"],
        latest=fields.get("latest") is True,
        problem="" if login else usage,
    )
