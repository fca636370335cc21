"""The order guard: a commit that lacks what was applied to a unit before would undo somebody's change.

git tells what contains what (`UnitOrder`), GitHub what became of a pull request; both decide where a commit stands.
"""

from collections.abc import Iterable
from enum import StrEnum

from docustack.apply_audit import AuditedApply
from docustack.events import PullRequestFacts
from docustack.model import Model


class Standing(StrEnum):
    """Where a commit stands to what was applied to a unit last; only a contained one may be applied without more."""

    CONTAINED = "contained"
    BEHIND = "behind"  # the base branch has it: merge that first
    UNMERGED = "unmerged"  # only another open pull request has it
    ABANDONED = "abandoned"  # no branch will ever have it: closed without a merge, or pushed over


class Commit(Model):
    """One commit as it is told of."""

    commit: str
    subject: str
    author: str


class UnitOrder(Model):
    """What git says of one unit's last apply and the commit that is to be applied.

    `lacked` are (at most ten of) the commits of the last apply that this one lacks, the newest first.
    """

    unit: str
    last: AuditedApply | None = None  # None: never applied through us
    same_inputs: bool = False  # the unit's files are the very same in both: applying it undoes nothing
    has_head: bool = False
    has_base: bool = False
    has_merge: bool = False  # it contains the commit by which the pull request of the last apply was merged
    base_branch_has_it: bool = False
    lacked: tuple[Commit, ...] = ()
    lacked_count: int = 0


def standing(order: UnitOrder, pull_request: int | None, other: PullRequestFacts | None = None) -> Standing:
    """Where a commit stands, of a pull request or of a branch.

    A pull request that was applied before its merge is contained in whatever contains its merge, be that a squash or a
    rebase; its own later heads, pushed with force or not, replace the earlier ones, and their plans show what that
    undoes.

    Args:
        other: the pull request of the last apply as GitHub tells it now, where there is one.
    """
    last = order.last
    if last is None or order.same_inputs or order.has_merge:
        return Standing.CONTAINED
    is_own = pull_request is not None and last.pull_request == pull_request
    if order.has_base and (order.has_head or is_own):
        return Standing.CONTAINED
    if order.base_branch_has_it:
        return Standing.BEHIND
    if other is not None and other.state == "open":
        return Standing.UNMERGED
    return Standing.ABANDONED


def pull_requests_to_ask(orders: Iterable[UnitOrder], pull_request: int | None) -> list[int]:
    """The pull requests whose fate decides: those that were applied and aren't contained by what git tells."""
    numbers = {
        order.last.pull_request
        for order in orders
        if order.last is not None and standing(order, pull_request) is not Standing.CONTAINED
    }
    return sorted(number for number in numbers if number is not None and number != pull_request)


class OutOfOrder(Model):
    """A unit that must not simply be applied, and why."""

    order: UnitOrder
    standing: Standing

    @property
    def unit(self) -> str:
        return self.order.unit


def out_of_order(
    orders: Iterable[UnitOrder], pull_request: int | None, others: dict[int, PullRequestFacts]
) -> list[OutOfOrder]:
    """The units whose last apply is not contained."""
    found = []
    for order in orders:
        other = others.get(order.last.pull_request or 0) if order.last else None
        where = standing(order, pull_request, other)
        if where is not Standing.CONTAINED:
            found.append(OutOfOrder(order=order, standing=where))
    return found
