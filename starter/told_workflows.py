"""Tells a workflow what a verified person has said, signed, and hears at once what becomes of it."""

from dataclasses import dataclass
from datetime import timedelta
from typing import Any

from temporalio.client import WorkflowHandle, WorkflowUpdateFailedError, WorkflowUpdateRPCTimeoutOrCancelledError
from temporalio.exceptions import ApplicationError
from temporalio.service import RPCError, RPCStatusCode

from docustack.signed_approvals import Approval, ApprovalAnswer, Refusal, sign
from starter.api_refusals import ApiRefused

JUDGED_WITHIN = timedelta(seconds=40)
"""A workflow asks GitHub before it answers."""

_FORBIDDEN = (Refusal.AUTHOR, Refusal.NOT_ALLOWED)
_AWAY = (Refusal.UNAVAILABLE, Refusal.FORGED)


@dataclass(frozen=True)
class Told:
    """Who is told, as people call it; `look` says where they see what it asks now, `rules` which say who may."""

    name: str
    look: str
    rules: str = "`approvals` and `teams` in docustack.yaml on the base branch say who may."

    def has_ended(self, how: str) -> ApiRefused:
        message = f"{self.name} has ended ({how}), so there is nothing to decide."
        return ApiRefused(409, message, "Another command begins another one.", Refusal.NOT_WAITING.value)

    def has_refused(self, refusal: str, message: str) -> ApiRefused:
        if refusal == Refusal.FORGED:
            message = (
                f"{self.name} doesn't accept this server's signature: the worker has other DOCUSTACK_APPROVAL_KEYS."
            )
        status = 403 if refusal in _FORBIDDEN else 503 if refusal in _AWAY else 409
        what_to_do = {
            Refusal.AUTHOR: "Ask somebody else for the approval.",
            Refusal.NOT_ALLOWED: self.rules,
            Refusal.UNAVAILABLE: "Look whether it tells of it, then try again.",
            Refusal.FORGED: "Whoever runs DocuStack has to give both the same.",
        }.get(Refusal(refusal) if refusal in set(Refusal) else Refusal.OTHER_RUN, self.look)
        return ApiRefused(status, message, what_to_do, refusal)


async def tell(handle: WorkflowHandle[Any, Any], approval: Approval, key: str, told: Told) -> ApprovalAnswer:
    """What a workflow has accepted of it.

    Raises:
        ApiRefused: it has not, has ended, or no worker answers.
    """
    try:
        answer: ApprovalAnswer = await handle.execute_update(
            approval.verdict.value,
            sign(approval, key),
            id=approval.nonce,
            result_type=ApprovalAnswer,
            rpc_timeout=JUDGED_WITHIN,
        )
    except WorkflowUpdateFailedError as error:
        raise told.has_refused(*_said(error)) from None
    except WorkflowUpdateRPCTimeoutOrCancelledError:
        away = "No worker answers, so it isn't known whether this counts."
        raise told.has_refused(Refusal.UNAVAILABLE, away) from None
    except RPCError as error:
        if error.status is RPCStatusCode.NOT_FOUND:
            raise told.has_ended("over") from None
        raise
    if not answer.accepted:
        raise told.has_refused(answer.refusal, answer.message)
    return answer


def _said(error: WorkflowUpdateFailedError) -> tuple[str, str]:
    cause = error.cause
    if isinstance(cause, ApplicationError):
        return cause.type or "", cause.message
    return "", f"It could not be taken: {cause}."
