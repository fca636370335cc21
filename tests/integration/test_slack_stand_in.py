"""The Slack stand-in answers slack-sdk as Slack does, keeps what it was told, and shows it as a page."""

import asyncio
import signal
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest
from slack_sdk import WebClient
from slack_sdk.errors import SlackApiError
from slack_sdk.web.async_client import AsyncWebClient

from local.slack.mrkdwn import rendered
from tests.integration.stand_ins import SlackStandIn

METADATA = {"event_type": "docustack_run", "event_payload": {"key": "run:1/plan_started"}}


@pytest.fixture(scope="module")
def slack(tmp_path_factory: pytest.TempPathFactory) -> Iterator[SlackStandIn]:
    stand_in = SlackStandIn(root=tmp_path_factory.mktemp("slack"))
    stand_in.start()
    yield stand_in
    stand_in.stop()


@pytest.fixture(autouse=True)
def _no_faults(slack: SlackStandIn) -> Iterator[None]:
    yield
    slack.control("DELETE", "faults")


def client(slack: SlackStandIn, token: str | None = None) -> WebClient:
    return WebClient(token or slack.token, base_url=f"{slack.url}/api/")


def post(slack: SlackStandIn, text: str, *, thread_ts: str | None = None) -> tuple[str, str]:
    """Channel id and ts."""
    answer = client(slack).chat_postMessage(channel="#infra-alerts", text=text, thread_ts=thread_ts, metadata=METADATA)
    return str(answer["channel"]), str(answer["ts"])


def page(slack: SlackStandIn) -> str:
    return httpx.get(f"{slack.url}/", follow_redirects=True).text


def test_token_names_the_bot(slack: SlackStandIn) -> None:
    assert client(slack).auth_test()["user"] == "docustack"
    assert (slack.root / "data" / "tokens.json").stat().st_mode & 0o077 == 0


@pytest.mark.parametrize("token,error", [("xoxb-wrong", "invalid_auth"), ("", "not_authed")])
def test_wrong_token_is_refused(slack: SlackStandIn, token: str, error: str) -> None:
    headers = {"authorization": f"Bearer {token}"} if token else {}
    assert httpx.post(f"{slack.url}/api/auth.test", headers=headers).json() == {"ok": False, "error": error}


def test_message_and_its_thread_are_read_back_with_metadata(slack: SlackStandIn) -> None:
    channel, head = post(slack, "Plan started for dev/us-east-1/vpc")
    post(slack, "Plan completed: 3 to add, 1 to change", thread_ts=head)
    thread = client(slack).conversations_replies(channel=channel, ts=head, include_all_metadata=True)
    texts = [message["text"] for message in thread["messages"]]
    assert texts == ["Plan started for dev/us-east-1/vpc", "Plan completed: 3 to add, 1 to change"]
    assert [message["metadata"] for message in thread["messages"]] == [METADATA, METADATA]
    assert thread["messages"][0]["reply_count"] == 1


def test_metadata_is_given_only_when_asked_for(slack: SlackStandIn) -> None:
    channel, ts = post(slack, "with metadata")
    [message] = client(slack).conversations_replies(channel=channel, ts=ts)["messages"]
    assert "metadata" not in message


def test_history_is_newest_first_without_replies(slack: SlackStandIn) -> None:
    channel, older = post(slack, "older")
    _, newer = post(slack, "newer")
    post(slack, "a reply", thread_ts=older)
    found = client(slack).conversations_history(channel=channel, oldest=older, inclusive=True)["messages"]
    assert [message["ts"] for message in found] == [newer, older]
    later = client(slack).conversations_history(channel=channel, oldest=older)["messages"]
    assert [message["ts"] for message in later] == [newer]


def test_history_is_read_page_by_page(slack: SlackStandIn) -> None:
    channel, first = post(slack, "page 1")
    others = [post(slack, f"page {number}")[1] for number in (2, 3)]
    pages = client(slack).conversations_history(channel=channel, oldest=first, inclusive=True, limit=2)
    assert [[message["ts"] for message in one["messages"]] for one in pages] == [others[::-1], [first]]


def test_message_is_changed_in_place(slack: SlackStandIn) -> None:
    channel, ts = post(slack, "Apply started")
    client(slack).chat_update(channel=channel, ts=ts, text="Apply completed successfully")
    [message] = client(slack).conversations_replies(channel=channel, ts=ts, include_all_metadata=True)["messages"]
    assert (message["text"], message["metadata"]) == ("Apply completed successfully", METADATA)
    assert message["edited"]


def test_channels_are_listed_and_shown(slack: SlackStandIn) -> None:
    [channel] = client(slack).conversations_list()["channels"]
    assert channel["name"] == "infra-alerts"
    assert client(slack).conversations_info(channel=channel["id"])["channel"]["is_member"]


def test_reaction_is_given_once(slack: SlackStandIn) -> None:
    channel, ts = post(slack, "done")
    client(slack).reactions_add(channel=channel, timestamp=ts, name="white_check_mark")
    with pytest.raises(SlackApiError, match="already_reacted"):
        client(slack).reactions_add(channel=channel, timestamp=ts, name="white_check_mark")


def test_wrong_calls_get_slacks_words(slack: SlackStandIn) -> None:
    web, (channel, _) = client(slack), post(slack, "there")
    for error, arguments in (
        ("channel_not_found", {"channel": "#nowhere", "text": "x"}),
        ("no_text", {"channel": channel, "text": ""}),
        ("cannot_reply_to_message", {"channel": channel, "text": "x", "thread_ts": "1.000000"}),
        ("msg_too_long", {"channel": channel, "text": "x" * 40_001}),
        ("invalid_arguments", {"channel": channel, "text": "x", "blocks": "no json"}),
    ):
        with pytest.raises(SlackApiError, match=error):
            web.api_call("chat.postMessage", json=arguments)
    with pytest.raises(SlackApiError, match="message_not_found"):
        web.chat_update(channel=channel, ts="1.000000", text="x")
    with pytest.raises(SlackApiError, match="thread_not_found"):
        web.conversations_replies(channel=channel, ts="1.000000")
    with pytest.raises(SlackApiError, match="unknown_method"):
        web.api_call("no.such")


def test_section_over_3000_characters_is_refused(slack: SlackStandIn) -> None:
    blocks = [{"type": "section", "text": {"type": "mrkdwn", "text": "x" * 3001}}]
    with pytest.raises(SlackApiError, match="invalid_blocks"):
        client(slack).chat_postMessage(channel="#infra-alerts", text="x", blocks=blocks)


def test_rate_limit_says_when_to_come_back(slack: SlackStandIn) -> None:
    slack.fault(kind="ratelimited", path="chat.postMessage", times=1, retry_after=9)
    with pytest.raises(SlackApiError) as error:
        post(slack, "limited")
    assert error.value.response.status_code == 429
    assert error.value.response.headers["Retry-After"] == "9"
    post(slack, "not limited")


def test_down_is_a_server_error_until_it_is_switched_off(slack: SlackStandIn) -> None:
    slack.fault(kind="server_error", status=503)
    with pytest.raises(SlackApiError) as error:
        post(slack, "lost")
    assert error.value.response.status_code == 503
    slack.control("DELETE", "faults")
    channel, _ = post(slack, "back")
    found = client(slack).conversations_history(channel=channel)["messages"]
    assert "lost" not in [message["text"] for message in found]


def test_lost_answer_posted_all_the_same(slack: SlackStandIn) -> None:
    slack.fault(kind="lost_answer", path="chat.postMessage", times=1)
    with pytest.raises(SlackApiError):
        post(slack, "posted, unheard")
    channel, _ = post(slack, "next")
    newest = client(slack).conversations_history(channel=channel, limit=2)["messages"]
    assert [message["text"] for message in newest] == ["next", "posted, unheard"]


def test_unknown_fault_is_refused(slack: SlackStandIn) -> None:
    assert httpx.post(f"{slack.url}/_stand_in/faults", json={"kind": "secondary_rate_limit"}).status_code == 422


async def test_async_client_posts_at_once_without_clash(slack: SlackStandIn) -> None:
    web = AsyncWebClient(slack.token, base_url=f"{slack.url}/api/")
    answers = await asyncio.gather(*(web.chat_postMessage(channel="#infra-alerts", text=str(n)) for n in range(10)))
    assert len({answer["ts"] for answer in answers}) == 10


def test_killed_stand_in_goes_on_with_the_same_data(tmp_path: Path) -> None:
    slack = SlackStandIn(root=tmp_path)
    slack.start()
    channel, ts = post(slack, "kept")
    token = slack.token
    slack.stop(signal.SIGKILL)
    slack.start()
    try:
        assert slack.token == token
        [message] = client(slack).conversations_replies(channel=channel, ts=ts, include_all_metadata=True)["messages"]
        assert (message["text"], message["metadata"]) == ("kept", METADATA)
    finally:
        slack.stop()


def test_page_shows_threads_under_their_heads(slack: SlackStandIn) -> None:
    _, head = post(slack, "head of the page's thread")
    _, reply = post(slack, "*bold* reply", thread_ts=head)
    shown = page(slack)
    assert "#infra-alerts" in shown
    assert shown.index(f'id="m{head}"') < shown.index(f'id="m{reply}"')
    assert "<b>bold</b> reply" in shown


def test_page_shows_blocks_in_place_of_text(slack: SlackStandIn) -> None:
    button = {"type": "button", "text": {"type": "plain_text", "text": "Open <PR>"}, "url": "http://example.com/1"}
    section: dict[str, object] = {"type": "section", "text": {"type": "mrkdwn", "text": "Apply *failed*"}}
    blocks: list[dict[str, object]] = [section, {"type": "actions", "elements": [button]}]
    client(slack).chat_postMessage(channel="#infra-alerts", text="fallback only", blocks=blocks)
    shown = page(slack)
    assert "Apply <b>failed</b>" in shown
    assert '<a href="http://example.com/1">Open &lt;PR&gt;</a>' in shown
    assert "fallback only" not in shown


@pytest.mark.parametrize(
    "text,expected",
    [
        ("*bold* _it_ ~no~", "<b>bold</b> <i>it</i> <s>no</s>"),
        ("`a*b*c`", "<code>a*b*c</code>"),
        ("```\nx < y\n```", "<pre>x &lt; y</pre>"),
        ("<http://a.b/?x=1&amp;y=2|PR #1>", '<a href="http://a.b/?x=1&amp;y=2">PR #1</a>'),
        ("a &lt;b&gt; <script>alert(1)</script>", "a &lt;b&gt; &lt;script&gt;alert(1)&lt;/script&gt;"),
        ("<javascript:alert(1)|x>", "&lt;javascript:alert(1)|x&gt;"),
        ("dev/us_east_1/my_vpc 2*3*4", "dev/us_east_1/my_vpc 2*3*4"),
        (":x: one\ntwo", "❌ one<br>two"),
        ("\x000\x00", "0"),
    ],
)
def test_markup_becomes_safe_html(text: str, expected: str) -> None:
    assert str(rendered(text)) == expected
