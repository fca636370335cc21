"""GitHub's merge queue waits for the checks of a commit of its own: green only where it is as planned or applied."""

import pytest

from docustack.plans import PlanSummary
from tests.workflows.conftest import Stage
from tests.workflows.fakes import Unit

VPC, RDS = "dev/us-east-1/vpc", "dev/us-east-1/rds"
GROUP = "9" * 40
GREEN = {"docustack/plan": "success", "docustack/apply": "success"}
STOPPED = {"docustack/plan": "action_required", "docustack/apply": "action_required"}


async def asked(stage: Stage) -> dict[str, str | None]:
    """The conclusions that the queue is given."""
    await stage.send("checks_requested", group_commit=GROUP, group_base="8" * 40)

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
    assert await asked(stage) == GREEN


async def test_pull_request_without_changes_passes(stage: Stage) -> None:
    await planned(stage, Unit(summary=PlanSummary()))
    assert await asked(stage) == GREEN


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
    assert await asked(stage) == STOPPED


def told(stage: Stage) -> str:
    """What both checks of the group say, the same."""
    (summary,) = {check.summary for check in stage.world.checks if check.head_commit == GROUP}
    return summary.replace("\\", "")


async def test_group_in_which_an_applied_unit_reads_other_files_is_not_green(stage: Stage) -> None:
    await planned(stage, Unit())
    await stage.comment("terrateam apply")
    await stage.until_ended(2)
    stage.world.commits.inputs[VPC] = "sha256:with what is before it in line"
    assert await asked(stage) == STOPPED
    assert f"`{VPC}` reads other files in this group than when planned or applied" in told(stage)


@pytest.mark.parametrize("summary", [PlanSummary(), PlanSummary(add=1)])
async def test_group_in_which_a_planned_unit_reads_other_files_is_not_green(stage: Stage, summary: PlanSummary) -> None:
    await planned(stage, Unit(summary=summary))
    stage.world.commits.inputs[VPC] = "sha256:with what is before it in line"
    assert await asked(stage) == STOPPED
    assert "`terrateam plan`" in told(stage), "what to do is said"


async def test_group_that_changes_a_unit_nobody_has_planned_here_is_not_green(stage: Stage) -> None:
    await planned(stage, Unit(summary=PlanSummary()))
    stage.world.group_adds = (RDS,)
    assert await asked(stage) == STOPPED
    assert f"`{RDS}` would change in this group and isn't planned in this pull request" in told(stage)


async def test_units_that_are_never_applied_from_here_hold_no_group_up(stage: Stage) -> None:
    await planned(stage, Unit(summary=PlanSummary()))
    stage.world.group_adds = ("staging/us-east-1/vpc", "elsewhere/vpc")
    assert await asked(stage) == GREEN


async def test_group_that_cannot_be_looked_at_is_not_green_and_not_left_waiting(stage: Stage) -> None:
    await planned(stage, Unit(summary=PlanSummary()))
    stage.world.group_is_gone = True
    assert await asked(stage) == STOPPED
    assert "The queue has dropped it" in told(stage)


async def test_same_request_twice_makes_each_check_once(stage: Stage) -> None:
    await planned(stage, Unit())
    await asked(stage)
    await asked(stage)
    ids = {check.external_id for check in stage.world.checks if check.head_commit == GROUP}
    assert len(ids) == 2
