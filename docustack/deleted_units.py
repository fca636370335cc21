"""One unit that a pull request deletes, and what follows for it."""

from enum import StrEnum

from docustack.model import Model


class Fate(StrEnum):
    DESTROY = "destroy"  # planned for destruction
    NOTHING_LEFT = "nothing-left"  # its state owns nothing
    MOVED = "moved"  # another unit has the same state: what it owns goes along
    COPIED = "copied"  # its state was copied for another unit, and is still in place
    NEEDED = "needed"  # units that stay depend on it
    KEPT_FOR = "kept-for"  # a deleted unit that is not destroyed depends on it
    UNSURE = "unsure"  # it can't be told whether an added unit has the same state
    OUTSIDE = "outside"  # it lies in no environment, so there are no rules to go by
    GONE = "gone"  # the base branch has lost it already
    BACK = "back"  # the merge deleted it, and the base branch has it again


class DeletedUnit(Model):
    """One deleted unit and what follows for it; `because` names the units that decide it."""

    unit: str
    environment: str | None
    fate: Fate
    because: tuple[str, ...] = ()
    renamed_to: str | None = None
    owned: int | None = None  # resources in its state; None: it could not be read
    unread: bool = False  # after a merge: it could not be read the last time, and this is from before
    addresses: tuple[str, ...] = ()
    commit: str = ""  # of the base branch, which still has the unit

    @property
    def is_owned_by_nobody(self) -> bool:
        """Once the pull request is merged without destroying it, as far as is known."""
        return self.fate not in (Fate.NOTHING_LEFT, Fate.MOVED, Fate.COPIED, Fate.GONE, Fate.BACK)
