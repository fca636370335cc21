"""The activity on Slack: a message is there once, and what Slack refuses is told with what to do."""

import dataclasses
import json
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread

import pytest
from slack_sdk.web.async_client import AsyncWebClient
from temporalio.exceptions import ApplicationError
from temporalio.testing import ActivityEnvironment

from activities.slack import PostedMessage, PostMessage, SilentSlack, Slack
from tests.integration.stand_ins import SlackStandIn

CHANNEL = "#infra-alerts"


@pytest.fixture(scope="module")
def stand_in(tmp_path_factory: pytest.TempPathFactory) -> Iterator[SlackStandIn]:
    slack = SlackStandIn(root=tmp_path_factory.mktemp("slack"))
    slack.start()
    yield slack
    slack.stop()


@pytest.fixture(autouse=True)
def _no_faults(stand_in: SlackStandIn) -> Iterator[None]:
    yield
    stand_in.control("DELETE", "faults")


def client_of(url: str, token: str) -> AsyncWebClient:
    return AsyncWebClient(token=token, base_url=f"{url}/api/", timeout=5, retry_handlers=[])


@pytest.fixture
def slack(stand_in: SlackStandIn) -> Slack:
    return Slack(client_of(stand_in.url, stand_in.token))


def on_attempt(number: int) -> ActivityEnvironment:
    environment = ActivityEnvironment()
    environment.info = dataclasses.replace(
        ActivityEnvironment.default_info(), attempt=number, scheduled_time=datetime.now(UTC)
    )
    return environment


async def refused(slack: Slack, message: PostMessage, *, attempt: int = 1) -> ApplicationError:
    with pytest.raises(ApplicationError) as caught:
        await on_attempt(attempt).run(slack.post_message, message)
    return caught.value


def message(key: str, *, channel: str = CHANNEL, thread: str | None = None) -> PostMessage:
    return PostMessage(channel=channel, text="Plan started for dev/us-east-1/vpc", key=key, thread=thread)


def count(stand_in: SlackStandIn) -> int:
    number = stand_in.control("GET", "health")["messages"]
    assert isinstance(number, int)
    return number


async def test_a_message_is_posted_with_its_key_in_the_metadata(stand_in: SlackStandIn, slack: Slack) -> None:
    posted = await on_attempt(1).run(slack.post_message, message("run-1:plan-started"))
    history = await client_of(stand_in.url, stand_in.token).conversations_history(
        channel=posted.channel, latest=posted.ts, inclusive=True, limit=1, include_all_metadata=True
    )
    (found,) = history["messages"]
    assert found["text"] == "Plan started for dev/us-east-1/vpc"
    assert found["metadata"] == {"event_type": "docustack", "event_payload": {"key": "run-1:plan-started"}}


async def test_a_reply_stands_in_its_thread(stand_in: SlackStandIn, slack: Slack) -> None:
    head = await on_attempt(1).run(slack.post_message, message("run-2:head"))
    reply = await on_attempt(1).run(slack.post_message, message("run-2:reply", thread=head.ts))
    replies = await client_of(stand_in.url, stand_in.token).conversations_replies(channel=head.channel, ts=head.ts)
    assert [one["ts"] for one in replies["messages"]] == [head.ts, reply.ts]


@pytest.mark.parametrize("in_thread", [True, False])
async def test_a_message_whose_answer_was_lost_is_not_posted_twice(
    stand_in: SlackStandIn, slack: Slack, in_thread: bool
) -> None:
    head = await on_attempt(1).run(slack.post_message, message(f"head-{in_thread}"))
    lost = message(f"lost-{in_thread}", thread=head.ts if in_thread else None)
    before = count(stand_in)
    stand_in.fault(kind="lost_answer", path="chat.postMessage", times=1)
    error = await refused(slack, lost)
    assert (error.type, error.non_retryable) == ("unavailable", False)
    found = await on_attempt(2).run(slack.post_message, lost)
    assert found.channel == head.channel
    assert count(stand_in) == before + 1


async def test_the_lost_message_is_found_beyond_the_first_page(stand_in: SlackStandIn, slack: Slack) -> None:
    first = await on_attempt(1).run(slack.post_message, message("buried"))
    client = client_of(stand_in.url, stand_in.token)
    for number in range(205):
        await client.chat_postMessage(channel=CHANNEL, text=f"Noise {number}")
    assert (await on_attempt(2).run(slack.post_message, message("buried"))).ts == first.ts


async def test_a_retry_posts_what_never_arrived(stand_in: SlackStandIn, slack: Slack) -> None:
    before = count(stand_in)
    stand_in.fault(kind="server_error", path="chat.postMessage", times=1)
    await refused(slack, message("never-arrived"))
    await on_attempt(2).run(slack.post_message, message("never-arrived"))
    assert count(stand_in) == before + 1


async def test_a_retry_to_a_channel_given_by_its_id_needs_no_list_of_channels(
    stand_in: SlackStandIn, slack: Slack
) -> None:
    posted = await on_attempt(1).run(slack.post_message, message("by-id"))
    stand_in.fault(kind="server_error", path="conversations.list")
    assert await on_attempt(2).run(slack.post_message, message("by-id", channel=posted.channel)) == posted


async def test_the_rate_limit_says_when_to_come_back(stand_in: SlackStandIn, slack: Slack) -> None:
    stand_in.fault(kind="ratelimited", retry_after=30, times=1)
    error = await refused(slack, message("limited"))
    assert (error.type, error.non_retryable) == ("throttled", False)
    assert error.next_retry_delay == timedelta(seconds=30)


@pytest.mark.parametrize("attempt", [1, 2])
async def test_an_unknown_channel_points_at_the_configuration(slack: Slack, attempt: int) -> None:
    error = await refused(slack, message("x", channel="#no-such-channel"), attempt=attempt)
    assert (error.type, error.non_retryable) == ("configuration", True)
    assert "#no-such-channel" in error.message
    assert "docustack.yaml" in error.message


async def test_a_refused_token_names_the_setting(stand_in: SlackStandIn) -> None:
    error = await refused(Slack(client_of(stand_in.url, "xoxb-wrong")), message("x"))
    assert (error.type, error.non_retryable) == ("credentials", True)
    assert "DOCUSTACK_SLACK_TOKEN" in error.message
    assert "chat:write" in error.message


async def test_a_slack_that_cannot_be_reached_is_asked_again() -> None:
    error = await refused(Slack(client_of("http://127.0.0.1:1", "xoxb-1")), message("x"))
    assert (error.type, error.non_retryable) == ("unavailable", False)


async def test_without_slack_nothing_is_posted_and_nothing_fails() -> None:
    posted = await on_attempt(1).run(SilentSlack().post_message, message("x"))
    assert posted == PostedMessage(channel=CHANNEL, ts="")


async def test_the_empty_thread_of_a_silent_head_starts_no_thread(slack: Slack) -> None:
    assert (await on_attempt(1).run(slack.post_message, message("after-silence", thread=""))).ts


# ---- answers that the stand-in doesn't give --------------------------------------------------------------------------


class Oddity:
    """A server that answers everything in one odd way."""

    def __init__(self, status: int, content_type: str, body: str) -> None:
        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                self.rfile.read(int(self.headers["content-length"]))
                self.send_response(status)
                self.send_header("content-type", content_type)
                self.end_headers()
                self.wfile.write(body.encode())

            def log_message(self, format: str, *args: object) -> None:  # noqa: A002  # the base class names it
                pass

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._thread = Thread(target=self._server.serve_forever, args=(0.02,), daemon=True)
        self.url = f"http://127.0.0.1:{self._server.server_port}"

    def __enter__(self) -> Slack:
        self._thread.start()
        return Slack(client_of(self.url, "xoxb-1"))

    def __exit__(self, *_: object) -> None:
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()


@pytest.mark.parametrize(
    "status, content_type, body",
    [
        (503, "text/html", "<html>Down</html>"),
        (200, "text/html", "<html>Please sign in</html>"),
        (200, "text/plain", "Please sign in"),
        (200, "application/json", "{cut off"),
        (200, "application/json", '{"ok": true}'),
        (200, "application/json", '{"ok": false, "error": "internal_error"}'),
        (200, "application/json", '{"ok": false}'),
        (500, "application/json", '{"ok": false, "error": "fatal_error"}'),
    ],
)
async def test_an_answer_that_is_none_is_asked_for_again(status: int, content_type: str, body: str) -> None:
    with Oddity(status, content_type, body) as slack:
        error = await refused(slack, message("x"))
    assert (error.type, error.non_retryable) == ("unavailable", False)


async def test_a_missing_scope_is_named() -> None:
    body = json.dumps({"ok": False, "error": "missing_scope", "needed": "channels:history", "provided": "chat:write"})
    with Oddity(200, "application/json", body) as slack:
        error = await refused(slack, message("x"))
    assert (error.type, error.non_retryable) == ("credentials", True)
    assert "channels:history" in error.message


async def test_a_text_that_slack_refuses_is_told_in_its_word() -> None:
    with Oddity(200, "application/json", '{"ok": false, "error": "msg_too_long"}') as slack:
        error = await refused(slack, message("x"))
    assert (error.type, error.non_retryable) == ("invalid-input", True)
    assert "msg_too_long" in error.message
