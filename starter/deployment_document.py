"""A deployment as `--json` prints it (docs/cli.md): what people are shown, for programs."""

from typing import Any

from docustack.initial_deployment import DeploymentState, EnvironmentProgress


def deployment_document(state: DeploymentState) -> dict[str, Any]:  # as JSON has it
    """One document, the same whether it is shown, followed to its end, or has begun just now."""
    of_the_workflow = {"nonces", "dependencies", "questions"}
    order = state.order.model_dump(mode="json", exclude={"nonce"}) | {"repository": state.order.repository.full_name}
    document = state.model_dump(mode="json", exclude={*of_the_workflow, "order", "environments"})
    return {"order": order, "environments": [_environment(one) for one in state.environments], **document}


def _environment(one: EnvironmentProgress) -> dict[str, Any]:
    """With its lists as they are: of a thousand units they travel packed otherwise."""
    return {
        **one.model_dump(mode="json", exclude={"units", "reasons"}),
        "units": {unit: phase.value for unit, phase in one.units.items()},
        "reasons": dict(one.reasons),
    }
