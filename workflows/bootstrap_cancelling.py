"""The door by which a bootstrap is cancelled: who may is judged here, the cancellation itself is the server's."""

from temporalio import workflow
from temporalio.exceptions import ActivityError, ApplicationError

from workflows import policies
from workflows.bootstrap_calls import BootstrapCalls
from workflows.calls import call

with workflow.unsafe.imports_passed_through():
    from activities.approvals import Approvals
    from docustack import bootstrap_texts as texts
    from docustack.bootstrap import BootstrapOrder, BootstrapState
    from docustack.decisions import GivenDecision, remember
    from docustack.gate_facts import Door
    from docustack.signed_approvals import (
        REPLAYED,
        ApprovalAnswer,
        Asked,
        Refusal,
        SignedApproval,
        Verdict,
        refuse,
    )

KEPT = 50
"""Of one bootstrap: people give it no more."""

Refused = tuple[Refusal, str]


class BootstrapCancelling:
    """It takes what ordering takes: the right to apply in the environment; who has ordered it may always."""

    def __init__(self, order: BootstrapOrder, state: BootstrapState, calls: BootstrapCalls) -> None:
        self._order = order
        self._state = state
        self._calls = calls
        self._nonces: list[str] = []

    def validate(self, signed: SignedApproval) -> None:
        """Refuse without a trace what is no cancellation of this bootstrap.

        Raises:
            ApplicationError: its type is a `Refusal`.
        """
        asked = Asked(run_id=workflow.info().workflow_id, waiting=False, commit="", plans="", author="")
        refused = refuse(signed.approval, Verdict.CANCEL, asked, workflow.now(), self._nonces)
        if refused is not None:
            refusal, message = refused
            raise ApplicationError(message, type=refusal.value, non_retryable=True)

    async def take(self, signed: SignedApproval) -> ApprovalAnswer:
        """Judge one and answer; what doesn't count is on record too."""
        approval = signed.approval
        received_at = workflow.now()
        try:
            refused = await self._refusal(signed)
        except ActivityError as error:
            workflow.logger.warning("a cancellation could not be judged: %s", error.cause)
            refused = (Refusal.UNAVAILABLE, texts.CANNOT_BE_JUDGED)
        told = refused[1] if refused else texts.IS_CANCELLED
        given = GivenDecision(
            door=Door.SERVER,
            verdict=Verdict.CANCEL.value,
            login=approval.login,
            reason=approval.reason,
            received_at=received_at,
            counts=refused is None,
            told=told,
        )
        decisions = list(self._state.decisions)
        remember(decisions, given, KEPT)
        self._state.decisions = decisions
        return ApprovalAnswer(accepted=refused is None, refusal=refused[0].value if refused else "", message=told)

    async def _refusal(self, signed: SignedApproval) -> Refused | None:
        login = signed.approval.login
        policy = policies.WHILE_SOMEBODY_WAITS
        signature = await call(Approvals.check_signature, signed, policy=policy, summary=f"cancel, by {login}")
        if not signature.has_key:
            return Refusal.UNAVAILABLE, "The worker has no DOCUSTACK_APPROVAL_KEYS, so it can check no signature."
        if not signature.genuine:
            return Refusal.FORGED, "It was not signed by this installation's server."
        if signed.approval.nonce in self._nonces:  # the same came a second time while this was checked
            return Refusal.REPLAYED, REPLAYED
        self._nonces = [*self._nonces[-KEPT + 1 :], signed.approval.nonce]
        if login.lower() == self._order.login.lower():
            return None
        if not self._calls.knows_rules:
            return Refusal.NOT_ALLOWED, "By which rules is not known yet: it has only begun. Try again."
        access = await self._calls.decide_access(login, policy=policy)
        return None if access.allowed else (Refusal.NOT_ALLOWED, f"It doesn't count: {access.message}")
