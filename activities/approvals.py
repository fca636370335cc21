"""Checks the signatures of approvals and orders, with the keys that only the server and the control worker have."""

from collections.abc import Sequence

from pydantic import SecretStr
from temporalio import activity

from docustack.bootstrap import SignedBootstrapOrder, is_genuine_order
from docustack.model import Model
from docustack.signed_approvals import SignedApproval, is_genuine


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
