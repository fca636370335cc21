"""What the stand-in remembers: one model a kind of thing, each stored as it is."""

from datetime import datetime
from typing import Literal

from pydantic import Field

from local.store import Record

Permission = Literal["none", "read", "triage", "write", "maintain", "admin"]
ReviewState = Literal["APPROVED", "CHANGES_REQUESTED", "COMMENTED", "DISMISSED"]
CheckStatus = Literal["queued", "in_progress", "completed", "waiting", "requested", "pending"]
Conclusion = Literal["success", "failure", "neutral", "cancelled", "skipped", "timed_out", "action_required"]
ReactionContent = Literal["+1", "-1", "laugh", "confused", "heart", "hooray", "rocket", "eyes"]


class User(Record):
    login: str
    name: str
    kind: Literal["User", "Bot"] = "User"
    permission: Permission = "read"
    organization_member: bool = True
    token: str

    @property
    def within(self) -> str:
        return self.login

    @property
    def may_push(self) -> bool:
        return self.permission in ("write", "maintain", "admin")


class Team(Record):
    slug: str
    name: str
    description: str = ""
    parent: str | None = None
    members: dict[str, Literal["active", "pending"]] = Field(default_factory=dict)

    @property
    def within(self) -> str:
        return self.slug


class Fork(Record):
    owner: str
    git_dir: str

    @property
    def within(self) -> str:
        return self.owner


class KnownRef(Record):
    """The commit that a branch of the repository, or of the fork of `owner`, had when it was last looked at."""

    owner: str
    ref: str
    sha: str

    @property
    def within(self) -> str:
        return self.owner


class Protection(Record):
    """What a base branch asks of a pull request before it can be merged."""

    branch: str
    required_checks: list[str] = Field(default_factory=list)
    required_approvals: int = 0

    @property
    def within(self) -> str:
        return self.branch


class PullRequest(Record):
    number: int
    title: str
    body: str | None
    author: str
    state: Literal["open", "closed"] = "open"
    draft: bool = False
    head_owner: str
    head_ref: str
    head_sha: str
    base_ref: str
    base_sha: str
    merged_by: str | None = None
    merge_sha: str | None = None
    created_at: datetime
    updated_at: datetime
    closed_at: datetime | None = None
    merged_at: datetime | None = None

    @property
    def within(self) -> str:
        return str(self.number)

    @property
    def merged(self) -> bool:
        return self.merged_at is not None

    @property
    def ref(self) -> str:
        """Where the repository keeps the head, also when its branch is gone or lies in a fork."""
        return f"refs/pull/{self.number}/head"


class OfPullRequest(Record):
    """Something that belongs to one pull request."""

    number: int

    @property
    def within(self) -> str:
        return str(self.number)


class QueueEntry(OfPullRequest):
    """A place in the merge queue of a branch; the commit of its group is there once it has been made."""

    actor: str
    head_sha: str
    base_ref: str
    group_base: str = ""
    group_sha: str = ""

    @property
    def ref(self) -> str:
        return f"refs/heads/gh-readonly-queue/{self.base_ref}/pr-{self.number}-{self.group_base}"


class Comment(OfPullRequest):
    author: str
    body: str
    created_at: datetime
    updated_at: datetime


class Review(OfPullRequest):
    author: str
    body: str
    state: ReviewState
    commit_id: str
    submitted_at: datetime


class Happening(OfPullRequest):
    """A line of the pull request's timeline that is neither a comment nor a review."""

    actor: str
    kind: Literal["pushed", "closed", "reopened", "merged", "renamed", "retargeted", "drafted", "readied", "dismissed"]
    detail: str = ""
    before: str = ""
    after: str = ""
    at: datetime


class Reaction(Record):
    comment_id: int
    author: str
    content: ReactionContent
    created_at: datetime

    @property
    def within(self) -> str:
        return str(self.comment_id)


class CheckRun(Record):
    name: str
    head_sha: str
    status: CheckStatus = "queued"
    conclusion: Conclusion | None = None
    external_id: str | None = None
    details_url: str | None = None
    title: str | None = None
    summary: str | None = None
    text: str | None = None
    started_at: datetime | None = None
    completed_at: datetime | None = None

    @property
    def within(self) -> str:
        return self.head_sha


class Delivery(Record):
    """One webhook request, waiting to be sent or sent; the body is kept as its exact bytes' text."""

    guid: str
    event: str
    action: str | None
    body: str
    redelivery: bool = False
    waiting: bool = True
    delivered_at: datetime
    duration: float = 0.0
    status: str = ""
    status_code: int = 0
    request_headers: dict[str, str] = Field(default_factory=dict)
    response_headers: dict[str, str] = Field(default_factory=dict)
    response_body: str = ""

    @property
    def within(self) -> str:
        return "waiting" if self.waiting else "sent"
