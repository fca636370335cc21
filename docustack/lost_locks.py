"""Puts a table of locks together again from what its holders and those who wait show of themselves."""

from collections.abc import Iterable
from datetime import datetime

from docustack.lock_messages import LocksMemo
from docustack.locks import Grant, LockTable


def rebuilt(memos: Iterable[LocksMemo], now: datetime) -> LockTable:
    """Everybody holds what they held, by the same tokens, and waits in the order in which they had come.

    Of two who think that they hold a unit the higher token is right: the other one had not heard yet that it was freed.
    """
    known = list(memos)
    grants: dict[str, Grant] = {}
    for grant in (grant for memo in known for grant in memo.grants):
        if grant.unit not in grants or grants[grant.unit].token < grant.token:
            grants[grant.unit] = grant
    requests = {memo.request.request_id: memo.request for memo in known if memo.request is not None}
    queue = sorted(requests.values(), key=lambda request: (request.requested_at, request.request_id))
    highest = max((grant.token for grant in grants.values()), default=0)
    return LockTable(next_token=max(first_token(now), highest + 1), grants=grants, queue=queue)


def first_token(now: datetime) -> int:
    """Higher than all tokens of a table before, of which nobody may know the last ones any more: milliseconds."""
    return int(now.timestamp() * 1_000)
