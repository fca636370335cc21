"""The command line's way to Temporal: connects, and says in words what is wrong when nothing answers."""

import asyncio
import re
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from datetime import timedelta
from typing import TypeVar

from temporalio.client import Client
from temporalio.service import RPCError, RPCStatusCode

from docustack.temporal_pages import workflow_page
from starter.console import errors
from starter.exit_codes import CommandFailed, ExitCode
from starter.standalone.surrounding import standalone
from starter.surroundings import client_settings
from worker.settings import Settings
from worker.temporal_client import connect_temporal

T = TypeVar("T")

ANSWER_WITHIN = timedelta(seconds=5)
"""For a query: a worker answers in milliseconds, unless there is none."""

_CONNECT_WITHIN = 10.0
_AWAY = (RPCStatusCode.UNAVAILABLE, RPCStatusCode.DEADLINE_EXCEEDED, RPCStatusCode.CANCELLED)
_REFUSED = (RPCStatusCode.UNAUTHENTICATED, RPCStatusCode.PERMISSION_DENIED)


@dataclass(frozen=True)
class Connection:
    """A connected client, and what its links begin with."""

    client: Client
    settings: Settings

    def url(self, workflow_id: str, run_id: str = "") -> str:
        """The page of a workflow in Temporal's own UI; empty where no UI is known."""
        return workflow_page(self.settings.temporal_ui_url, self.client.namespace, workflow_id, run_id)


def with_temporal(work: Callable[[Connection], Awaitable[T]], *, waiting: str = "") -> T:
    """Connect and do one piece of work; `waiting` is shown to a person meanwhile.

    Raises:
        CommandFailed: UNREACHABLE with the address and what to do, where Temporal doesn't answer.
    """
    settings = client_settings()

    async def connected() -> T:
        connection = await connect(settings)
        try:
            return await work(connection)
        except RPCError as error:
            raise failure_of(error, settings) from error

    if not waiting:
        return asyncio.run(connected())
    with errors().status(waiting):
        return asyncio.run(connected())


async def connect(settings: Settings) -> Connection:
    """Connect within seconds, or say why that isn't possible."""
    try:
        async with asyncio.timeout(_CONNECT_WITHIN):
            return Connection(await connect_temporal(settings), settings)
    except RuntimeError as error:
        raise _unreachable(settings, str(error)) from error
    except TimeoutError as error:
        raise _unreachable(settings, f"no answer within {_CONNECT_WITHIN:.0f} s") from error


def failure_of(error: RPCError, settings: Settings) -> CommandFailed:
    """What Temporal's refusal means for the person."""
    rests = standalone.has_no_worker()
    if rests is not None and (is_away(error) or error.status is RPCStatusCode.FAILED_PRECONDITION):
        return rests
    if error.status in _REFUSED:
        return CommandFailed(
            f"Temporal at {settings.temporal_address} refuses this client: {error.message}",
            "Check DOCUSTACK_TEMPORAL_API_KEY, or DOCUSTACK_TEMPORAL_TLS_CERTIFICATE and its key.",
            code=ExitCode.UNREACHABLE,
        )
    if error.status is RPCStatusCode.NOT_FOUND and "amespace" in error.message:
        return CommandFailed(
            f"Temporal at {settings.temporal_address} has no namespace {settings.temporal_namespace!r}.",
            "Set DOCUSTACK_TEMPORAL_NAMESPACE to the one that the worker uses.",
            code=ExitCode.UNREACHABLE,
        )
    if error.status is RPCStatusCode.INVALID_ARGUMENT and "search attribute" in error.message.lower():
        return CommandFailed(
            f"Namespace {settings.temporal_namespace!r} knows none of DocuStack's search attributes yet.",
            "They are made when `docustack worker` first starts: is this the right namespace?",
            code=ExitCode.UNREACHABLE,
        )
    if error.status in _AWAY:
        return _unreachable(settings, error.message)
    return CommandFailed(f"Temporal at {settings.temporal_address} answered: {error.message}")


def is_away(error: RPCError) -> bool:
    """Whether it may be otherwise in a moment: a worker or the server isn't there."""
    return error.status in _AWAY


def _unreachable(settings: Settings, why: str) -> CommandFailed:
    told = re.search(r'message: "([^"]+)"', why)  # of Rust's account of the error only this is for people
    reason = told[1].lower() if told else " ".join(why.split())
    return CommandFailed(
        f"Temporal doesn't answer at {settings.temporal_address}: {reason}",
        "For a world on this machine, start it: docustack local up",
        "For a deployment, set DOCUSTACK_TEMPORAL_ADDRESS (and DOCUSTACK_TEMPORAL_NAMESPACE).",
        "Without an installation: docustack --standalone …",
        code=ExitCode.UNREACHABLE,
    )
