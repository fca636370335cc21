"""The server's door for a bootstrap: the person is verified, the order is signed, the workflow judges it."""

import secrets

from docustack.bootstrap import BootstrapOrder, bootstrap_workflow_id, sign_order
from starter.api import Call
from starter.api_messages import BootstrapCommand, WorkflowStarted
from starter.started_workflows import start_or_join
from starter.times import now


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
