"""A run whose environment's worker has credentials of another account: it is refused before anything of it begins."""

import pytest

from docustack.runs import RunStatus
from tests.workflows.conftest import Stage
from tests.workflows.fakes import Unit

VPC, PROD = "dev/us-east-1/vpc", "prod/us-east-1/vpc"
WRONG = "`prod` is AWS account 333333333333, and these credentials are of account 999999999999: nothing was started."


async def test_on_a_wrong_account_no_plan_begins(stage: Stage) -> None:
    stage.world.wrong_accounts = {"prod": WRONG}
    await stage.planned({VPC: Unit(), PROD: Unit()}, author="infra-member")
    assert [stage.world.units[unit].plans for unit in (VPC, PROD)] == [0, 0]
    assert stage.world.texts("account 999999999999")
    check = stage.world.check("docustack/plan")
    assert check is not None
    assert check.conclusion == "action_required"
    state = await stage.state()
    assert state.runs[-1].status is RunStatus.REFUSED
    stage.world.wrong_accounts = {}
    await stage.comment("terrateam plan", sender="infra-member")
    await stage.until_ended(2)
    assert [stage.world.units[unit].plans for unit in (VPC, PROD)] == [1, 1]


async def test_on_a_wrong_account_no_apply_begins_nor_waits_for_approval_nor_holds_a_lock(stage: Stage) -> None:
    await stage.planned({VPC: Unit(), PROD: Unit()}, author="infra-member")
    stage.world.wrong_accounts = {"prod": WRONG}
    await stage.comment("terrateam apply", sender="lead")
    await stage.until_ended(2)
    assert stage.world.applied == []  # not even dev, whose credentials are right
    assert stage.world.texts("account 999999999999")
    assert not stage.world.texts("Waiting for approval")
    state = await stage.state()
    assert state.runs[-1].status is RunStatus.REFUSED
    assert not state.held


@pytest.mark.parametrize("environment", ["staging", "management"])
async def test_an_environment_that_the_run_doesnt_touch_is_not_asked(stage: Stage, environment: str) -> None:
    stage.world.wrong_accounts = {environment: WRONG}
    await stage.planned({VPC: Unit()})
    await stage.comment("terrateam apply")
    await stage.until_ended(2)
    assert stage.world.applied == [VPC]
