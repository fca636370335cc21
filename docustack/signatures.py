"""Signs what our server has verified, so that a workflow believes it and nobody else who reaches Temporal."""

import hashlib
import hmac
from collections.abc import Iterable
from datetime import datetime, timedelta

from docustack.model import Model

GOOD_FOR = timedelta(minutes=15)
"""How long after it was signed something may arrive: what was caught on its way can't be kept for later."""

_CLOCKS_DIFFER = timedelta(minutes=5)


def signature(purpose: bytes, what: Model, key: str) -> str:
    """`purpose` is part of what is signed: a signature of this key under something else is none of this."""
    return "sha256:" + hmac.new(key.encode(), purpose + what.model_dump_json().encode(), hashlib.sha256).hexdigest()


def is_signed_by(given: str, purpose: bytes, what: Model, keys: Iterable[str]) -> bool:
    """Whether one of our keys made it; how long it takes says nothing about how close a wrong one is."""
    return sum(hmac.compare_digest(signature(purpose, what, key).encode(), given.encode()) for key in keys) > 0


def is_in_time(given_at: datetime, now: datetime) -> bool:
    """Whether what was signed then may still arrive; the clock that said so may be another."""
    return -_CLOCKS_DIFFER <= now - given_at <= GOOD_FOR
