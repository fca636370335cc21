"""GitHub's merge queue waits for the checks of a commit of its own: it gets them, and they are those of the head."""

import pytest

from docustack.plans import PlanSummary
from tests.workflows.conftest import Stage
from tests.workflows.fakes import Unit

VPC = "dev/us-east-1/vpc"
GROUP = "9" * 40


async def asked(stage: Stage) -> dict[str, str | None]:
    """The conclusions that the queue is given."""
    await stage.send("checks_requested", group_commit=GROUP)

    def given() -> dict[str, str | None]:
        return {check.name: check.conclusion for check in stage.world.checks if check.head_commit == GROUP}

    await stage.until(lambda: len(given()) == 2, "both checks of the group")
    return given()


async def planned(stage: Stage, unit: Unit) -> None:
    stage.world.units = {VPC: unit}
    stage.world.open(author="infra-member")
    await stage.send("opened")
    await stage.until_ended(1)


async def test_applied_pull_request_passes(stage: Stage) -> None:
    await planned(stage, Unit())
    await stage.comment("terrateam apply")
    await stage.until_ended(2)
    assert await asked(stage) == {"docustack/plan": "success", "docustack/apply": "success"}


async def test_pull_request_without_changes_passes(stage: Stage) -> None:
    await planned(stage, Unit(summary=PlanSummary()))
    assert await asked(stage) == {"docustack/plan": "success", "docustack/apply": "success"}


async def test_planned_and_not_applied_says_so(stage: Stage) -> None:
    await planned(stage, Unit())
    assert await asked(stage) == {"docustack/plan": "success", "docustack/apply": "action_required"}


@pytest.mark.parametrize("moved", [False, True])
async def test_head_that_nobody_has_planned_does_not_leave_the_queue_waiting(stage: Stage, *, moved: bool) -> None:
    stage.world.units = {VPC: Unit()}
    stage.world.open(author="infra-member")
    if moved:
        await stage.send("opened")
        await stage.until_ended(1)
        stage.world.change(head_commit="d" * 40)
    assert await asked(stage) == {"docustack/plan": "action_required", "docustack/apply": "action_required"}


async def test_same_request_twice_makes_each_check_once(stage: Stage) -> None:
    await planned(stage, Unit())
    await asked(stage)
    await asked(stage)
    ids = {check.external_id for check in stage.world.checks if check.head_commit == GROUP}
    assert len(ids) == 2
