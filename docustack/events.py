"""What happened to a pull request, in the one form in which its workflow is told."""

from enum import StrEnum

from docustack.model import Model
from docustack.repository import Repository

EVENT_SIGNAL = "github_event"
"""The name of the signal that carries an event."""

COMMENT_LIMIT = 65_536
"""Characters of a comment that travel; GitHub itself takes no more."""


class EventKind(StrEnum):
    """What can happen to a pull request as far as DocuStack cares."""

    OPENED = "opened"
    REOPENED = "reopened"
    READY_FOR_REVIEW = "ready_for_review"
    CONVERTED_TO_DRAFT = "converted_to_draft"
    SYNCHRONIZE = "synchronize"  # a push to its branch
    EDITED = "edited"  # its title or its base branch
    CLOSED = "closed"  # merged or not
    REVIEW_SUBMITTED = "review_submitted"
    REVIEW_DISMISSED = "review_dismissed"
    COMMENT_CREATED = "comment_created"
    CHECKS_REQUESTED = "checks_requested"  # by GitHub's merge queue, for a commit of its own


class PullRequestEvent(Model):
    """One event of one pull request.

    Everything has a default, so that a signal sent by hand decodes too: the workflow checks what it needs. What the
    event doesn't tell is None; a comment, for one, knows no commit.
    """

    delivery_id: str = ""  # GitHub's `X-GitHub-Delivery`: an event that comes twice is taken once
    kind: str = ""  # an EventKind; another word is told as unknown instead of being lost while it is decoded
    repository: Repository | None = None
    number: int = 0
    sender: str = ""  # the login of who did it
    sender_is_bot: bool = False
    title: str | None = None
    author: str | None = None
    url: str | None = None
    head_commit: str | None = None
    head_ref: str | None = None
    base_ref: str | None = None
    base_changed: bool = False  # an edit that moved the pull request to another base branch
    draft: bool | None = None
    merged: bool | None = None
    from_fork: bool | None = None
    comment_id: int | None = None
    comment_body: str | None = None
    comment_url: str | None = None
    comment_created_at: str | None = None  # ISO 8601, by GitHub's clock
    review_state: str | None = None  # approved, changes_requested, commented, dismissed
    review_commit: str | None = None
    group_commit: str | None = None  # of a merge queue: the base with all that is before it in line, and itself
    group_base: str | None = None  # the commit of the queue on which that one stands: all that is before it in line
    received_at: str = ""  # ISO 8601, UTC

    @property
    def known_kind(self) -> EventKind | None:
        """The kind, or None for a word that is no EventKind."""
        return EventKind(self.kind) if self.kind in set(EventKind) else None


class PullRequestFacts(Model):
    """A pull request without what only the gate asks."""

    number: int
    title: str
    author: str
    state: str  # open, closed
    merged: bool
    draft: bool
    head_commit: str
    head_ref: str
    base_ref: str
    from_fork: bool
    url: str
    created_at: str  # ISO 8601
    updated_at: str = ""  # the last thing that happened to it, by GitHub's clock
    closed_at: str | None = None
    merge_commit: str | None = None  # by which it was merged: also where it was squashed or rebased
    merged_by: str = ""  # the login; empty where it isn't merged


def pull_request_workflow_id(repository: Repository, number: int) -> str:
    """The id of the workflow that a pull request's events go to."""
    return f"pr:{repository.full_name}#{number}"
