"""From what GitHub sends to the one event that a pull request's workflow gets, or to the reason why there is none."""

import re
from collections.abc import Callable
from dataclasses import dataclass

from pydantic import ValidationError
from pydantic_core import from_json

from docustack.base_moves import BaseMoved
from docustack.events import COMMENT_LIMIT, EventKind, PullRequestEvent
from docustack.repository import Repository
from starter.webhook_bodies import (
    CommentEventBody,
    EventBody,
    MergeGroupEventBody,
    PullRequestBody,
    PullRequestEventBody,
    PushBody,
    ReviewEventBody,
    UserBody,
)

_GHOST = "ghost"  # GitHub's own word for an account that was deleted

_PULL_REQUEST_ACTIONS = {
    "opened": EventKind.OPENED,
    "reopened": EventKind.REOPENED,
    "ready_for_review": EventKind.READY_FOR_REVIEW,
    "converted_to_draft": EventKind.CONVERTED_TO_DRAFT,
    "synchronize": EventKind.SYNCHRONIZE,
    "edited": EventKind.EDITED,
    "closed": EventKind.CLOSED,
}
_REVIEW_ACTIONS = {"submitted": EventKind.REVIEW_SUBMITTED, "dismissed": EventKind.REVIEW_DISMISSED}


_QUEUED = re.compile(r"(?:refs/heads/)?gh-readonly-queue/.+/pr-([1-9][0-9]{0,8})-[0-9a-f]{40,64}")
"""The branch of a merge group, which names the pull request that is last in it."""


@dataclass(frozen=True)
class Ignored:
    """A well-formed event that concerns nobody here."""

    reason: str


@dataclass(frozen=True)
class NotJson:
    """The body is no JSON object."""

    reason: str


@dataclass(frozen=True)
class Malformed:
    """JSON, but not of the shape that GitHub gives this event."""

    reason: str


@dataclass(frozen=True)
class Delivery:
    """One webhook as it came in, its signature already checked."""

    delivery_id: str
    event: str  # GitHub's `X-GitHub-Event`
    body: bytes
    received_at: str  # ISO 8601, UTC


Reading = PullRequestEvent | BaseMoved | Ignored | NotJson | Malformed


def read_delivery(delivery: Delivery, *, bot_login: str, repositories: tuple[str, ...] = ()) -> Reading:
    """What a delivery says.

    Args:
        delivery: what came in.
        bot_login: whose comments are our own; with a plain token GitHub doesn't call that user a bot.
        repositories: `owner/name` of those that are served; empty: all.
    """
    try:
        # Refuses half a surrogate pair, too, which could be read but not signalled on.
        content = from_json(delivery.body, allow_inf_nan=False)
    except ValueError as error:
        return NotJson(f"the body is no JSON: {error}")
    if not isinstance(content, dict):
        return NotJson("the body is no JSON object")
    reader = _READERS.get(delivery.event)
    if reader is None:
        return Ignored(f"nothing follows from the event {delivery.event}")
    try:
        return reader(_Envelope(delivery, content, bot_login, repositories))
    except ValidationError as error:
        return Malformed(f"the {delivery.event} event has not GitHub's shape: {_first(error)}")


@dataclass(frozen=True)
class _Envelope:
    delivery: Delivery
    content: dict[str, object]
    bot_login: str
    repositories: tuple[str, ...]

    def stranger(self, event: EventBody | PushBody) -> Ignored | None:
        """The reason to ignore an event of a repository that isn't served."""
        served = {name.lower() for name in self.repositories}
        if served and event.repository.full_name.lower() not in served:
            return Ignored(f"{event.repository.full_name} is not in DOCUSTACK_REPOSITORIES")
        return None

    def is_bot(self, user: UserBody) -> bool:
        return user.type == "Bot" or user.login.endswith("[bot]") or user.login.lower() == self.bot_login.lower()

    def told(self, event: EventBody, kind: EventKind, number: int) -> PullRequestEvent:
        """What every event has."""
        return PullRequestEvent(
            delivery_id=self.delivery.delivery_id,
            kind=kind,
            repository=Repository(owner=event.repository.owner.login, name=event.repository.name),
            number=number,
            sender=event.sender.login,
            sender_is_bot=self.is_bot(event.sender),
            received_at=self.delivery.received_at,
        )


def _read_pull_request(envelope: _Envelope) -> PullRequestEvent | Ignored:
    event = PullRequestEventBody.model_validate(envelope.content)
    kind = _PULL_REQUEST_ACTIONS.get(event.action)
    if kind is None:
        return Ignored(f"nothing follows when a pull request is {event.action}")
    base_changed = event.changes is not None and event.changes.base is not None
    return envelope.stranger(event) or envelope.told(event, kind, event.pull_request.number).model_copy(
        update={**_facts(event.pull_request), "base_changed": base_changed}
    )


def _read_review(envelope: _Envelope) -> PullRequestEvent | Ignored:
    event = ReviewEventBody.model_validate(envelope.content)
    kind = _REVIEW_ACTIONS.get(event.action)
    if kind is None:
        return Ignored(f"nothing follows when a review is {event.action}")
    review = {"review_state": event.review.state.lower(), "review_commit": event.review.commit_id}
    return envelope.stranger(event) or envelope.told(event, kind, event.pull_request.number).model_copy(
        update={**_facts(event.pull_request), **review}
    )


def _read_comment(envelope: _Envelope) -> PullRequestEvent | Ignored:
    event = CommentEventBody.model_validate(envelope.content)
    if event.action != "created":
        return Ignored(f"a comment that is {event.action} is no new command")
    if event.issue.pull_request is None:
        return Ignored(f"#{event.issue.number} is an issue, not a pull request")
    return envelope.stranger(event) or envelope.told(event, EventKind.COMMENT_CREATED, event.issue.number).model_copy(
        update={
            "title": event.issue.title,
            "author": event.issue.user.login if event.issue.user else _GHOST,
            "url": event.issue.html_url,
            "draft": event.issue.draft,
            "comment_id": event.comment.id,
            "comment_body": (event.comment.body or "")[:COMMENT_LIMIT],
            "comment_url": event.comment.html_url,
            "comment_created_at": event.comment.created_at,
        }
    )


def _read_push(envelope: _Envelope) -> BaseMoved | Ignored:
    event = PushBody.model_validate(envelope.content)
    branch = event.ref.removeprefix("refs/heads/")
    if branch == event.ref or event.deleted or _QUEUED.fullmatch(event.ref):
        return Ignored(f"a push of {event.ref[:100]} moves no branch that anything could be merged into")
    repository = Repository(owner=event.repository.owner.login, name=event.repository.name)
    return envelope.stranger(event) or BaseMoved(repository=repository, base_ref=branch, commit=event.after)


def _read_merge_group(envelope: _Envelope) -> PullRequestEvent | Ignored:
    event = MergeGroupEventBody.model_validate(envelope.content)
    queued = _QUEUED.fullmatch(event.merge_group.head_ref)
    if event.action != "checks_requested" or queued is None:
        return Ignored(f"nothing follows when a merge group is {event.action}")
    return envelope.stranger(event) or envelope.told(event, EventKind.CHECKS_REQUESTED, int(queued[1])).model_copy(
        update={"group_commit": event.merge_group.head_sha, "group_base": event.merge_group.base_sha}
    )


_READERS: dict[str, Callable[[_Envelope], PullRequestEvent | BaseMoved | Ignored]] = {
    "pull_request": _read_pull_request,
    "pull_request_review": _read_review,
    "issue_comment": _read_comment,
    "push": _read_push,
    "merge_group": _read_merge_group,
}


def _facts(body: PullRequestBody) -> dict[str, object]:
    return {
        "title": body.title,
        "author": body.user.login if body.user else _GHOST,
        "url": body.html_url,
        "head_commit": body.head.sha,
        "head_ref": body.head.ref,
        "base_ref": body.base.ref,
        "draft": body.draft,
        "merged": body.merged,
        "from_fork": body.from_fork,
    }


def _first(error: ValidationError) -> str:
    detail = error.errors(include_url=False, include_input=False)[0]
    return f"{'.'.join(map(str, detail['loc']))}: {detail['msg']}"
