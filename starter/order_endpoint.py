"""The server's door for runs without a pull request: the person is verified, then a run of theirs is started, once."""

import contextlib
import hashlib

from temporalio.common import SearchAttributePair, TypedSearchAttributes, WorkflowIDReusePolicy
from temporalio.exceptions import WorkflowAlreadyStartedError

from docustack.orders import order_problem, sign_run
from docustack.runs import RunInput
from starter.api import Call
from starter.api_messages import RunCommand, RunStarted
from starter.api_refusals import ApiRefused
from starter.run_lines import PREFIX
from starter.times import now
from workflows import search_attributes
from workflows.policies import CONTROL_QUEUE
from workflows.run_models import RunStart

_SUMMARY = 180
"""Characters: Temporal takes 200 bytes."""


async def start_run(call: Call, command: RunCommand) -> RunStarted:
    """Start it, or tell of the one that this very request has started before.

    Whether the person may, the run judges by the rules of the live repository.
    """
    repository = await call.require_served(command.repository)
    key = call.require_signing_key("This server starts no run")
    if problem := order_problem(command.operation, command.paths, command.order):
        raise ApiRefused(422, problem, "docs/cli.md has the commands.")
    run_id = _run_id(call.login, command)
    start = RunInput(
        run_id=run_id,
        repository=repository,
        operation=command.operation,
        actor=call.login,
        manual=command.order,
        directories=command.paths,
    )
    with contextlib.suppress(WorkflowAlreadyStartedError):  # the answer to the first sending was lost
        await call.connection.client.start_workflow(
            "RunWorkflow",
            RunStart(input=sign_run(start, now(), key)),
            id=f"{PREFIX}{run_id}",
            task_queue=CONTROL_QUEUE,
            id_reuse_policy=WorkflowIDReusePolicy.REJECT_DUPLICATE,
            search_attributes=TypedSearchAttributes(
                [
                    SearchAttributePair(search_attributes.REPOSITORY, repository.full_name),
                    SearchAttributePair(search_attributes.ACTOR, call.login),
                ]
            ),
            static_summary=_summary(command, call.login),
        )
    return RunStarted(run_id=run_id, login=call.login)


def _run_id(login: str, command: RunCommand) -> str:
    """The same for the same order sent again, and for nothing else: nobody meets somebody else's run by it."""
    whole = f"{login}\n{command.model_dump_json()}"
    return hashlib.sha256(whole.encode()).hexdigest()[:10]


def _summary(command: RunCommand, login: str) -> str:
    whole = f"{command.operation.value} of {', '.join(command.paths)} by {login}"
    return whole if len(whole.encode()) <= _SUMMARY else whole.encode()[:_SUMMARY].decode(errors="ignore") + "…"
