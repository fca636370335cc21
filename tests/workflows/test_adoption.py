"""Where DocuStack only plans: plans, comments and checks as ever, and every apply is refused with its reason."""

import pytest

from docustack.configuration import Configuration, PathSettings
from docustack.runs import RunStatus
from tests.workflows.conftest import Stage
from tests.workflows.fakes import CONFIGURATION, Unit
from tests.workflows.test_apply import applied, planned

VPC = "dev/us-east-1/vpc"
RDS = "dev/us-east-1/rds"


def adopting(*, everything: bool = False, path: str = "") -> Configuration:
    changes: dict[str, object] = {"mode": "plan-only"} if everything else {}
    if path:
        changes["paths"] = {path: PathSettings(mode="plan-only")}
    return CONFIGURATION.model_copy(update=changes)


def conclusion(stage: Stage, name: str) -> tuple[str | None, str]:
    check = stage.world.check(f"docustack/{name}")
    assert check is not None
    return check.conclusion, check.title


async def test_a_plan_only_repository_is_planned_and_every_apply_refused_with_the_key_that_says_so(
    stage: Stage,
) -> None:
    stage.world.configuration = adopting(everything=True)
    stage.world.lines = {"mode": 4}
    await planned(stage, {VPC: Unit()})
    assert stage.world.texts("Plan of dev/us-east-1/vpc")
    assert stage.world.texts("rule `mode`, line 4 of `docustack.yaml`")
    assert conclusion(stage, "plan") == ("success", "1 unit: 1 planned (plan only)")
    assert conclusion(stage, "apply") == ("neutral", "Plan only: nothing is applied")
    await applied(stage)
    assert stage.world.applied == []
    (refusal,) = stage.world.texts("so nothing of it is applied")
    assert "line 4 of `docustack.yaml` on `main`" in refusal
    assert "`mode: full`" in refusal
    assert conclusion(stage, "apply") == ("neutral", "Plan only: nothing is applied")
    state = await stage.state()
    assert state.runs[-1].status is RunStatus.REFUSED
    assert VPC in state.plans


@pytest.mark.parametrize("path", [RDS, "dev/*/rds"])
async def test_what_is_not_plan_only_is_applied_and_the_check_names_the_rest(stage: Stage, path: str) -> None:
    stage.world.configuration = adopting(path=path)
    await planned(stage, {VPC: Unit(), RDS: Unit()})
    assert stage.world.check("docustack/apply") is None
    await applied(stage)
    assert stage.world.applied == [VPC]
    assert stage.world.texts("`dev/us-east-1/rds` is plan-only")
    assert conclusion(stage, "apply") == ("success", "1 of 1 unit applied (1 unit plan only)")


async def test_a_plan_only_unit_named_by_a_command_is_refused(stage: Stage) -> None:
    stage.world.configuration = adopting(path=RDS)
    await planned(stage, {VPC: Unit(), RDS: Unit()})
    await applied(stage, f"terrateam apply {RDS}")
    assert stage.world.applied == []
    assert conclusion(stage, "apply") == ("neutral", "Plan only: nothing is applied")
