"""What DocuStack writes to and reads from GitHub; every text that it posts is made in `docustack/`."""

import time
from collections.abc import AsyncIterator, Awaitable, Callable
from datetime import timedelta
from typing import Literal, Protocol, TypeVar, get_args

import githubkit
from githubkit.exception import GitHubException
from pydantic import TypeAdapter, ValidationError
from temporalio import activity
from temporalio.exceptions import ApplicationError

from activities.failures import failure
from activities.github_bodies import (
    CHECK_RUN,
    CHECK_RUNS,
    COMMENT,
    COMMENTS,
    MEMBERSHIP,
    PERMISSION,
    PULL_REQUEST,
    PULL_REQUESTS,
    REVIEWS,
    CommentBody,
    PullRequestBody,
    ReviewBody,
)
from activities.github_errors import describe_failure
from activities.messages import (
    CheckRun,
    ListPullRequests,
    MarkOutdated,
    Nothing,
    OpenPullRequests,
    PostComment,
    PostedComment,
    PullRequestFacts,
    React,
    ReadGate,
    ReadPerson,
    ReadPullRequest,
    SetCheck,
)
from docustack import comments
from docustack.access import GateFacts, Person, Review
from docustack.errors import ErrorType
from docustack.repository import Repository

_Read = TypeVar("_Read")
_Item = TypeVar("_Item")
_Reaction = Literal["+1", "-1", "laugh", "confused", "heart", "hooray", "rocket", "eyes"]

PAGE_SIZE = 100
MEMBERSHIP_SECONDS = 60.0
MERGEABLE_ATTEMPTS = 6
MERGEABLE_PAUSE = timedelta(seconds=2)
CHECK_TITLE_LIMIT = 255
CHECK_SUMMARY_LIMIT = 65_535
"""Bytes, to be on the safe side: GitHub says characters, and stores bytes."""

_COMMENTS = "pull requests: write"
_REVIEWS = "pull requests: read"
_CHECKS = "checks: write, which only a GitHub App can have (set DOCUSTACK_GITHUB_APP_ID and its key)"
_MEMBERS = "members: read, of the organisation"
_COLLABORATORS = "metadata: read"


class _Answer(Protocol):
    """What is used of githubkit's `Response`, whichever model it was made for."""

    @property
    def content(self) -> bytes: ...


class GitHub:
    """GitHub, with one identity of ours.

    Nothing here retries: githubkit's own retry has to be off, Temporal does it. What is written is found again by its
    key on a retry, so that nothing is posted twice.
    """

    def __init__(
        self, client: githubkit.GitHub, *, bot_login: str, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._client = client
        self._bot_login = bot_login.lower()
        self._clock = clock
        self._memberships: dict[tuple[str, str, str], tuple[float, bool]] = {}

    # ---- comments --------------------------------------------------------------------------------------------------

    @activity.defn
    async def post_comment(self, comment: PostComment) -> PostedComment:
        """Post a comment once, or rewrite the one with `comment_id`; one that somebody deleted is posted anew."""
        body = comment.body if comments.find_marker(comment.body) == comment.key else _marked(comment)
        found: int | None = comment.comment_id
        if found is None and activity.info().attempt > 1:
            found = await self._find_comment(comment)
        if found is None:
            return await self._create_comment(comment, body)
        try:
            return await self._update_comment(comment.repository, found, body)
        except ApplicationError as error:
            if error.type != ErrorType.NOT_FOUND:
                raise
        # An earlier attempt may have got here too, and posted.
        found = await self._find_comment(comment)
        if found is not None:
            return await self._update_comment(comment.repository, found, body)
        return await self._create_comment(comment, body)

    @activity.defn
    async def mark_outdated(self, order: MarkOutdated) -> Nothing:
        """Fold comments away under the reason; one that is folded already, or gone, is left as it is."""
        for comment_id in order.comment_ids:
            try:
                await self._mark_outdated(order, comment_id)
            except ApplicationError as error:
                if error.type != ErrorType.NOT_FOUND:
                    raise
        return Nothing()

    @activity.defn
    async def react(self, reaction: React) -> Nothing:
        """Acknowledge a comment; GitHub keeps one reaction of a kind a person, and a deleted comment needs none."""
        content = reaction.content
        if content not in get_args(_Reaction):
            raise failure(ErrorType.INVALID_INPUT, f'GitHub knows no reaction "{content}".')
        try:
            await self._ask(
                f"react to comment {reaction.comment_id} in {reaction.repository.full_name}",
                _COMMENTS,
                self._client.rest.reactions.async_create_for_issue_comment(
                    reaction.repository.owner, reaction.repository.name, reaction.comment_id, data={"content": content}
                ),
            )
        except ApplicationError as error:
            if error.type != ErrorType.NOT_FOUND:
                raise
        return Nothing()

    async def _mark_outdated(self, order: MarkOutdated, comment_id: int) -> None:
        repository = order.repository
        comment = await self._read(
            f"read comment {comment_id} in {repository.full_name}",
            _COMMENTS,
            self._client.rest.issues.async_get_comment(repository.owner, repository.name, comment_id),
            COMMENT,
        )
        body = comments.outdated(comment.body, order.reason)
        if body != comment.body:
            await self._update_comment(repository, comment_id, body)

    async def _create_comment(self, comment: PostComment, body: str) -> PostedComment:
        repository = comment.repository
        created = await self._read(
            f"post a comment on {_name(repository, comment.pull_request)}",
            _COMMENTS,
            self._client.rest.issues.async_create_comment(
                repository.owner, repository.name, comment.pull_request, body=body
            ),
            COMMENT,
        )
        return _posted(created)

    async def _update_comment(self, repository: Repository, comment_id: int, body: str) -> PostedComment:
        updated = await self._read(
            f"rewrite comment {comment_id} in {repository.full_name}",
            _COMMENTS,
            self._client.rest.issues.async_update_comment(repository.owner, repository.name, comment_id, body=body),
            COMMENT,
        )
        return _posted(updated)

    async def _find_comment(self, comment: PostComment) -> int | None:
        """The comment with this key; only our own ones count, since anybody can copy a hidden marker."""
        repository = comment.repository

        def page(number: int) -> Awaitable[_Answer]:
            return self._client.rest.issues.async_list_comments(
                repository.owner, repository.name, comment.pull_request, per_page=PAGE_SIZE, page=number
            )

        doing = f"read the comments of {_name(repository, comment.pull_request)}"
        async for found in self._pages(doing, _COMMENTS, page, COMMENTS):
            if self._is_ours(found) and comments.find_marker(found.body) == comment.key:
                return found.id
        return None

    def _is_ours(self, comment: CommentBody) -> bool:
        return comment.user is not None and comment.user.login.lower() == self._bot_login

    # ---- checks ----------------------------------------------------------------------------------------------------

    @activity.defn
    async def set_check(self, check: SetCheck) -> CheckRun:
        """Create a check run once, or update the one that `check_run_id` names."""
        found: int | None = check.check_run_id
        if found is None and activity.info().attempt > 1:
            found = await self._find_check(check)
        owner, name = check.repository.owner, check.repository.name
        fields = _check_fields(check)
        if found is None:
            doing = f"create the check {check.name} on {check.repository.full_name}@{check.head_commit[:7]}"
            path, method = f"/repos/{owner}/{name}/check-runs", "POST"
            fields["head_sha"] = check.head_commit
        else:
            doing = f"update the check {check.name} of {check.repository.full_name}"
            path, method = f"/repos/{owner}/{name}/check-runs/{found}", "PATCH"
        answer = await self._read(doing, _CHECKS, self._client.arequest(method, path, json=fields), CHECK_RUN)
        return CheckRun(check_run_id=answer.id)

    async def _find_check(self, check: SetCheck) -> int | None:
        repository = check.repository
        number = 1
        while True:
            answer = await self._read(
                f"read the checks of {repository.full_name}@{check.head_commit[:7]}",
                _CHECKS,
                self._client.rest.checks.async_list_for_ref(
                    repository.owner,
                    repository.name,
                    check.head_commit,
                    check_name=check.name,
                    filter_="all",
                    per_page=PAGE_SIZE,
                    page=number,
                ),
                CHECK_RUNS,
            )
            for run in answer.check_runs:
                if run.external_id == check.external_id:
                    return run.id
            if len(answer.check_runs) < PAGE_SIZE:
                return None
            number += 1

    # ---- people ----------------------------------------------------------------------------------------------------

    @activity.defn
    async def read_person(self, question: ReadPerson) -> Person:
        """The teams (active membership only, at most a minute old) and the push right of a login."""
        return await self._person(question.repository, question.login, question.teams)

    async def _person(self, repository: Repository, login: str, teams: dict[str, str]) -> Person:
        member_of = [name for name, slug in teams.items() if await self._is_member(repository.owner, slug, login)]
        return Person(login=login, teams=tuple(member_of), can_push=await self._can_push(repository, login))

    async def _is_member(self, organisation: str, slug: str, login: str) -> bool:
        key = (organisation.lower(), slug.lower(), login.lower())
        now = self._clock()
        known = self._memberships.get(key)
        if known and now - known[0] < MEMBERSHIP_SECONDS:
            return known[1]
        answer = await self._ask_membership(organisation, slug, login)
        self._memberships = {k: v for k, v in self._memberships.items() if now - v[0] < MEMBERSHIP_SECONDS}
        self._memberships[key] = (now, answer)
        return answer

    async def _ask_membership(self, organisation: str, slug: str, login: str) -> bool:
        try:
            membership = await self._read(
                f"read whether {login} is in the team {organisation}/{slug}",
                _MEMBERS,
                # Counts members of child teams too; an invitation that isn't accepted yet is `pending`.
                self._client.rest.teams.async_get_membership_for_user_in_org(organisation, slug, login),
                MEMBERSHIP,
            )
        except ApplicationError as error:
            if error.type == ErrorType.NOT_FOUND:
                return False
            raise
        return membership.state == "active"

    async def _can_push(self, repository: Repository, login: str) -> bool:
        try:
            answer = await self._read(
                f"read the rights of {login} in {repository.full_name}",
                _COLLABORATORS,
                self._client.rest.repos.async_get_collaborator_permission_level(
                    repository.owner, repository.name, login
                ),
                PERMISSION,
            )
        except ApplicationError as error:
            if error.type == ErrorType.NOT_FOUND:
                return False
            raise
        return answer.permission in ("admin", "write")

    # ---- pull requests ---------------------------------------------------------------------------------------------

    @activity.defn
    async def read_gate(self, question: ReadGate) -> GateFacts:
        """All that the gate decides on, read afresh.

        GitHub computes whether a pull request can be merged only when it is asked: the first answer after a push is
        null. It is asked again a few times, through retries; then the null is passed on.
        """
        repository = question.repository
        body = await self._pull_request(repository, question.pull_request)
        undecided = body.state == "open" and body.mergeable is None
        if undecided and activity.info().attempt < MERGEABLE_ATTEMPTS:
            raise failure(
                ErrorType.UNAVAILABLE,
                f"GitHub doesn't know yet whether {_name(repository, question.pull_request)} can be merged.",
                retry_in=MERGEABLE_PAUSE,
            )
        reviews = await self._reviews(repository, question.pull_request)
        return GateFacts(
            author=body.author,
            head_commit=body.head.sha,
            base_ref=body.base.ref,
            state=body.state,
            merged=body.merged,
            draft=body.draft,
            from_fork=body.from_fork,
            mergeable=body.mergeable,
            mergeable_state=body.mergeable_state,
            reviews=tuple([await self._review(repository, review, question.teams) for review in reviews]),
            actor=await self._person(repository, question.actor, question.teams),
        )

    @activity.defn
    async def read_pull_request(self, question: ReadPullRequest) -> PullRequestFacts:
        return _facts(await self._pull_request(question.repository, question.pull_request))

    @activity.defn
    async def list_open_pull_requests(self, question: ListPullRequests) -> OpenPullRequests:
        """All open pull requests, oldest first."""
        repository = question.repository

        def page(number: int) -> Awaitable[_Answer]:
            return self._client.rest.pulls.async_list(
                repository.owner,
                repository.name,
                state="open",
                sort="created",
                direction="asc",
                per_page=PAGE_SIZE,
                page=number,
            )

        doing = f"list the open pull requests of {repository.full_name}"
        found = {body.number: body async for body in self._pages(doing, _REVIEWS, page, PULL_REQUESTS)}
        return OpenPullRequests(pull_requests=tuple(_facts(body) for body in found.values()))

    async def _pull_request(self, repository: Repository, number: int) -> PullRequestBody:
        return await self._read(
            f"read {_name(repository, number)}",
            _REVIEWS,
            self._client.rest.pulls.async_get(repository.owner, repository.name, number),
            PULL_REQUEST,
        )

    async def _reviews(self, repository: Repository, number: int) -> list[ReviewBody]:
        """The latest review of each person that says yes or no, in GitHub's order, the oldest first."""

        def page(at: int) -> Awaitable[_Answer]:
            return self._client.rest.pulls.async_list_reviews(
                repository.owner, repository.name, number, per_page=PAGE_SIZE, page=at
            )

        latest: dict[str, ReviewBody] = {}
        async for review in self._pages(f"read the reviews of {_name(repository, number)}", _REVIEWS, page, REVIEWS):
            if review.user is not None and review.state in ("APPROVED", "CHANGES_REQUESTED", "DISMISSED"):
                latest[review.user.login.lower()] = review
        return list(latest.values())

    async def _review(self, repository: Repository, review: ReviewBody, teams: dict[str, str]) -> Review:
        login = review.user.login if review.user else "ghost"
        # A dismissed review decides nothing, so nobody needs to know who gave it.
        dismissed = review.state == "DISMISSED"
        reviewer = Person(login=login) if dismissed else await self._person(repository, login, teams)
        return Review(reviewer=reviewer, state=review.state, commit=review.commit_id)

    # ---- one call --------------------------------------------------------------------------------------------------

    async def _pages(
        self, doing: str, permission: str, page: Callable[[int], Awaitable[_Answer]], items: TypeAdapter[list[_Item]]
    ) -> AsyncIterator[_Item]:
        number = 1
        while True:
            found = await self._read(doing, permission, page(number), items)
            for item in found:
                yield item
            if len(found) < PAGE_SIZE:
                return
            number += 1

    async def _read(self, doing: str, permission: str, call: Awaitable[_Answer], answer: TypeAdapter[_Read]) -> _Read:
        content = await self._ask(doing, permission, call)
        try:
            return answer.validate_json(content)
        except ValidationError as error:
            raise describe_failure(error, doing, permission) from error

    async def _ask(self, doing: str, permission: str, call: Awaitable[_Answer]) -> bytes:
        try:
            return (await call).content
        except GitHubException as error:
            raise describe_failure(error, doing, permission) from error


def _marked(comment: PostComment) -> str:
    return f"{comment.body}\n\n{comments.marker(comment.key)}"


def _posted(comment: CommentBody) -> PostedComment:
    return PostedComment(comment_id=comment.id, url=comment.html_url)


def _name(repository: Repository, number: int) -> str:
    return f"{repository.full_name}#{number}"


def _check_fields(check: SetCheck) -> dict[str, object]:
    fields: dict[str, object] = {
        "name": check.name,
        "external_id": check.external_id,
        "output": {
            "title": cut(check.title, CHECK_TITLE_LIMIT),
            "summary": cut(check.summary, CHECK_SUMMARY_LIMIT),
        },
    }
    if check.details_url:
        fields["details_url"] = check.details_url
    if check.conclusion:
        # A conclusion completes the check by itself; GitHub refuses one beside another status.
        fields |= {"status": "completed", "conclusion": check.conclusion}
    else:
        fields["status"] = check.status
    return fields


def cut(text: str, limit: int) -> str:
    """A text of at most `limit` bytes in UTF-8, its end replaced by an ellipsis where it is longer."""
    encoded = text.encode()
    if len(encoded) <= limit:
        return text
    return encoded[: limit - len("…".encode())].decode(errors="ignore") + "…"


def _facts(body: PullRequestBody) -> PullRequestFacts:
    return PullRequestFacts(
        number=body.number,
        title=body.title,
        author=body.author,
        state=body.state,
        merged=body.merged or body.merged_at is not None,
        draft=body.draft,
        head_commit=body.head.sha,
        head_ref=body.head.ref,
        base_ref=body.base.ref,
        from_fork=body.from_fork,
        url=body.html_url,
        created_at=body.created_at,
        closed_at=body.closed_at,
    )
