"""The Slack thread of a workflow that is no run: in order, beside the work, which a silent Slack never holds up."""

import asyncio

from temporalio import workflow
from temporalio.exceptions import ActivityError, is_cancelled_exception

from workflows import policies
from workflows.calls import call

with workflow.unsafe.imports_passed_through():
    from activities.slack import PostMessage, Slack


class Announcements:
    """The first message is the head of the thread, the others follow in it."""

    def __init__(self) -> None:
        self.channel = ""  # empty: nobody is told
        self._thread: str | None = None
        self._queue: list[tuple[str, str]] = []
        self._task: asyncio.Task[None] | None = None

    def say(self, text: str) -> None:
        if not self.channel:
            return
        self._queue.append((str(workflow.uuid4()), text))
        if self._task is None or self._task.done():
            self._task = asyncio.create_task(self._post())

    async def flush(self) -> None:
        """Until Slack has heard all of it, or has been asked for long enough."""
        if self._task is not None:
            await workflow.wait([self._task])

    async def _post(self) -> None:
        while self._queue:
            key, text = self._queue[0]
            message = PostMessage(channel=self.channel, text=text, key=key, thread=self._thread)
            try:
                posted = await call(Slack.post_message, message, summary=text[:60], policy=policies.SLACK)
            except ActivityError as error:
                if is_cancelled_exception(error):
                    return
                workflow.logger.warning("Slack was not told: %s", error.cause)
            else:
                self._thread = self._thread or posted.ts or None
            self._queue.pop(0)
