"""The Slack thread of a workflow: in order, beside the work, which a silent Slack never holds up."""

import asyncio
from collections.abc import Callable
from typing import Protocol

from temporalio import workflow
from temporalio.exceptions import ActivityError, is_cancelled_exception

from workflows import policies
from workflows.calls import call

with workflow.unsafe.imports_passed_through():
    from activities.slack import PostMessage, Slack
    from docustack.model import State
    from workflows.run_models import SlackMessage


class Kept(Protocol):
    """What of a thread has to outlive a continue-as-new."""

    slack_thread: str | None
    slack_queue: list[SlackMessage]


class SlackThread:
    """The first message is the head of the thread, the others follow in it.

    A message stays in the queue until Slack has it, so that it outlives a continue-as-new.
    """

    def __init__(self, kept: Kept, channel: Callable[[], str]) -> None:
        self._kept = kept
        self._channel = channel
        self._task: asyncio.Task[None] | None = None

    def say(self, text: str) -> None:
        """Queue a message; Slack may be down for hours meanwhile."""
        self._kept.slack_queue.append(SlackMessage(key=str(workflow.uuid4()), text=text))
        self.speak()

    def speak(self) -> None:
        """Post what is queued, in order."""
        if self._kept.slack_queue and (self._task is None or self._task.done()):
            self._task = asyncio.create_task(self._post())

    async def flush(self) -> None:
        """Wait until Slack has heard everything, or has been asked for long enough."""
        self.speak()
        if self._task is not None:
            await workflow.wait([self._task])

    async def pause(self) -> None:
        """Stop posting; what Slack hasn't taken stays in the queue."""
        if self._task is not None:
            self._task.cancel()
            await workflow.wait([self._task])

    async def _post(self) -> None:
        kept = self._kept
        while kept.slack_queue:
            message = kept.slack_queue[0]
            text = self._head(message.text) if kept.slack_thread is None else message.text
            post = PostMessage(channel=self._channel(), text=text, key=message.key, thread=kept.slack_thread)
            try:
                posted = await call(Slack.post_message, post, summary=message.text[:60], policy=policies.SLACK)
            except ActivityError as error:
                if is_cancelled_exception(error):
                    return
                workflow.logger.warning("Slack was not told: %s", error.cause)
            else:
                kept.slack_thread = kept.slack_thread or posted.ts or None
            kept.slack_queue.pop(0)

    def _head(self, text: str) -> str:
        """What begins the thread, where the message alone would not say of what it is."""
        return text


class _KeptMessages(State):
    slack_thread: str | None = None
    slack_queue: list[SlackMessage] = []


class DeploymentThread(SlackThread):
    """A deployment's; it never continues as new, so that nothing has to be carried on."""

    def __init__(self) -> None:
        super().__init__(_KeptMessages(), lambda: self.channel)
        self.channel = ""  # empty: nobody is told

    def say(self, text: str) -> None:
        if self.channel:
            super().say(text)
