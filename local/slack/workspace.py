"""The workspace: its channels, its one bot with the token, and what can be done to messages."""

import json
import os
import secrets
import time
from dataclasses import dataclass
from pathlib import Path

from local.faults import Faults
from local.slack.records import Json, Message
from local.store import Store

BOT_ID, BOT_USER, TEAM = "B0DOCUSTACK", "U0DOCUSTACK", "T0DOCUSTACK"
BOT_NAME = "docustack"
LONGEST_TEXT = 40_000
LONGEST_SECTION = 3_000
MOST_BLOCKS = 50


class SlackError(Exception):
    """What Slack answers with `ok: false`; the message is its `error`."""


@dataclass(frozen=True)
class Channel:
    id: str
    name: str


class Workspace:
    """Everything one stand-in holds, on disk in `data_dir`."""

    def __init__(self, data_dir: Path, channels: list[str]) -> None:
        data_dir.mkdir(parents=True, exist_ok=True)
        self.store = Store(data_dir / "slack.sqlite")
        self.faults = Faults()
        self.channels = [Channel(f"C{number:010}", name) for number, name in enumerate(channels, 1)]
        self.token = _token(data_dir / "tokens.json")

    def channel(self, name: str, *, by_name: bool = False) -> Channel:
        """By its id; only posting takes a name too. Raises SlackError."""
        for channel in self.channels:
            if name == channel.id or (by_name and name.removeprefix("#") == channel.name):
                return channel
        raise SlackError("channel_not_found")

    def message(self, channel: Channel, ts: str) -> Message | None:
        return next((message for message in self.store.all(Message, channel.id) if message.ts == ts), None)

    def heads(self, channel: Channel) -> list[Message]:
        """What stands in the channel itself, oldest first."""
        return [message for message in self.store.all(Message, channel.id) if not message.is_reply]

    def replies(self, channel: Channel, ts: str) -> list[Message]:
        return [one for one in self.store.all(Message, channel.id) if one.is_reply and one.thread_ts == ts]

    def post(self, message: Message) -> Message:
        _require_content(message)
        thread = message.thread_ts
        if thread is not None and self.message(self.channel(message.channel), thread) is None:
            raise SlackError("cannot_reply_to_message")
        return self.store.add(message)

    def update(self, message: Message, changes: dict[str, object]) -> Message:
        changed = message.model_copy(update={**changes, "edited_ts": self.new_ts()})
        _require_content(changed)
        self.store.save(changed)
        return changed

    def react(self, message: Message, name: str) -> None:
        if name in message.reactions:
            raise SlackError("already_reacted")
        self.store.save(message.model_copy(update={"reactions": [*message.reactions, name]}))

    def new_ts(self) -> str:
        """The time as Slack writes it, later than that of any message: it is the message's name."""
        moment = int(time.time() * 1_000_000)
        newest = max((int(one.ts.replace(".", "")) for one in self.store.all(Message)), default=0)
        moment = max(moment, newest + 1)
        return f"{moment // 1_000_000}.{moment % 1_000_000:06}"


def shown(workspace: Workspace, message: Message, *, metadata: bool) -> Json:
    """A message as Slack's methods give it."""
    body: Json = {
        "type": "message",
        "subtype": "bot_message",
        "user": BOT_USER,
        "bot_id": BOT_ID,
        "app_id": "A0DOCUSTACK",
        "team": TEAM,
        "username": BOT_NAME,
        "text": message.text,
        "ts": message.ts,
    }
    if message.blocks:
        body["blocks"] = message.blocks
    if metadata and message.metadata is not None:
        body["metadata"] = message.metadata
    if message.edited_ts is not None:
        body["edited"] = {"user": BOT_USER, "ts": message.edited_ts}
    if message.reactions:
        body["reactions"] = [{"name": name, "users": [BOT_USER], "count": 1} for name in message.reactions]
    return body | _thread(workspace, message)


def _thread(workspace: Workspace, message: Message) -> Json:
    if message.is_reply:
        return {"thread_ts": message.thread_ts, "parent_user_id": BOT_USER}
    replies = workspace.replies(workspace.channel(message.channel), message.ts)
    if not replies:
        return {}
    return {
        "thread_ts": message.ts,
        "reply_count": len(replies),
        "reply_users": [BOT_USER],
        "reply_users_count": 1,
        "latest_reply": replies[-1].ts,
    }


def _require_content(message: Message) -> None:
    if not message.text and not message.blocks:
        raise SlackError("no_text")
    if len(message.text) > LONGEST_TEXT:
        raise SlackError("msg_too_long")
    texts = [block.get("text") for block in message.blocks]
    words = [str(text.get("text", "")) for text in texts if isinstance(text, dict)]
    if len(message.blocks) > MOST_BLOCKS or any(len(text) > LONGEST_SECTION for text in words):
        raise SlackError("invalid_blocks")


def _token(path: Path) -> str:
    """The bot's token, made at the first start; the file is readable by its owner only."""
    if path.is_file():
        return str(json.loads(path.read_text())[BOT_NAME])
    token = f"xoxb-{secrets.token_hex(20)}"
    with os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w") as file:
        json.dump({BOT_NAME: token}, file)
    return token
