"""From an event to a comment, with everything outside in memory."""

from docustack.plans import OutputsKind
from tests.workflows.conftest import Stage
from tests.workflows.fakes import Unit

VPC = "dev/us-east-1/vpc"
CLUSTER = "dev/us-east-1/ecs-cluster"
SERVICE = "dev/us-east-1/new-service"


def chain() -> dict[str, Unit]:
    return {VPC: Unit(), CLUSTER: Unit(dependencies=(VPC,)), SERVICE: Unit(dependencies=(VPC, CLUSTER))}


async def test_an_opened_pull_request_is_planned_and_then_applied_in_order(stage: Stage) -> None:
    world = stage.world
    world.units = chain()
    world.open()
    await stage.send("opened")
    await stage.until(lambda: len(world.texts("## Terrateam Plan")) == 3)
    state = await stage.until_idle()
    assert set(state.plans) == {VPC, CLUSTER, SERVICE}
    assert [plan.is_preview for plan in state.plans.values()].count(True) == 2
    check = world.check("docustack/plan")
    assert check is not None
    assert check.conclusion == "success"

    await stage.comment("terrateam apply")
    await stage.until(lambda: len(world.texts("## Terrateam Apply")) == 3)
    state = await stage.until_idle()
    assert world.applied == [VPC, CLUSTER, SERVICE]
    for plan in world.applied_plans:
        assert all(dependency.kind is OutputsKind.REAL for dependency in plan.dependencies)
    assert set(state.applied) == {VPC, CLUSTER, SERVICE}
    check = world.check("docustack/apply")
    assert check is not None
    assert check.conclusion == "success"
    assert [message.text.partition("\n")[0] for message in world.slack if message.thread is not None]
