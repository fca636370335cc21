"""One call of the GitHub API: sent through githubkit, read through our own small models, refused in our own words."""

import contextlib
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from typing import Protocol, TypeVar

from githubkit.exception import GitHubException
from pydantic import TypeAdapter, ValidationError
from temporalio.exceptions import ApplicationError

from activities.github_errors import describe_failure
from docustack.errors import ErrorType

_Read = TypeVar("_Read")
_Item = TypeVar("_Item")

PAGE_SIZE = 100


class Answer(Protocol):
    """What is used of githubkit's `Response`, whichever model it was made for."""

    @property
    def content(self) -> bytes: ...


async def ask(doing: str, permission: str, call: Awaitable[Answer]) -> bytes:
    """Await a call, and raise what an activity may raise.

    Args:
        doing: what is tried, to say so in an error: "post a comment on docustack/live#7".
        permission: what the worker's token needs for it: "pull requests: write".
        call: the call of githubkit.
    """
    try:
        return (await call).content
    except GitHubException as error:
        raise describe_failure(error, doing, permission) from error


async def read(doing: str, permission: str, call: Awaitable[Answer], answer: TypeAdapter[_Read]) -> _Read:
    """Await a call and read its answer."""
    content = await ask(doing, permission, call)
    try:
        return answer.validate_json(content)
    except ValidationError as error:
        raise describe_failure(error, doing, permission) from error


async def read_pages(
    doing: str, permission: str, page: Callable[[int], Awaitable[Answer]], items: TypeAdapter[list[_Item]]
) -> AsyncIterator[_Item]:
    """All items of all pages; `page` asks for one of them, of `PAGE_SIZE`, counted from 1."""
    number = 1
    while True:
        found = await read(doing, permission, page(number), items)
        for item in found:
            yield item
        if len(found) < PAGE_SIZE:
            return
        number += 1


@contextlib.contextmanager
def unless_gone() -> Iterator[None]:
    """What is gone by now is no failure of who had something to do to it."""
    try:
        yield
    except ApplicationError as error:
        if not is_not_found(error):
            raise


def is_not_found(error: ApplicationError) -> bool:
    """Whether what was asked for is gone, or was never there."""
    return error.type == ErrorType.NOT_FOUND
