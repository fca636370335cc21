"""Pull requests and their reviews, as GitHub tells them now."""

from collections.abc import Awaitable
from typing import Any

import githubkit

from activities.github_bodies import PULL_REQUEST, PULL_REQUESTS, REVIEWS, PullRequestBody, ReviewBody
from activities.github_calls import PAGE_SIZE, Answer, read, read_pages
from docustack.gate_facts import APPROVED, CHANGES_REQUESTED, DISMISSED
from docustack.repository import Repository

_READ = "pull requests: read"


class PullRequests:
    """Reads them, and opens those of our own; what is written to one is a comment or a check."""

    def __init__(self, client: githubkit.GitHub[Any]) -> None:
        self._client = client

    async def read(self, repository: Repository, number: int) -> PullRequestBody:
        """One pull request; GitHub begins to compute whether it can be merged when it is asked."""
        return await read(
            f"read {repository.full_name}#{number}",
            _READ,
            self._client.rest.pulls.async_get(repository.owner, repository.name, number),
            PULL_REQUEST,
        )

    async def read_open(self, repository: Repository) -> list[PullRequestBody]:
        """All open ones, the oldest first."""

        def page(number: int) -> Awaitable[Answer]:
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
        # One that is closed meanwhile shifts the pages: none may be listed twice.
        found = {body.number: body async for body in read_pages(doing, _READ, page, PULL_REQUESTS)}
        return list(found.values())

    async def offer(self, repository: Repository, *, branch: str, base: str, title: str, body: str) -> PullRequestBody:
        """The open pull request of a branch; opened now if there is none."""
        found = await read(
            f"look for a pull request of {branch} in {repository.full_name}",
            _READ,
            self._client.rest.pulls.async_list(
                repository.owner, repository.name, state="open", head=f"{repository.owner}:{branch}", base=base
            ),
            PULL_REQUESTS,
        )
        if found:
            return found[0]
        return await read(
            f"open a pull request for {branch} in {repository.full_name}",
            "pull requests: write",
            self._client.rest.pulls.async_create(
                repository.owner, repository.name, title=title, head=branch, base=base, body=body
            ),
            PULL_REQUEST,
        )

    async def read_reviews(self, repository: Repository, number: int) -> dict[str, ReviewBody]:
        """The latest review of each login that says yes or no; a comment alone changes nothing."""

        def page(at: int) -> Awaitable[Answer]:
            return self._client.rest.pulls.async_list_reviews(
                repository.owner, repository.name, number, per_page=PAGE_SIZE, page=at
            )

        latest: dict[str, ReviewBody] = {}
        async for review in read_pages(f"read the reviews of {repository.full_name}#{number}", _READ, page, REVIEWS):
            if review.user is not None and review.state in (APPROVED, CHANGES_REQUESTED, DISMISSED):
                latest[review.user.login] = review
        return latest
