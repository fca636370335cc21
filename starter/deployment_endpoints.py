"""The server's doors for a deployment: the person is verified, what they say is signed, the workflow judges it."""

import secrets
from typing import Any

from temporalio.client import (
    WorkflowExecutionStatus,
    WorkflowHandle,
    WorkflowUpdateFailedError,
    WorkflowUpdateRPCTimeoutOrCancelledError,
)
from temporalio.exceptions import ApplicationError
from temporalio.service import RPCError, RPCStatusCode

from docustack.deployment_decisions import (
    Decision,
    DecisionKind,
    DecisionRefusal,
    DeploymentAnswer,
    sign_decision,
)
from docustack.deployment_texts import title
from docustack.initial_deployment import (
    DeploymentOrder,
    DeploymentState,
    deployment_workflow_id,
    sign_deployment,
)
from starter.api import Call
from starter.api_messages import DecisionAnswer, DeploymentCommand, DeploymentDecision, WorkflowStarted
from starter.api_refusals import ApiRefused
from starter.client import ANSWER_WITHIN
from starter.started_workflows import start_or_join
from starter.times import now
from starter.told_workflows import JUDGED_WITHIN

_NO_KEY = "This server takes no order of a deployment"
_AWAY = (DecisionRefusal.UNAVAILABLE, DecisionRefusal.FORGED)

_Handle = WorkflowHandle[Any, Any]


async def deploy(call: Call, command: DeploymentCommand) -> WorkflowStarted:
    """Start it, or tell of the one that works on the repository already."""
    repository = await call.require_served(command.repository)
    key = call.require_signing_key(_NO_KEY)
    order = DeploymentOrder(
        login=call.login,
        repository=repository,
        only=command.only,
        first=command.first,
        last=command.last,
        bootstrap=command.bootstrap,
        given_at=now(),
        nonce=secrets.token_hex(16),
    )
    return await start_or_join(
        call,
        "InitialDeploymentWorkflow",
        sign_deployment(order, key),
        workflow_id=deployment_workflow_id(repository),
        summary=title(order),
    )


async def decide(call: Call, given: DeploymentDecision) -> DecisionAnswer:
    """Answer the question that the person was shown."""
    repository = await call.require_served(given.repository)
    workflow_id = deployment_workflow_id(repository)
    handle: _Handle = call.connection.client.get_workflow_handle(workflow_id)
    await _refuse_what_is_over(handle)
    key = call.require_signing_key(_NO_KEY)
    decision = Decision(
        kind=given.kind,
        login=call.login,
        deployment=workflow_id,
        question=given.question,
        unit=given.unit,
        environment=given.environment,
        latest=given.latest,
        given_at=now(),
        nonce=secrets.token_hex(16),
    )
    try:
        answer: DeploymentAnswer = await handle.execute_update(
            "decide",
            sign_decision(decision, key),
            id=decision.nonce,
            result_type=DeploymentAnswer,
            rpc_timeout=JUDGED_WITHIN,
        )
    except WorkflowUpdateFailedError as error:
        raise _refused(*_said(error)) from None
    except WorkflowUpdateRPCTimeoutOrCancelledError:
        told = "No worker answers, so it isn't known whether this counts."
        raise _refused(DecisionRefusal.UNAVAILABLE, told) from None
    if not answer.accepted:
        raise _refused(answer.refusal, answer.message)
    if given.kind is DecisionKind.CANCEL:
        await handle.cancel()
    return DecisionAnswer(accepted=True, run_id=workflow_id, login=call.login, message=answer.message)


async def _refuse_what_is_over(handle: _Handle) -> None:
    try:
        described = await handle.describe()
        if described.status is WorkflowExecutionStatus.RUNNING:
            return
        state: DeploymentState | None = await handle.query(
            "show", result_type=DeploymentState, rpc_timeout=ANSWER_WITHIN
        )
    except RPCError as error:
        if error.status is RPCStatusCode.NOT_FOUND:
            raise ApiRefused(404, "There is no deployment of this repository.", "`docustack deploy initial`") from None
        raise
    end = state.outcome.end.value if state is not None and state.outcome is not None else "over"
    raise ApiRefused(409, f"The deployment has ended ({end}).", "Order another one.", DecisionRefusal.NOT_WAITING)


def _said(error: WorkflowUpdateFailedError) -> tuple[str, str]:
    cause = error.cause
    if isinstance(cause, ApplicationError):
        return cause.type or "", cause.message
    return DecisionRefusal.UNAVAILABLE, f"The worker can't judge this: {cause}"


def _refused(refusal: str, message: str) -> ApiRefused:
    status = 403 if refusal == DecisionRefusal.NOT_ALLOWED else 503 if refusal in _AWAY else 409
    return ApiRefused(status, message, "`docustack deploy show` tells what is asked now.", refusal)
