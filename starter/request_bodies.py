"""Reads the body of a request within limits of size and time, whoever sends it."""

import asyncio

from starlette.requests import Request


class BodyTooLarge(Exception):
    """More came than is taken."""


class BodyTooSlow(Exception):
    """Not all of it came in time."""


async def read_body(request: Request, *, limit: int, within: float) -> bytes:
    """The whole body.

    Args:
        limit: how many bytes it may have.
        within: how many seconds it may take.

    Raises:
        BodyTooLarge, BodyTooSlow: it is beyond one of them.
        ClientDisconnect: the sender hung up before the end.
    """
    body = bytearray()
    try:
        async with asyncio.timeout(within):
            async for chunk in request.stream():
                body += chunk
                if len(body) > limit:
                    raise BodyTooLarge
    except TimeoutError:
        raise BodyTooSlow from None
    return bytes(body)
