"""What people say on a pull request: comments, reactions, reviews."""

from typing import Literal

from local.github.bodies import Body
from local.github.bodies import pulls as bodies
from local.github.errors import GitHubError, forbidden, invalid
from local.github.hub import Hub, now
from local.github.people import require_push
from local.github.pulls import note
from local.github.records import Comment, PullRequest, Reaction, ReactionContent, Review, ReviewState, User
from local.github.webhooks import announce

MAXIMUM = 65_536
Verdict = Literal["APPROVE", "REQUEST_CHANGES", "COMMENT"]
_STATES: dict[Verdict, ReviewState] = {
    "APPROVE": "APPROVED",
    "REQUEST_CHANGES": "CHANGES_REQUESTED",
    "COMMENT": "COMMENTED",
}


def comment(hub: Hub, actor: User, pull: PullRequest, body: str) -> Comment:
    """Raises GitHubError 422 for an empty comment and for one over 65,536 characters."""
    _require_body("IssueComment", body)
    written = hub.store.add(
        Comment(number=pull.number, author=actor.login, body=body, created_at=now(), updated_at=now())
    )
    _tell_comment(hub, "created", actor, written)
    return written


def edit_comment(hub: Hub, actor: User, written: Comment, body: str) -> Comment:
    _require_own(actor, written)
    _require_body("IssueComment", body)
    edited = written.model_copy(update={"body": body, "updated_at": now()})
    hub.store.save(edited)
    _tell_comment(hub, "edited", actor, edited, changes={"body": {"from": written.body}})
    return edited


def delete_comment(hub: Hub, actor: User, written: Comment) -> None:
    _require_own(actor, written)
    for reaction in hub.store.all(Reaction, str(written.id)):
        hub.store.remove(reaction)
    hub.store.remove(written)
    _tell_comment(hub, "deleted", actor, written)


def react(hub: Hub, actor: User, written: Comment, content: ReactionContent) -> tuple[Reaction, bool]:
    """The person's reaction, and whether it is new: the same one twice is one."""
    for reaction in hub.store.all(Reaction, str(written.id)):
        if (reaction.author, reaction.content) == (actor.login, content):
            return reaction, False
    made = Reaction(comment_id=written.id, author=actor.login, content=content, created_at=now())
    return hub.store.add(made), True


def review(
    hub: Hub, actor: User, pull: PullRequest, *, verdict: Verdict, body: str, commit: str | None = None
) -> Review:
    """Review the head, or the pull request's commit that is named.

    Raises:
        GitHubError: 422 for one's own pull request, for an unknown commit, and where a body is missing.
    """
    if verdict != "COMMENT" and actor.login == pull.author:
        what = "approve" if verdict == "APPROVE" else "request changes on"
        raise GitHubError(422, "Unprocessable Entity", [f"Can not {what} your own pull request"])
    if verdict != "APPROVE":
        _require_body("PullRequestReview", body)
    sha = pull.head_sha if commit is None else hub.repository.resolve(commit)
    if sha is None or not hub.repository.is_ancestor(sha, pull.head_sha):
        raise invalid("PullRequestReview", "commit_id")
    written = hub.store.add(
        Review(
            number=pull.number,
            author=actor.login,
            body=body,
            state=_STATES[verdict],
            commit_id=sha,
            submitted_at=now(),
        )
    )
    _tell_review(hub, "submitted", actor, pull, written)
    return written


def edit_review(hub: Hub, actor: User, pull: PullRequest, written: Review, body: str) -> Review:
    if actor.login != written.author:
        raise forbidden("Only the author of a review may edit it.")
    edited = written.model_copy(update={"body": body})
    hub.store.save(edited)
    _tell_review(hub, "edited", actor, pull, edited, changes={"body": {"from": written.body}})
    return edited


def dismiss(hub: Hub, actor: User, pull: PullRequest, written: Review, message: str) -> Review:
    """Take away an approval's or a request's effect, as one with push right may."""
    require_push(actor)
    if not message.strip():
        raise invalid("PullRequestReview", "message", "missing_field")
    if written.state not in ("APPROVED", "CHANGES_REQUESTED"):
        raise GitHubError(422, "Unprocessable Entity", ["Can not dismiss a commented pull request review"])
    dismissed = written.model_copy(update={"state": "DISMISSED"})
    hub.store.save(dismissed)
    note(hub, actor, pull, {"kind": "dismissed", "before": written.author, "detail": message})
    _tell_review(hub, "dismissed", actor, pull, dismissed)
    return dismissed


def _tell_comment(hub: Hub, action: str, actor: User, written: Comment, **more: object) -> None:
    issue = bodies.issue(hub, hub.pull(written.number))
    content: Body = {"issue": issue, "comment": bodies.comment(hub, written), **more}
    announce(hub, "issue_comment", action, actor, content)


def _tell_review(hub: Hub, action: str, actor: User, pull: PullRequest, written: Review, **more: object) -> None:
    # Webhooks, unlike the API, write the state in lower case.
    shown = {**bodies.review(hub, written), "state": written.state.lower()}
    announce(
        hub,
        "pull_request_review",
        action,
        actor,
        {"review": shown, "pull_request": bodies.simple_pull(hub, pull), **more},
    )


def _require_body(resource: str, body: str) -> None:
    if not body.strip():
        raise invalid(resource, "body", "missing_field")
    if len(body) > MAXIMUM:
        raise invalid(resource, "body", "custom", f"body is too long (maximum is {MAXIMUM} characters)")


def _require_own(actor: User, written: Comment) -> None:
    if actor.login != written.author and not actor.may_push:
        raise forbidden("Must have push access to the repository to change another person's comment.")
