"""Comments on a pull request: posted once, rewritten, found again by their hidden marker."""

from collections.abc import AsyncIterator, Awaitable
from typing import Any

import githubkit

from activities.github_bodies import COMMENT, COMMENTS, REACTIONS, CommentBody, UserBody
from activities.github_calls import PAGE_SIZE, Answer, ask, read, read_pages, unless_gone
from activities.github_messages import AskAnswered, MarkForgotten, MarkOutdated, PostComment, PostedComment, React
from docustack.comment_markers import find_marker, is_plan_key, outdated, with_marker
from docustack.repository import Repository

_WRITE = "pull requests: write"


class Comments:
    """The comments of pull requests, as one login writes them."""

    def __init__(self, client: githubkit.GitHub[Any], *, bot_login: str) -> None:
        self._client = client
        self._bot_login = bot_login.lower()

    async def post(self, comment: PostComment, *, may_be_posted: bool) -> PostedComment:
        """Post a comment, or rewrite the one with `comment_id`; one that somebody deleted is posted anew.

        `may_be_posted`: an earlier attempt may have come through, so it is looked for first.
        """
        body = with_marker(comment.body, comment.key)
        if comment.comment_id is not None:
            with unless_gone():
                return await self._update(comment.repository, comment.comment_id, body)
        if may_be_posted and (found := await self._find(comment)) is not None:
            return await self._update(comment.repository, found, body)
        return await self._create(comment, body)

    async def mark_outdated(self, order: MarkOutdated, comment_id: int) -> None:
        """Fold one comment away under the reason, unless it is folded already."""
        repository = order.repository
        comment = await read(
            f"read comment {comment_id} in {repository.full_name}",
            _WRITE,
            self._client.rest.issues.async_get_comment(repository.owner, repository.name, comment_id),
            COMMENT,
        )
        body = outdated(comment.body, order.reason)
        if body != comment.body:
            await self._update(repository, comment_id, body)

    async def react(self, reaction: React) -> None:
        """Add a reaction; GitHub keeps one of a kind a person, so a second time changes nothing."""
        path = f"/repos/{reaction.repository.full_name}/issues/comments/{reaction.comment_id}/reactions"
        await ask(
            f"react to comment {reaction.comment_id} in {reaction.repository.full_name}",
            _WRITE,
            self._client.arequest("POST", path, json={"content": reaction.content}),
        )

    async def mark_forgotten(self, order: MarkForgotten) -> None:
        """Fold the comments of plans away that are older than a moment; only our own ones count."""
        async for comment in self._read(order.repository, order.pull_request):
            is_older = bool(comment.created_at) and comment.created_at < order.before
            if is_older and self._is_ours(comment.user) and is_plan_key(find_marker(comment.body)):
                body = outdated(comment.body, order.reason)
                if body != comment.body:
                    await self._update(order.repository, comment.id, body)

    async def has_our_sign(self, question: AskAnswered) -> bool:
        """Whether we have reacted to a comment; nobody else can do that in our name."""
        repository = question.repository
        path = f"/repos/{repository.full_name}/issues/comments/{question.comment_id}/reactions"

        def page(number: int) -> Awaitable[Answer]:
            return self._client.arequest("GET", path, params={"per_page": PAGE_SIZE, "page": number})

        doing = f"read the reactions to comment {question.comment_id} in {repository.full_name}"
        async for reaction in read_pages(doing, _WRITE, page, REACTIONS):
            if self._is_ours(reaction.user):
                return True
        return False

    async def _create(self, comment: PostComment, body: str) -> PostedComment:
        repository = comment.repository
        created = await read(
            f"post a comment on {repository.full_name}#{comment.pull_request}",
            _WRITE,
            self._client.rest.issues.async_create_comment(
                repository.owner, repository.name, comment.pull_request, body=body
            ),
            COMMENT,
        )
        return PostedComment(comment_id=created.id, url=created.html_url, updated_at=created.created_at)

    async def _update(self, repository: Repository, comment_id: int, body: str) -> PostedComment:
        updated = await read(
            f"rewrite comment {comment_id} in {repository.full_name}",
            _WRITE,
            self._client.rest.issues.async_update_comment(repository.owner, repository.name, comment_id, body=body),
            COMMENT,
        )
        return PostedComment(comment_id=updated.id, url=updated.html_url, updated_at=updated.updated_at)

    async def _find(self, comment: PostComment) -> int | None:
        """The comment with this key; only our own ones count, since anybody can copy a hidden marker."""
        async for found in self._read(comment.repository, comment.pull_request):
            if self._is_ours(found.user) and find_marker(found.body) == comment.key:
                return found.id
        return None

    def _read(self, repository: Repository, pull_request: int) -> AsyncIterator[CommentBody]:
        def page(number: int) -> Awaitable[Answer]:
            return self._client.rest.issues.async_list_comments(
                repository.owner, repository.name, pull_request, per_page=PAGE_SIZE, page=number
            )

        return read_pages(f"read the comments of {repository.full_name}#{pull_request}", _WRITE, page, COMMENTS)

    def _is_ours(self, user: UserBody | None) -> bool:
        return user is not None and user.login.lower() == self._bot_login
