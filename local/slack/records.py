"""What the Slack stand-in remembers: messages."""

from pydantic import Field

from local.store import Record

Json = dict[str, object]


class Message(Record):
    """One message; a reply has the `thread_ts` of its thread's head."""

    channel: str
    ts: str
    thread_ts: str | None = None
    text: str = ""
    blocks: list[Json] = Field(default_factory=list)
    metadata: Json | None = None
    edited_ts: str | None = None
    reactions: list[str] = Field(default_factory=list)

    @property
    def within(self) -> str:
        return self.channel

    @property
    def is_reply(self) -> bool:
        return self.thread_ts not in (None, self.ts)
