"""The activities that write to and read from GitHub; every text that they post is made in `docustack/`."""

import time
from collections.abc import Callable
from datetime import timedelta
from typing import Any

import githubkit
from temporalio import activity

from activities.bootstrap_messages import OfferedPullRequest, OfferPullRequest
from activities.failures import failure
from activities.github_bodies import PullRequestBody, ReviewBody
from activities.github_calls import unless_gone
from activities.github_checks import Checks
from activities.github_comments import Comments
from activities.github_messages import (
    Answered,
    AskAnswered,
    CheckRun,
    ListPullRequests,
    MarkForgotten,
    MarkOutdated,
    OpenPullRequests,
    PostComment,
    PostedComment,
    React,
    ReadGate,
    ReadPerson,
    ReadPullRequest,
    SetCheck,
)
from activities.github_people import People
from activities.github_pull_requests import PullRequests
from docustack.access import Person
from docustack.errors import ErrorType
from docustack.events import PullRequestFacts
from docustack.gate_facts import DISMISSED, GateFacts, Review
from docustack.model import Nothing

MERGEABLE_ATTEMPTS = 6
MERGEABLE_PAUSE = timedelta(seconds=2)
REACTIONS = ("eyes", "rocket", "+1", "-1", "confused", "laugh", "hooray", "heart")


class GitHub:
    """GitHub, with one identity of ours.

    Nothing here retries: githubkit's own retry has to be off, Temporal does it. What is written is found again by its
    key on a retry, so that nothing is posted twice.
    """

    def __init__(
        self, client: githubkit.GitHub[Any], *, bot_login: str, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._comments = Comments(client, bot_login=bot_login)
        self._checks = Checks(client)
        self._people = People(client, clock=clock)
        self._pull_requests = PullRequests(client)

    @activity.defn
    async def post_comment(self, comment: PostComment) -> PostedComment:
        """Post a comment once, or rewrite the one with `comment_id`; one that somebody deleted is posted anew."""
        return await self._comments.post(comment, may_be_posted=activity.info().attempt > 1)

    @activity.defn
    async def mark_outdated(self, order: MarkOutdated) -> Nothing:
        """Fold comments away under the reason; one that is folded already, or gone, is left as it is."""
        for comment_id in order.comment_ids:
            with unless_gone():
                await self._comments.mark_outdated(order, comment_id)
        return Nothing()

    @activity.defn
    async def mark_forgotten(self, order: MarkForgotten) -> Nothing:
        """The same for all comments of our plans that were posted before a moment, whoever remembers them."""
        await self._comments.mark_forgotten(order)
        return Nothing()

    @activity.defn
    async def ask_answered(self, question: AskAnswered) -> Answered:
        """Whether one of our signs is at a comment: the record of what was taken that outlives every workflow."""
        answered = True
        with unless_gone():
            answered = await self._comments.has_our_sign(question)
        return Answered(answered=answered)

    @activity.defn
    async def react(self, reaction: React) -> Nothing:
        """Acknowledge a comment; one that was deleted needs no acknowledgement."""
        if reaction.content not in REACTIONS:
            raise failure(ErrorType.INVALID_INPUT, f'GitHub knows no reaction "{reaction.content}".')
        with unless_gone():
            await self._comments.react(reaction)
        return Nothing()

    @activity.defn
    async def set_check(self, check: SetCheck) -> CheckRun:
        """Create a check run once, or update the one that `check_run_id` names."""
        may_exist = check.only_existing or activity.info().attempt > 1
        return await self._checks.set_check(check, may_exist=may_exist)

    @activity.defn
    async def read_person(self, question: ReadPerson) -> Person:
        """The teams (active membership only, at most a minute old) and the push right of a login."""
        return await self._people.read_person(question.repository, question.login, question.teams)

    @activity.defn
    async def read_gate(self, question: ReadGate) -> GateFacts:
        """All that the gate decides on, read afresh.

        GitHub computes whether a pull request can be merged only when it is asked: the first answer after a push is
        null. It is asked again a few times, through retries; then the null is passed on.
        """
        body = await self._pull_requests.read(question.repository, question.pull_request)
        undecided = body.state == "open" and body.mergeable is None
        if undecided and activity.info().attempt < MERGEABLE_ATTEMPTS:
            raise failure(
                ErrorType.UNAVAILABLE,
                f"GitHub doesn't know yet whether {question.repository.full_name}#{body.number} can be merged.",
                retry_in=MERGEABLE_PAUSE,
            )
        reviews = await self._pull_requests.read_reviews(question.repository, question.pull_request)
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
            reviews=tuple([await self._review(question, login, review) for login, review in reviews.items()]),
            actor=await self._people.read_person(question.repository, question.actor, question.teams),
        )

    @activity.defn
    async def read_pull_request(self, question: ReadPullRequest) -> PullRequestFacts:
        """One pull request, without reviews and people."""
        return _facts(await self._pull_requests.read(question.repository, question.pull_request))

    @activity.defn
    async def list_open_pull_requests(self, question: ListPullRequests) -> OpenPullRequests:
        """All open pull requests, the oldest first."""
        found = await self._pull_requests.read_open(question.repository)
        return OpenPullRequests(pull_requests=tuple(_facts(body) for body in found))

    @activity.defn
    async def offer_pull_request(self, offer: OfferPullRequest) -> OfferedPullRequest:
        """Open a pull request once: while one of the branch is open, it is that one."""
        body = await self._pull_requests.offer(
            offer.repository, branch=offer.branch, base=offer.base, title=offer.title, body=offer.body
        )
        return OfferedPullRequest(number=body.number, url=body.html_url)

    async def _review(self, question: ReadGate, login: str, review: ReviewBody) -> Review:
        if review.state == DISMISSED:
            # It decides nothing, so nobody needs to know who gave it.
            reviewer = Person(login=login)
        else:
            reviewer = await self._people.read_person(question.repository, login, question.teams)
        return Review(reviewer=reviewer, state=review.state, commit=review.commit_id, submitted_at=review.submitted_at)


def _facts(body: PullRequestBody) -> PullRequestFacts:
    merged = body.merged or body.merged_at is not None  # a listed one has only the time
    return PullRequestFacts(
        number=body.number,
        title=body.title,
        author=body.author,
        state=body.state,
        merged=merged,
        merge_commit=body.merge_commit_sha if merged else None,
        merged_by=body.merged_by.login if body.merged_by else "",
        draft=body.draft,
        head_commit=body.head.sha,
        head_ref=body.head.ref,
        base_ref=body.base.ref,
        from_fork=body.from_fork,
        url=body.html_url,
        created_at=body.created_at,
        updated_at=body.updated_at,
        closed_at=body.closed_at,
    )
