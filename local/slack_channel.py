"""Reads the notifications in the local world's Slack channel, as a member of the channel sees them."""

from pydantic import BaseModel

from local import plain_http
from local.parts import slack_token
from local.places import Places
from local.status import Status


class Message(BaseModel):
    """One message with its thread's replies, oldest first."""

    ts: str
    text: str
    replies: list["Message"] = []

    @property
    def texts(self) -> list[str]:
        """The first lines of the thread: the notifications without the head's links."""
        return [message.text.partition("\n")[0] for message in (self, *self.replies)]


class SlackChannel:
    """The channel of the live repository's notifications."""

    def __init__(self, places: Places, status: Status) -> None:
        self._url = f"{status.slack.url}/api/"
        self._headers = {"authorization": f"Bearer {slack_token(places)}"}
        self._name = status.slack.channel.removeprefix("#")

    def threads(self) -> list[Message]:
        """Everything that was said, oldest first."""
        channel = self._id()
        heads = [Message.model_validate(one) for one in self._list("conversations.history", channel=channel)]
        return [self._with_replies(channel, head) for head in sorted(heads, key=lambda head: head.ts)]

    def texts(self) -> list[str]:
        """The notifications of all threads, one after the other."""
        return [text for thread in self.threads() for text in thread.texts]

    def _with_replies(self, channel: str, head: Message) -> Message:
        found = [
            Message.model_validate(one) for one in self._list("conversations.replies", channel=channel, ts=head.ts)
        ]
        return head.model_copy(update={"replies": [one for one in found if one.ts != head.ts]})

    def _id(self) -> str:
        answer = self._call("conversations.list")
        channels = answer["channels"]
        assert isinstance(channels, list)
        return str(next(channel["id"] for channel in channels if channel["name"] == self._name))

    def _list(self, method: str, **arguments: str) -> list[object]:
        found: list[object] = []
        cursor = ""
        while True:
            answer = self._call(method, **arguments, limit="200", cursor=cursor)
            messages, paging = answer["messages"], answer.get("response_metadata")
            assert isinstance(messages, list)
            found += messages
            cursor = str(paging.get("next_cursor") or "") if isinstance(paging, dict) else ""
            if not cursor:
                return found

    def _call(self, method: str, **arguments: str) -> dict[str, object]:
        given = {name: value for name, value in arguments.items() if value}
        response = plain_http.get(self._url + method, params=given, headers=self._headers)
        response.raise_for_status()
        answer: dict[str, object] = response.json()
        if not answer.get("ok"):
            raise RuntimeError(f"Slack answers {method} with {answer.get('error')}")
        return answer
