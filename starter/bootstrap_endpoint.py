"""The server's doors for a bootstrap: the person is verified, what they say is signed, the workflow judges it."""

import secrets
from typing import Any

from temporalio.client import WorkflowExecutionStatus, WorkflowHandle
from temporalio.service import RPCError, RPCStatusCode

from docustack.bootstrap import BootstrapOrder, bootstrap_workflow_id, sign_order
from docustack.signed_approvals import Approval, Verdict
from starter.api import Call
from starter.api_messages import BootstrapCommand, CancelOrder, DecisionAnswer, WorkflowStarted
from starter.api_refusals import ApiRefused
from starter.started_workflows import start_or_join
from starter.times import now
from starter.told_workflows import Told, tell
from workflows import search_attributes


async def bootstrap(call: Call, command: BootstrapCommand) -> WorkflowStarted:
    """Start it, or tell of the one that works on the account already."""
    repository = await call.require_served(command.repository)
    key = call.require_signing_key("This server starts no bootstrap")
    order = BootstrapOrder(
        login=call.login,
        repository=repository,
        environment=command.environment,
        account_id=command.account_id,
        dry_run=command.dry_run,
        fix_account_id=command.fix_account_id,
        given_at=now(),
        nonce=secrets.token_hex(16),
    )
    return await start_or_join(
        call,
        "BootstrapWorkflow",
        sign_order(order, key),
        workflow_id=bootstrap_workflow_id(command.account_id),
        summary=f"bootstrap {order.environment} ({order.account_id}), by {order.login}",
    )


async def cancel_bootstrap(call: Call, order: CancelOrder) -> DecisionAnswer:
    """The bootstrap judges who may; what it has accepted is then asked of Temporal, as its own UI would."""
    workflow_id = bootstrap_workflow_id(call.parameters["account_id"])
    told = Told(
        f"The bootstrap {workflow_id}",
        look=f"`docustack runs watch {workflow_id}` shows how far it is.",
        rules="It takes the right to apply in its environment: `apply` in docustack.yaml.",
    )
    handle: WorkflowHandle[Any, Any] = call.connection.client.get_workflow_handle(workflow_id)
    try:
        described = await handle.describe()
    except RPCError as error:
        if error.status is not RPCStatusCode.NOT_FOUND:
            raise
        raise ApiRefused(
            404, f"There is no bootstrap {workflow_id[:100]!r}.", "Its id ends with the account."
        ) from None
    repository = described.typed_search_attributes.get(search_attributes.REPOSITORY)
    if repository is None:
        raise ApiRefused(503, f"The bootstrap {workflow_id} has not begun yet: no worker answers.", "Try again.")
    await call.require_served(repository)
    if described.status is not WorkflowExecutionStatus.RUNNING:
        raise told.has_ended(described.typed_search_attributes.get(search_attributes.STATUS) or "over")
    approval = Approval(
        verdict=Verdict.CANCEL,
        login=call.login,
        run_id=workflow_id,
        commit="",
        plans="",
        reason=order.reason,
        given_at=now(),
        nonce=secrets.token_hex(16),
    )
    answer = await tell(handle, approval, call.require_signing_key("This server cancels no bootstrap"), told)
    await handle.cancel()
    return DecisionAnswer(accepted=True, run_id=workflow_id, login=call.login, message=answer.message)
