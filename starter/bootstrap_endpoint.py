"""The server's door for a bootstrap: the person is verified, the order is signed, the workflow judges it."""

import secrets

from temporalio.exceptions import WorkflowAlreadyStartedError

from docustack.bootstrap import BootstrapOrder, bootstrap_workflow_id, sign_order
from starter.api import Call
from starter.api_messages import BootstrapCommand, BootstrapStarted
from starter.api_refusals import ApiRefused
from starter.times import now
from workflows.policies import CONTROL_QUEUE


async def bootstrap(call: Call, command: BootstrapCommand) -> BootstrapStarted:
    """Start it, or tell of the one that works on the account already."""
    settings = call.connection.settings
    repository = await call.require_served(command.repository)
    if not settings.approval_keys:
        raise ApiRefused(
            503,
            "This server starts no bootstrap: it has no DOCUSTACK_APPROVAL_KEYS.",
            "Whoever runs DocuStack sets the key on the server and the control workers.",
        )
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
    workflow_id = bootstrap_workflow_id(command.account_id)
    try:
        handle = await call.connection.client.start_workflow(
            "BootstrapWorkflow",
            sign_order(order, settings.approval_keys[0].get_secret_value()),
            id=workflow_id,
            task_queue=CONTROL_QUEUE,
            static_summary=f"bootstrap {order.environment} ({order.account_id}), by {order.login}",
        )
    except WorkflowAlreadyStartedError as error:
        return BootstrapStarted(workflow_id=workflow_id, run_id=error.run_id or "", login=call.login, attached=True)
    return BootstrapStarted(workflow_id=workflow_id, run_id=handle.first_execution_run_id or "", login=call.login)
