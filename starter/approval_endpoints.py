"""The server's door for approvals: the person is verified, what they say is signed, the run answers at once."""

import secrets
from typing import Any

from temporalio.client import WorkflowExecutionDescription, WorkflowExecutionStatus, WorkflowHandle

from docustack.model import Nothing
from docustack.signed_approvals import Approval, Verdict
from starter.api import Call
from starter.api_messages import ApproveOrder, CancelOrder, DecisionAnswer, PlanToApprove, RejectOrder, RunToApprove
from starter.api_refusals import ApiRefused
from starter.client import ANSWER_WITHIN
from starter.exit_codes import CommandFailed
from starter.found_runs import find_run
from starter.run_lines import PREFIX, decision_line, shown_status
from starter.times import now
from starter.told_workflows import Told, tell
from workflows.run_models import RunView

_APPROVE_ELSEWHERE = (
    "Approve in a review on GitHub; whoever runs DocuStack sets the key on the server and the control workers."
)
_LOOK = "GET /api/runs/{run_id} (or `docustack approve {run_id}`) shows what there is to approve now."

_Handle = WorkflowHandle[Any, Any]


async def show_run(call: Call, _: Nothing) -> RunToApprove:
    """What there is to approve in a run; who may see it is who may push."""
    view = (await _found(call))[2]
    return RunToApprove(
        run_id=view.input.run_id,
        repository=view.input.repository.full_name,
        pull_request=view.input.number,
        operation=view.input.operation,
        actor=view.input.actor,
        status=view.status.value,
        message=view.message,
        commit=view.commit,
        plans=view.plans,
        units=tuple(
            PlanToApprove(
                unit=plan.unit, digest=plan.digest, summary=plan.summary, preview=plan.preview, text=plan.text
            )
            for plan in view.shown
        ),
        decisions=tuple(decision_line(decision) for decision in view.decisions),
    )


async def approve(call: Call, order: ApproveOrder) -> DecisionAnswer:
    return await _decide(call, Verdict.APPROVE, order.commit, order.plans)


async def reject(call: Call, order: RejectOrder) -> DecisionAnswer:
    return await _decide(call, Verdict.REJECT, reason=order.reason)


async def cancel(call: Call, order: CancelOrder) -> DecisionAnswer:
    """The run judges who may; what it has allowed is then asked of Temporal, as its own UI would."""
    answer = await _decide(call, Verdict.CANCEL, reason=order.reason)
    await call.connection.client.get_workflow_handle(f"{PREFIX}{answer.run_id}").cancel()
    return answer


async def _decide(
    call: Call, verdict: Verdict, commit: str | None = None, plans: str | None = None, reason: str = ""
) -> DecisionAnswer:
    handle, described, view = await _found(call)
    run_id = view.input.run_id
    told = Told(f"Run {run_id}", look=_LOOK.format(run_id=run_id))
    if described.status is not WorkflowExecutionStatus.RUNNING:
        raise told.has_ended(shown_status(described.status, view.status.value))
    key = call.require_signing_key("This server takes no approvals", _APPROVE_ELSEWHERE)
    approval = Approval(
        verdict=verdict,
        login=call.login,
        run_id=run_id,
        commit=commit or view.commit,
        plans=plans or view.plans,
        reason=reason,
        given_at=now(),
        nonce=secrets.token_hex(16),
    )
    answer = await tell(handle, approval, key, told)
    return DecisionAnswer(accepted=True, run_id=run_id, login=call.login, message=answer.message)


async def _found(call: Call) -> tuple[_Handle, WorkflowExecutionDescription, RunView]:
    """The run of the path, by its id or its first characters, for who may push to its repository."""
    name = call.parameters["run_id"]
    try:
        described = await find_run(call.connection, name)
    except CommandFailed:
        # Not with the ids that there are: nobody has asked yet whether this person may know them.
        raise ApiRefused(
            404,
            f"There is no run {name[:100]!r}, or several begin so.",
            "The pull request's comments name it, or the terminal that has started it.",
        ) from None
    handle: _Handle = call.connection.client.get_workflow_handle(described.id)
    view: RunView = await handle.query("show", result_type=RunView, rpc_timeout=ANSWER_WITHIN)
    await call.require_push(view.input.repository)
    return handle, described, view
