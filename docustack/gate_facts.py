"""What a gate decides on: the pull request as it is now, who acts, and who has said yes or no, by which door."""

from enum import StrEnum

from docustack.access import Person
from docustack.model import Model

APPROVED = "APPROVED"
CHANGES_REQUESTED = "CHANGES_REQUESTED"
DISMISSED = "DISMISSED"


class Door(StrEnum):
    """By which way somebody has said yes or no; who it was is verified at all of them but the last."""

    REVIEW = "review"  # on GitHub, read from there
    SERVER = "server"  # the command line and whatever else asks our server, which signs it
    TEMPORAL = "temporal"  # a bare signal from Temporal's own UI or CLI


class Review(Model):
    """The latest review of one person that says yes or no (comments alone don't count)."""

    reviewer: Person
    state: str  # APPROVED, CHANGES_REQUESTED, DISMISSED
    commit: str
    submitted_at: str = ""  # ISO 8601, UTC
    door: Door = Door.REVIEW
    seen: int | None = None  # given to the run itself: the number of the last plan that had been shown by then


class GateFacts(Model):
    """The pull request as GitHub tells it now."""

    author: str
    head_commit: str
    base_ref: str
    state: str  # open, closed
    merged: bool
    draft: bool
    from_fork: bool
    mergeable: bool | None
    mergeable_state: str
    reviews: tuple[Review, ...]
    actor: Person
