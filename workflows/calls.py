"""How a workflow calls an activity: the method, its one model, a named policy; the answer has the method's type."""

from collections.abc import Callable, Coroutine
from typing import Any, TypeVar

from temporalio import workflow
from temporalio.workflow import ActivityConfig

Owner = TypeVar("Owner")
Question = TypeVar("Question")
Answer = TypeVar("Answer")


async def call(
    method: Callable[[Owner, Question], Coroutine[Any, Any, Answer]],
    question: Question,
    *,
    policy: ActivityConfig,
    summary: str | None = None,
) -> Answer:
    """Run one activity; `summary` is the line that Temporal's UI shows beside it.

    Raises:
        ActivityError: it failed for good; its cause has one of the types of `ErrorType`.
    """
    config = policy.copy()
    if summary:
        config["summary"] = summary[:200]
    return await workflow.execute_activity_method(method, question, **config)
