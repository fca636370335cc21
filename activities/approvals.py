"""Checks the signatures of approvals and orders, with the keys that only the server and the control worker have."""

import secrets
from collections.abc import Sequence
from datetime import UTC, datetime

from pydantic import SecretStr
from temporalio import activity

from docustack.bootstrap import BootstrapOrder, SignedBootstrapOrder, is_genuine_order, sign_order
from docustack.deployment_decisions import SignedDecision, is_genuine_decision
from docustack.deployment_steps import DECIDED_WITHIN, DeploymentWord, is_genuine_word
from docustack.initial_deployment import SignedDeploymentOrder, deployment_workflow_id, is_genuine_deployment
from docustack.model import Model
from docustack.orders import SignedRun, is_genuine_run
from docustack.signed_approvals import SignedApproval, is_genuine


class OrderBootstrap(Model):
    """A bootstrap as a step of a deployment, in the name of who ordered that, or has last decided in it."""

    deployment: SignedDeploymentOrder
    decision: SignedDecision | None = None
    environment: str
    account_id: str


class OrderedBootstrap(Model):
    """`signed` is None where nobody's word stands for it."""

    signed: SignedBootstrapOrder | None = None


class SignatureAnswer(Model):
    """`genuine` is False also where this worker has no key: what can't be checked is not believed."""

    genuine: bool
    has_key: bool = True


class Approvals:
    """An activity, since a workflow's history would show the keys."""

    def __init__(self, keys: Sequence[SecretStr]) -> None:
        self._keys = [key.get_secret_value() for key in keys]

    @activity.defn
    async def check_signature(self, signed: SignedApproval) -> SignatureAnswer:
        return SignatureAnswer(genuine=is_genuine(signed, self._keys), has_key=bool(self._keys))

    @activity.defn
    async def check_order(self, signed: SignedBootstrapOrder) -> SignatureAnswer:
        return SignatureAnswer(genuine=is_genuine_order(signed, self._keys), has_key=bool(self._keys))

    @activity.defn
    async def check_run(self, signed: SignedRun) -> SignatureAnswer:
        return SignatureAnswer(genuine=is_genuine_run(signed, self._keys), has_key=bool(self._keys))

    @activity.defn
    async def check_deployment(self, signed: SignedDeploymentOrder) -> SignatureAnswer:
        return SignatureAnswer(genuine=is_genuine_deployment(signed, self._keys), has_key=bool(self._keys))

    @activity.defn
    async def check_decision(self, signed: SignedDecision) -> SignatureAnswer:
        return SignatureAnswer(genuine=is_genuine_decision(signed, self._keys), has_key=bool(self._keys))

    @activity.defn
    async def check_word(self, word: DeploymentWord) -> SignatureAnswer:
        return SignatureAnswer(genuine=is_genuine_word(word, self._keys), has_key=bool(self._keys))

    @activity.defn
    async def order_bootstrap(self, question: OrderBootstrap) -> OrderedBootstrap:
        """Only for a word that our server has signed, and not long ago: it must not become one for good."""
        order, login = question.deployment.order, question.deployment.order.login
        given_at = order.given_at
        if not self._keys or not is_genuine_deployment(question.deployment, self._keys):
            return OrderedBootstrap()
        if question.decision is not None:
            about = question.decision.decision.deployment == deployment_workflow_id(order.repository)
            if not about or not is_genuine_decision(question.decision, self._keys):
                return OrderedBootstrap()
            login, given_at = question.decision.decision.login, question.decision.decision.given_at
        now = datetime.now(UTC)
        if now - given_at > DECIDED_WITHIN:
            return OrderedBootstrap()
        bootstrap = BootstrapOrder(
            login=login,
            repository=order.repository,
            environment=question.environment,
            account_id=question.account_id,
            given_at=now,
            nonce=secrets.token_hex(16),
        )
        return OrderedBootstrap(signed=sign_order(bootstrap, self._keys[0]))
