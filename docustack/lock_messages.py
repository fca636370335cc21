"""What is said to the table of locks, and what it says: between workflows all of it travels as signals."""

from collections.abc import Mapping

from docustack.locks import Grant, LockAnswer, LockRequest, LockTable, holder_name
from docustack.model import Model, State
from docustack.packing import Packed
from docustack.repository import Repository

LOCK_ANSWER_SIGNAL = "lock_answer"
LOCKS_HELD_SIGNAL = "locks_held"
UNITS_FREED_SIGNAL = "units_freed"
LOCKS_MEMO = "DocustackLocks"

NEAR = 10
"""Places in line within which each step is told at once; further back it is every tenth, and when the run asks."""


class ReleaseLocks(Model):
    """Free what a pull request holds: all of it (closed, merged), or the units named; it also leaves the queue."""

    holder: str
    units: tuple[str, ...] | None = None
    but_not: tuple[str, ...] = ()  # merged without having been applied: held until it is
    actor: str = ""  # who gave them up


class WithdrawRequest(Model):
    """Leave the queue, and give back what the request took; what was held before it stays held."""

    request_id: str


class HolderEnded(Model):
    """The workflow of a holder is no more, and nothing of it works: exactly these grants, by their tokens, are free."""

    holder: str
    tokens: dict[str, int]


LockMessage = LockRequest | ReleaseLocks | WithdrawRequest | HolderEnded


class ConfirmGrants(Model):
    """Are these tokens still the units' grants?"""

    holder: str
    tokens: dict[str, int]


class Confirmation(Model):
    confirmed: bool
    known: bool = True  # False: the table is being put together again, ask later


class HeldByOthers(Model):
    """Which of these units does somebody else than this holder hold now?"""

    holder: str
    units: tuple[str, ...]


class OtherHolders(Model):
    grants: Packed[tuple[Grant, ...]] = ()


class LocksHeld(Model):
    """All that a pull request holds from now on: the table tells its workflow whenever that has changed.

    `freed` are units that somebody has given up, not those that a run took and didn't need.
    """

    grants: Packed[tuple[Grant, ...]] = ()
    freed: tuple[str, ...] = ()
    freed_by: str = ""


class UnitsFreed(Model):
    """Somebody holds these units no longer; every other pull request that has a plan for one of them hears of it."""

    repository: Repository
    pull_request: int | None = None
    holder: str = ""  # the workflow id, of a run without a pull request
    units: tuple[str, ...]
    how: str  # what became of it, as in "pull request 7, which held it, was merged"
    merged: bool = False
    only_owed: bool = (
        False  # nothing was changed with them: it concerns only the merges from which they were taken over
    )
    key: str  # who is told twice, by a retry, knows it by this

    @property
    def holder_name(self) -> str:
        return holder_name(self.pull_request, self.holder)


class LocksMemo(Model):
    """What a pull request holds, and what a run waits for: the memo that each of them shows of itself.

    Of it a table that was lost is put together again.
    """

    grants: Packed[tuple[Grant, ...]] = ()
    request: LockRequest | None = None


class LocksInbox(State):
    """What came in and was not acted on yet, in order."""

    requests: list[LockMessage] = []


class LocksStart(Model):
    """The entity's start: `table` and `inbox` are carried across continue-as-new; without a table it finds its own."""

    repository: Repository
    table: LockTable | None = None
    inbox: LocksInbox = LocksInbox()


def locks_workflow_id(repository: Repository) -> str:
    return f"locks:{repository.full_name}"


def has_to_hear(before: LockAnswer, now: LockAnswer) -> bool:
    """Has who waits to be told how it stands now? A long line would else be told whole at each of its steps."""
    if now.position > NEAR:
        return before.position // NEAR != now.position // NEAR
    return before != now


def held_by(table: LockTable, holder: str, before: Mapping[str, Grant], released: ReleaseLocks | None) -> LocksHeld:
    """What a holder is told of a change; `before` are the grants before it, `released` what has made it, if it did."""
    grants = tuple(grant for grant in table.grants.values() if grant.holder == holder)
    if released is None or released.holder != holder:
        return LocksHeld(grants=grants)
    still = {grant.unit for grant in grants}
    freed = sorted(unit for unit, grant in before.items() if grant.holder == holder and unit not in still)
    return LocksHeld(grants=grants, freed=tuple(freed), freed_by=released.actor)
