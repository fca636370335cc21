"""All endpoints under `/api`, a line each (docs/api.md)."""

from starlette.routing import BaseRoute, Route

from docustack.model import Nothing
from starter.api import Call, api_route, no_such_endpoint
from starter.api_messages import (
    ApproveOrder,
    BootstrapCommand,
    CancelOrder,
    DeploymentCommand,
    DeploymentDecision,
    PersonAnswer,
    RejectOrder,
    RunCommand,
    WorkingCopy,
)
from starter.approval_endpoints import approve, cancel, reject, show_run
from starter.bootstrap_endpoint import bootstrap, cancel_bootstrap
from starter.deployment_endpoints import decide, deploy
from starter.order_endpoint import start_run
from starter.working_copy_endpoint import WORKING_COPY_LIMIT, keep_working_copy


async def show_person(call: Call, _: Nothing) -> PersonAnswer:
    """Who the server takes the sender for: tells whether a token is good."""
    return PersonAnswer(login=call.login)


def api_routes() -> list[BaseRoute]:
    """In the order in which they are tried; everything else under `/api` is answered in JSON too."""
    return [
        api_route("GET", "/api/person", Nothing, show_person),
        api_route("POST", "/api/runs", RunCommand, start_run),
        api_route("POST", "/api/working-copies", WorkingCopy, keep_working_copy, limit=WORKING_COPY_LIMIT),
        api_route("GET", "/api/runs/{run_id}", Nothing, show_run),
        api_route("POST", "/api/runs/{run_id}/approve", ApproveOrder, approve),
        api_route("POST", "/api/runs/{run_id}/reject", RejectOrder, reject),
        api_route("POST", "/api/runs/{run_id}/cancel", CancelOrder, cancel),
        api_route("POST", "/api/bootstrap", BootstrapCommand, bootstrap),
        api_route("POST", "/api/bootstrap/{account_id}/cancel", CancelOrder, cancel_bootstrap),
        api_route("POST", "/api/deployments", DeploymentCommand, deploy),
        api_route("POST", "/api/deployments/decision", DeploymentDecision, decide),
        Route("/api/{rest:path}", no_such_endpoint, methods=["GET", "POST", "PUT", "PATCH", "DELETE"]),
    ]
