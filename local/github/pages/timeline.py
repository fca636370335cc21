"""What happened on a pull request, in order, as its page shows it."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from typing import Literal

from local.github.git import Commit
from local.github.hub import Hub
from local.github.mergeability import GOOD, latest_checks
from local.github.people import login_of
from local.github.records import CheckRun, Comment, Happening, PullRequest, Reaction, Review

Light = Literal["good", "bad", "pending", "none"]


@dataclass(frozen=True)
class CommentEntry:
    comment: Comment
    reactions: dict[str, list[str]]
    kind: str = "comment"

    @property
    def at(self) -> datetime:
        return self.comment.created_at


@dataclass(frozen=True)
class ReviewEntry:
    review: Review
    counts: bool
    outdated: bool
    kind: str = "review"

    @property
    def at(self) -> datetime:
        return self.review.submitted_at


@dataclass(frozen=True)
class HappeningEntry:
    happening: Happening
    kind: str = "happening"

    @property
    def at(self) -> datetime:
        return self.happening.at


@dataclass(frozen=True)
class CommitEntry:
    commit: Commit
    author: str
    light: Light
    at: datetime
    kind: str = "commit"


Entry = CommentEntry | ReviewEntry | HappeningEntry | CommitEntry


def timeline(hub: Hub, pull: PullRequest) -> list[Entry]:
    """All entries, oldest first; those of one second in the order in which they were stored."""
    happenings = hub.store.all(Happening, pull.within)
    stored: list[tuple[int, Entry]] = [
        *((one.id, _comment(hub, one)) for one in hub.store.all(Comment, pull.within)),
        *((one.id, _review(hub, pull, one)) for one in hub.store.all(Review, pull.within)),
    ]
    for one in happenings:
        stored.extend((one.id, entry) for entry in _happened(hub, one))
    first_push = next((one for one in happenings if one.kind == "pushed"), None)
    first_head = first_push.before if first_push else pull.head_sha
    opening = _commits(hub, pull.base_sha, first_head, pull.created_at)
    return [*opening, *(entry for _, entry in sorted(stored, key=lambda pair: pair[0]))]


def light(runs: Iterable[CheckRun]) -> Light:
    """One colour for several checks."""
    conclusions = [run.conclusion for run in runs]
    if not conclusions:
        return "none"
    if any(conclusion is not None and conclusion not in GOOD for conclusion in conclusions):
        return "bad"
    return "pending" if None in conclusions else "good"


def _comment(hub: Hub, comment: Comment) -> CommentEntry:
    reactions: dict[str, list[str]] = {}
    for reaction in hub.store.all(Reaction, str(comment.id)):
        reactions.setdefault(reaction.content, []).append(reaction.author)
    return CommentEntry(comment, reactions)


def _review(hub: Hub, pull: PullRequest, review: Review) -> ReviewEntry:
    return ReviewEntry(review, hub.user(review.author).may_push, review.commit_id != pull.head_sha)


def _happened(hub: Hub, happening: Happening) -> list[Entry]:
    if happening.kind != "pushed" or happening.detail == "forced":
        return [HappeningEntry(happening)]
    return list(_commits(hub, happening.before, happening.after, happening.at))


def _commits(hub: Hub, base: str, head: str, at: datetime) -> list[CommitEntry]:
    return [
        CommitEntry(
            commit,
            login_of(hub.store, commit.author) or commit.author.name,
            light(latest_checks(hub, commit.sha)),
            at,
        )
        for commit in hub.repository.commits(base, head)
    ]
