"""Posts to Slack, each message once; the texts are made in `docustack/`."""

import re
from collections.abc import AsyncIterator, Awaitable, Callable
from datetime import timedelta
from typing import TypeVar

import aiohttp
from pydantic import BaseModel, ConfigDict, ValidationError
from slack_sdk.errors import SlackApiError, SlackClientError
from slack_sdk.web.async_client import AsyncWebClient
from slack_sdk.web.async_slack_response import AsyncSlackResponse
from temporalio import activity
from temporalio.exceptions import ApplicationError

from activities.failures import failure
from docustack.errors import ErrorType
from docustack.model import Model

EVENT_TYPE = "docustack"
"""The metadata's type; its payload is `{"key": …}`."""

_PAGE_SIZE = 200
_CLOCK_SKEW = timedelta(minutes=10)  # how far before an attempt its message is looked for
_RATE_LIMIT_PAUSE = timedelta(seconds=30)  # where Slack doesn't say how long
_CHANNEL_ID = re.compile(r"[CGD][A-Z0-9]{7,}")

_CREDENTIALS = frozenset({
    "invalid_auth", "not_authed", "account_inactive", "token_revoked", "token_expired", "missing_scope",
    "no_permission", "access_denied", "not_allowed_token_type", "org_login_required", "ekm_access_denied",
})  # fmt: skip
_CONFIGURATION = frozenset({
    "channel_not_found", "not_in_channel", "is_archived", "invalid_channel", "restricted_action",
    "restricted_action_read_only_channel", "restricted_action_thread_only_channel", "unknown_method",
})  # fmt: skip
_BUSY = frozenset({"internal_error", "fatal_error", "service_unavailable", "request_timeout", "team_added_to_org"})
_SCOPES = "chat:write, channels:read and channels:history (groups:read, groups:history for a private channel)"


class PostMessage(Model):
    """One message of a run's thread; `key` goes into its metadata, so that a retry finds it and posts nothing twice."""

    channel: str
    text: str
    key: str
    thread: str | None = None  # ts of the thread's head


class PostedMessage(Model):
    channel: str
    ts: str


class SlackAnswer(BaseModel):
    model_config = ConfigDict(frozen=True, extra="ignore")


class _Cursor(SlackAnswer):
    next_cursor: str | None = None


class _Payload(SlackAnswer):
    key: str | None = None


class _Metadata(SlackAnswer):
    event_type: str = ""
    event_payload: _Payload = _Payload()


class _Message(SlackAnswer):
    ts: str
    metadata: _Metadata | None = None


class _Messages(SlackAnswer):
    messages: tuple[_Message, ...] = ()
    response_metadata: _Cursor | None = None


class _Channel(SlackAnswer):
    id: str
    name: str = ""


class _Channels(SlackAnswer):
    channels: tuple[_Channel, ...] = ()
    response_metadata: _Cursor | None = None


class _Posted(SlackAnswer):
    channel: str
    ts: str


_Read = TypeVar("_Read", bound=SlackAnswer)
_Page = TypeVar("_Page", _Messages, _Channels)


class Slack:
    """Slack, with one token of ours; retries are Temporal's, so the client must have no retry handlers."""

    def __init__(self, client: AsyncWebClient) -> None:
        self._client = client
        self._channel_ids: dict[str, str] = {}

    @activity.defn
    async def post_message(self, message: PostMessage) -> PostedMessage:
        """Post one message, once: a retry first looks for its key in what has been posted since."""
        if activity.info().attempt > 1:
            posted = await self._find(message)
            if posted is not None:
                return posted
        answer = await call_slack(
            message.channel,
            self._client.chat_postMessage(
                channel=message.channel,
                text=message.text,
                thread_ts=message.thread or None,
                metadata={"event_type": EVENT_TYPE, "event_payload": {"key": message.key}},
                unfurl_links=False,
            ),
            _Posted,
        )
        return PostedMessage(channel=answer.channel, ts=answer.ts)

    async def _find(self, message: PostMessage) -> PostedMessage | None:
        channel = await self.channel_id(message.channel)
        oldest = f"{(activity.info().scheduled_time - _CLOCK_SKEW).timestamp():.6f}"

        def page(cursor: str | None) -> Awaitable[AsyncSlackResponse]:
            if message.thread:
                return self._client.conversations_replies(
                    channel=channel,
                    ts=message.thread,
                    oldest=oldest,
                    include_all_metadata=True,
                    limit=_PAGE_SIZE,
                    cursor=cursor,
                )
            return self._client.conversations_history(
                channel=channel, oldest=oldest, include_all_metadata=True, limit=_PAGE_SIZE, cursor=cursor
            )

        async for answer in _pages(message.channel, page, _Messages):
            for found in answer.messages:
                if found.metadata and _key(found.metadata) == message.key:
                    return PostedMessage(channel=channel, ts=found.ts)
        return None

    async def channel_id(self, channel: str) -> str:
        """Slack posts to a channel by name, but reads only by id."""
        if _CHANNEL_ID.fullmatch(channel):
            return channel
        name = channel.removeprefix("#")
        if name not in self._channel_ids:

            def page(cursor: str | None) -> Awaitable[AsyncSlackResponse]:
                return self._client.conversations_list(
                    types="public_channel,private_channel", exclude_archived=True, limit=_PAGE_SIZE, cursor=cursor
                )

            async for answer in _pages(channel, page, _Channels):
                self._channel_ids |= {found.name: found.id for found in answer.channels}
        if name not in self._channel_ids:
            raise _failure("channel_not_found", channel, None)
        return self._channel_ids[name]


class SilentSlack:
    """Stands where no Slack is configured: a deployment doesn't need one."""

    @activity.defn
    async def post_message(self, message: PostMessage) -> PostedMessage:
        """Posts nothing; the empty `ts` starts no thread."""
        return PostedMessage(channel=message.channel, ts="")


def _key(metadata: _Metadata) -> str | None:
    return metadata.event_payload.key if metadata.event_type == EVENT_TYPE else None


async def _pages(
    channel: str, page: Callable[[str | None], Awaitable[AsyncSlackResponse]], model: type[_Page]
) -> AsyncIterator[_Page]:
    cursor: str | None = None
    while True:
        answer = await call_slack(channel, page(cursor), model)
        yield answer
        cursor = answer.response_metadata.next_cursor if answer.response_metadata else None
        if not cursor:
            return


async def call_slack(channel: str, call: Awaitable[AsyncSlackResponse], model: type[_Read]) -> _Read:
    try:
        return model.model_validate((await call).data)
    except SlackApiError as error:
        raise _refused(error, channel) from error
    except (aiohttp.ClientError, SlackClientError, TimeoutError, OSError) as error:
        raise failure(ErrorType.UNAVAILABLE, f"Slack couldn't be reached: {type(error).__name__}: {error}") from error
    except (ValidationError, AttributeError, ValueError) as error:
        # slack-sdk itself stumbles over an answer that isn't JSON, a proxy's page for one.
        raise failure(
            ErrorType.UNAVAILABLE, "The answer isn't one of Slack's: is DOCUSTACK_SLACK_API_URL right?"
        ) from error


def _refused(error: SlackApiError, channel: str) -> ApplicationError:
    response = error.response
    # The SDK hands over its own response, or, where the body was no JSON, aiohttp's.
    status = response.status if isinstance(response, aiohttp.ClientResponse) else response.status_code
    data = {} if isinstance(response, aiohttp.ClientResponse) else response.data
    reason = str(data.get("error", "")) if isinstance(data, dict) else ""
    if status == 429 or reason in ("ratelimited", "rate_limited"):
        return failure(
            ErrorType.THROTTLED,
            "Slack's rate limit holds the message up.",
            retry_in=_retry_after(response.headers.get("Retry-After")),
        )
    if status >= 500:
        return failure(ErrorType.UNAVAILABLE, f"Slack answered {status}.")
    return _failure(reason, channel, data.get("needed") if isinstance(data, dict) else None)


def _failure(reason: str, channel: str, needed: object) -> ApplicationError:
    if reason in _CREDENTIALS:
        return failure(
            ErrorType.CREDENTIALS,
            f"Slack refused DOCUSTACK_SLACK_TOKEN ({reason}): it needs to be the valid token of an app with the scopes "
            f"{needed or _SCOPES}.",
        )
    if reason in _CONFIGURATION:
        return failure(
            ErrorType.CONFIGURATION,
            f"Slack can't post to {channel} ({reason}): check `slack.channel` in docustack.yaml, and that the app has "
            "been invited to the channel.",
        )
    if reason in _BUSY or not reason:
        return failure(ErrorType.UNAVAILABLE, f"Slack is busy ({reason or 'no answer'}).")
    return failure(ErrorType.INVALID_INPUT, f"Slack refused the message to {channel}: {reason}.")


def _retry_after(seconds: str | None) -> timedelta:
    return timedelta(seconds=int(seconds)) if seconds and seconds.isdigit() else _RATE_LIMIT_PAUSE
