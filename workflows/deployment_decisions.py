"""The doors of a deployment that waits for a decision: signed through our server, or a bare signal from Temporal."""

from collections.abc import Callable, Sequence
from datetime import timedelta

from temporalio import workflow
from temporalio.common import RawValue
from temporalio.exceptions import ActivityError, ApplicationError

from workflows.deployment_calls import DeploymentCalls
from workflows.raw_signals import decoded

with workflow.unsafe.imports_passed_through():
    from docustack import deployment_texts as texts
    from docustack.access import decide_access
    from docustack.decisions import remember
    from docustack.deployment_decisions import (
        REPLAYED,
        DecisionKind,
        DecisionRefusal,
        DeploymentAnswer,
        Question,
        SignedDecision,
        TakenDecision,
        read_decision_signal,
        refuse_answer,
        refuse_decision,
    )
    from docustack.gate_facts import Door
    from docustack.initial_deployment import AT_WORK, DeploymentState, EnvironmentProgress, with_dependants
    from docustack.runs import Operation

KEPT = 200
"""Decisions and nonces that are remembered: more are not given to one deployment by people."""

_AWAY = "GitHub or a worker doesn't answer now, so it can't be told whether this counts. Decide again."

Refused = tuple[DecisionRefusal, str]


class DeploymentDecisions:
    """Asks one question at a time; the first answer that counts closes it."""

    def __init__(self, state: DeploymentState, calls: DeploymentCalls) -> None:
        self._state = state
        self._calls = calls
        self._given: TakenDecision | None = None
        self.last_signed: SignedDecision | None = None

    def ask(self, environment: EnvironmentProgress) -> Question:
        """What is to become of an environment that has stopped."""
        self._state.questions += 1
        self._given = None
        self._state.question = question = Question(
            number=self._state.questions,
            environment=environment.name,
            message=texts.question(environment),
            done=tuple(environment.done),
            failed=tuple(environment.failed),
            not_begun=tuple(environment.not_begun),
            made=tuple(environment.made),
            asked_at=workflow.now(),
        )
        return question

    async def answer(self, remind: Callable[[], None]) -> TakenDecision:
        """The one that counts; it is waited for as long as it takes, and reminded of once, as a gate reminds."""
        hours = self._calls.configuration.apply.remind_after_hours
        try:
            if hours and not await self._is_given_within(timedelta(hours=hours)):
                remind()
            await workflow.wait_condition(lambda: self._given is not None)
        finally:
            self._state.question = None
        assert self._given is not None
        return self._given

    def signed_of(self, decision: TakenDecision) -> SignedDecision | None:
        """What stands for the last one; nothing for one that came from Temporal, where that is trusted."""
        return self.last_signed if decision.door is Door.SERVER else None

    async def _is_given_within(self, time: timedelta) -> bool:
        try:
            await workflow.wait_condition(lambda: self._given is not None, timeout=time)
        except TimeoutError:
            return False
        return True

    # ---- signed, through the server --------------------------------------------------------------------------------

    def validate(self, signed: SignedDecision) -> None:
        """Refuse without a trace what can't be an answer to what is asked.

        Raises:
            ApplicationError: its type is a `DecisionRefusal`.
        """
        workflow_id = workflow.info().workflow_id
        refused = refuse_decision(
            signed.decision, workflow_id, self._state.question, workflow.now(), self._state.nonces
        )
        if refused is not None:
            refusal, message = refused
            raise ApplicationError(message, type=refusal.value, non_retryable=True)

    async def take(self, signed: SignedDecision) -> DeploymentAnswer:
        """Judge one and answer; what doesn't count is on record too."""
        decision, asked = signed.decision, self._state.question
        cancels = decision.kind is DecisionKind.CANCEL
        environment = self._at_work() if cancels or asked is None else asked.environment
        given = TakenDecision(
            kind=decision.kind.value,
            login=decision.login,
            question=asked.number if asked is not None else 0,
            unit=decision.unit,
            environment=environment,
            latest=decision.latest,
            received_at=workflow.now(),
        )
        try:
            refused = await self._refusal_of_signed(signed, given)
        except ActivityError as error:
            workflow.logger.warning("a decision could not be judged: %s", error.cause)
            refused = (DecisionRefusal.UNAVAILABLE, _AWAY)
        answer = self._cancelled(given, refused) if cancels else self._answered(given, asked, refused)
        if answer.accepted and not cancels:
            self.last_signed = signed
        return answer

    async def _refusal_of_signed(self, signed: SignedDecision, given: TakenDecision) -> Refused | None:
        signature = await self._calls.check_decision(signed)
        if not signature.has_key:
            told = "The worker has no DOCUSTACK_APPROVAL_KEYS, so it can check no signature."
            return DecisionRefusal.UNAVAILABLE, told
        if not signature.genuine:
            return DecisionRefusal.FORGED, "It was not signed by this installation's server."
        nonce = signed.decision.nonce
        if nonce in self._state.nonces:  # the same came a second time while this was checked
            return DecisionRefusal.REPLAYED, REPLAYED
        self._state.nonces = [*self._state.nonces[-KEPT + 1 :], nonce]
        return await self._refusal(given)

    # ---- bare signals ----------------------------------------------------------------------------------------------

    async def hear(self, name: str, payloads: Sequence[RawValue]) -> None:
        """A signal from Temporal's own UI or CLI; whatever it holds, it is recorded, and told in `show`."""
        signal = read_decision_signal(name, [decoded(payload) for payload in payloads])
        asked = self._state.question
        given = TakenDecision(
            kind=signal.name,
            login=signal.login,
            door=Door.TEMPORAL,
            question=asked.number if asked is not None else 0,
            unit=signal.unit,
            environment=asked.environment if asked is not None else "",
            latest=signal.latest,
            received_at=workflow.now(),
        )
        if signal.problem or signal.kind is None:
            self._answered(given, asked, (DecisionRefusal.NOT_ALLOWED, f"{signal.problem}."))
            return
        if asked is None:
            self._answered(given, None, (DecisionRefusal.NOT_WAITING, "The deployment waited for no decision."))
            return
        refused = refuse_answer(signal.kind, asked, signal.unit, signal.environment)
        rules = self._calls.configuration.environments[asked.environment]
        if refused is None and not rules.trust_temporal_operators:
            told = f"@{given.login} is only claimed to have sent the signal, and nobody has verified who did."
            refused = (DecisionRefusal.NOT_ALLOWED, told)
        if refused is None:
            try:
                refused = await self._refusal(given)
            except ActivityError as error:
                workflow.logger.warning("a signal could not be judged: %s", error.cause)
                refused = (DecisionRefusal.UNAVAILABLE, _AWAY)
        self._answered(given, asked, refused)

    # ---- both ------------------------------------------------------------------------------------------------------

    async def _refusal(self, given: TakenDecision) -> Refused | None:
        """It takes the right to apply in that environment; to end it, to have ordered the deployment is enough."""
        ordered_it = given.door is Door.SERVER and given.login == self._state.order.login
        if ordered_it and given.kind in (DecisionKind.STOP, DecisionKind.CANCEL):
            return None
        if not given.environment:
            return DecisionRefusal.NOT_ALLOWED, "By which rules is not known yet: it has only begun. Try again."
        person = await self._calls.read_person(given.login, somebody_waits=True)
        access = decide_access(self._calls.configuration, given.environment, Operation.APPLY, person)
        return None if access.allowed else (DecisionRefusal.NOT_ALLOWED, access.message)

    def _at_work(self) -> str:
        """The environment that is worked on, or the next one."""
        environments = self._state.environments
        at_work = [one.name for one in environments if one.stage in AT_WORK]
        left = [one.name for one in environments if one.ended_at is None]
        return next(iter([*at_work, *left, *(one.name for one in environments)]), "")

    def _cancelled(self, given: TakenDecision, refused: Refused | None) -> DeploymentAnswer:
        """On record; the cancellation itself is the server's, as it is of Temporal's own UI."""
        message = refused[1] if refused else texts.CANCELLED
        told = given.model_copy(update={"told": message, "counts": refused is None})
        self._remember(told)
        return DeploymentAnswer(accepted=refused is None, refusal=refused[0].value if refused else "", message=message)

    def _answered(self, given: TakenDecision, asked: Question | None, refused: Refused | None) -> DeploymentAnswer:
        """The first that counts closes the question: one that was judged meanwhile comes too late."""
        open_now = self._state.question
        if refused is None and (asked is None or open_now is None or open_now.number != asked.number):
            refused = (DecisionRefusal.OTHER_QUESTION, "Somebody else has decided a moment before.")
        message = refused[1] if refused else self._accepted(given, asked)
        told = given.model_copy(update={"told": message, "counts": refused is None})
        self._remember(told)
        if refused is None:
            self._state.question, self._given = None, told
        return DeploymentAnswer(accepted=refused is None, refusal=refused[0].value if refused else "", message=message)

    def _remember(self, told: TakenDecision) -> None:
        """What counts stays on record, however much comes that doesn't."""
        decisions = list(self._state.decisions)
        remember(decisions, told, KEPT)
        self._state.decisions = decisions

    def _accepted(self, given: TakenDecision, asked: Question | None) -> str:
        assert asked is not None
        kind = DecisionKind(given.kind)
        left_out = with_dependants([given.unit], self._state.dependencies) if kind is DecisionKind.SKIP else ()
        return texts.accepted(kind, asked, left_out)
