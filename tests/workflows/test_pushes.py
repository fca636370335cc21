"""Pushes and commands in quick succession: nothing stays locked, no check open, no plan of another head is used."""

import asyncio

from docustack.errors import ErrorType
from tests.workflows.conftest import Stage
from tests.workflows.fakes import Unit, World
from tests.workflows.test_apply import applied, planned

VPC, RDS = "dev/us-east-1/vpc", "dev/us-east-1/rds"
PROD = "prod/us-east-1/vpc"
FIRST, SECOND = "a" * 40, "d" * 40


def shown(world: World, name: str, head: str) -> tuple[str, str | None]:
    """What GitHub shows of a check: of all that a commit has by one name, the one that was made last."""
    ours = [check for check in world.checks if (check.name, check.head_commit) == (name, head)]
    newest = list(dict.fromkeys(check.external_id for check in ours))[-1]
    last = [check for check in ours if check.external_id == newest][-1]
    return last.status, last.conclusion


async def test_rapid_pushes_lock_nothing_leave_no_check_open_and_plan_the_last_commit(stage: Stage) -> None:
    world = stage.world
    world.units, world.hold_plans = {VPC: Unit()}, asyncio.Event()
    world.open()
    await stage.send("opened")
    await asyncio.wait_for(world.planning.wait(), 120)
    heads = [f"{number:040x}" for number in range(1, 9)]
    for head in heads:
        await stage.push(head)
    await stage.until(lambda: any(check.head_commit == heads[-1] for check in world.checks), "the last commit's check")
    world.hold_plans.set()
    state = await stage.until_ended(1)
    assert {unit: plan.commit for unit, plan in state.plans.items()} == {VPC: heads[-1]}
    begun = {check.head_commit for check in world.checks if check.name == "docustack/plan"}
    await stage.until(lambda: all(shown(world, "docustack/plan", head)[0] == "completed" for head in begun))
    assert shown(world, "docustack/plan", heads[-1]) == ("completed", "success")
    assert len(world.texts("## Terrateam Plan")) == 1
    world.open(2, author="developer", head="e" * 40)
    await stage.send("opened", number=2)
    await stage.until_ended(1, 2)
    await stage.comment("terrateam apply", number=2)
    await stage.until_ended(2, 2)
    assert world.applied == [VPC], "another pull request had nothing to wait for"


async def test_a_command_while_another_runs_fails_no_check(stage: Stage) -> None:
    world = stage.world
    world.units, world.hold_plans = {VPC: Unit(), RDS: Unit()}, asyncio.Event()
    world.open()
    await stage.send("opened")
    await asyncio.wait_for(world.planning.wait(), 120)
    await stage.comment(f"terrateam plan {VPC}")
    await stage.comment("terrateam plan")
    await stage.comment("terrateam apply")
    await stage.until(lambda: (stage.comments, "eyes") in world.reactions, "all of them taken")
    assert not [check for check in world.checks if check.conclusion in ("failure", "action_required")]
    world.hold_plans.set()
    await stage.until(lambda: sorted(world.applied) == [RDS, VPC], "the apply that was in line")
    await stage.until_idle()
    assert shown(world, "docustack/plan", FIRST) == ("completed", "success")
    assert shown(world, "docustack/apply", FIRST) == ("completed", "success")
    assert not [check for check in world.checks if check.conclusion == "failure"]


async def test_a_head_that_is_pushed_back_is_planned_anew_and_approved_anew(stage: Stage) -> None:
    """Neither the plan of the newer commit nor the yes to the older one from before counts any more."""
    world = stage.world
    world.units = {PROD: Unit()}
    world.open(author="infra-member")
    await stage.send("opened", sender="infra-member")
    await stage.until_ended(1)
    world.approve("lead")
    await stage.push(SECOND)
    await stage.until_ended(2)
    await stage.push(FIRST)
    state = await stage.until_ended(3)
    assert state.plans[PROD].commit == FIRST
    assert world.units[PROD].plans == 3
    await stage.comment("terrateam apply", sender="lead")
    await stage.until(lambda: bool(world.texts(f"before the plan of `{PROD}` could be read")), "a no to the old yes")
    assert world.applied == []
    world.approve("lead")
    await stage.send("review_submitted", sender="lead", review_state="approved")
    await stage.until(lambda: world.applied == [PROD])
    (plan,) = world.applied_plans
    assert (plan.commit, plan.run_id) == (FIRST, state.plans[PROD].run_id)


async def test_an_apply_while_a_pushed_back_head_is_planned_takes_no_plan_of_the_newer_one(stage: Stage) -> None:
    world = stage.world
    await planned(stage, {VPC: Unit()})
    await stage.push(SECOND)
    await stage.until_ended(2)
    world.hold_plans = asyncio.Event()
    world.planning.clear()
    await stage.push(FIRST)
    await asyncio.wait_for(world.planning.wait(), 120)
    await stage.comment("terrateam apply")
    await stage.until(lambda: bool(world.texts("is next")), "its place in line")
    world.hold_plans.set()
    await stage.until(lambda: world.applied == [VPC])
    assert [plan.commit for plan in world.applied_plans] == [FIRST]


async def test_a_unit_held_by_another_pull_request_is_never_shown_green(stage: Stage) -> None:
    world = stage.world
    await planned(stage, {VPC: Unit()})
    await applied(stage)
    world.open(2, author="developer", head=SECOND)
    await stage.send("opened", number=2)
    await stage.until_ended(1, 2)
    await stage.comment("terrateam apply", number=2)
    await stage.until(lambda: len(world.texts("pull request 1")) > 0, "who holds the unit")
    await stage.comment("terrateam help", number=2)
    await stage.until(lambda: (stage.comments, "eyes") in world.reactions, "what came after")
    told = [check for check in world.checks if (check.name, check.head_commit) == ("docustack/apply", SECOND)]
    assert told
    assert not {check.conclusion for check in told} & {"success", "neutral"}
    assert world.applied == [VPC]


async def test_a_check_is_red_until_what_failed_is_applied_whatever_else_succeeds(stage: Stage) -> None:
    """So a branch that asks for it is not merged over an apply that failed."""
    world = stage.world
    await planned(stage, {VPC: Unit(apply_errors=[ErrorType.FAILED]), RDS: Unit()})
    await applied(stage, f"terrateam apply {VPC}")
    assert shown(world, "docustack/apply", FIRST) == ("completed", "failure")
    await applied(stage, f"terrateam apply {RDS}")
    assert world.applied == [RDS]
    assert shown(world, "docustack/apply", FIRST)[1] not in ("success", "neutral")
    await applied(stage)
    assert world.applied == [RDS, VPC]
    assert shown(world, "docustack/apply", FIRST) == ("completed", "success")
