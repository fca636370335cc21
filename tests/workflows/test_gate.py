"""Who may, whose yes counts, and what makes a run wait or end at its gate."""

import asyncio

from docustack.runs import RunStatus
from tests.workflows.conftest import Stage
from tests.workflows.fakes import Unit
from tests.workflows.test_apply import applied, planned

VPC = "dev/us-east-1/vpc"
STAGING = "staging/us-east-1/vpc"
PROD, DATABASE = "prod/us-east-1/vpc", "prod/us-east-1/rds"


async def test_an_apply_by_who_may_not_is_refused_with_the_team_that_can(stage: Stage) -> None:
    await planned(stage, {VPC: Unit()})
    await applied(stage, sender="developer")
    assert stage.world.applied == []
    assert stage.world.texts("`infra`")
    assert (1, "-1") in stage.world.reactions
    state = await stage.state()
    assert state.runs[-1].status is RunStatus.REFUSED
    assert VPC in state.plans


async def test_an_apply_waits_for_its_approval_and_goes_on_by_itself(stage: Stage) -> None:
    await waiting_for_a_lead(stage)
    assert stage.world.applied == []
    stage.world.approve("lead")
    await stage.send("review_submitted", sender="lead", review_state="approved")
    await stage.until(lambda: stage.world.applied == [PROD])
    await stage.until_idle()


async def test_the_author_can_not_approve(stage: Stage) -> None:
    stage.world.units = {PROD: Unit()}
    stage.world.open(author="lead")
    await stage.send("opened", sender="lead")
    await stage.until_ended(1)
    stage.world.approve("lead")
    await stage.comment("terrateam apply", sender="lead")
    await stage.until(lambda: bool(stage.world.texts("Waiting for approval")))
    assert stage.world.texts("author")
    assert stage.world.applied == []


async def test_a_review_of_who_may_not_counts_for_nothing_and_the_reason_is_told(stage: Stage) -> None:
    await waiting_for_a_lead(stage)
    for login in ("developer", "outsider"):
        stage.world.approve(login)
        await stage.send("review_submitted", sender=login, review_state="approved")
    await stage.until(
        lambda: bool(stage.world.texts("The review of @outsider doesn't count")), "what is wrong with both"
    )
    assert stage.world.texts("The review of @developer doesn't count, who is not a member of the `leads` team")
    assert stage.world.applied == []


async def test_a_review_that_only_an_event_tells_of_counts_for_nothing(stage: Stage) -> None:
    """The gate reads the reviews of GitHub itself: whoever forges an event has forged no review."""
    await waiting_for_a_lead(stage)
    head = stage.world.facts[1].head_commit
    await stage.send("review_submitted", sender="lead", review_state="approved", review_commit=head)
    await stage.comment("terrateam help")
    await stage.until(lambda: bool(stage.world.texts("terrateam unlock")), "what came after")
    state = await stage.state()
    assert state.active is not None
    assert state.active.waiting
    assert stage.world.applied == []


async def waiting_for_a_lead(stage: Stage) -> None:
    await stage.planned({PROD: Unit()}, author="infra-member")
    await stage.comment("terrateam apply", sender="lead")
    await stage.until(lambda: bool(stage.world.texts("Waiting for approval")))


async def test_a_push_ends_an_apply_that_waits_and_plans_the_new_commit(stage: Stage) -> None:
    await waiting_for_a_lead(stage)
    await stage.push("d" * 40)
    await stage.until(lambda: stage.world.units[PROD].plans == 2)
    state = await stage.until_idle()
    assert stage.world.applied == []
    assert state.plans[PROD].commit == "d" * 40
    ended = [check for check in stage.world.checks if check.name == "docustack/apply"]
    assert ended[-1].status == "completed"


async def test_a_staging_unit_in_a_pull_request_to_main_is_planned_and_not_applied(stage: Stage) -> None:
    await planned(stage, {VPC: Unit(), STAGING: Unit()})
    assert stage.world.units[STAGING].plans == 1
    await applied(stage)
    assert stage.world.applied == [VPC]
    assert stage.world.texts("to apply it, open a pull request to `staging`")


async def test_units_of_another_branch_do_not_keep_the_check_of_the_apply_from_being_green(stage: Stage) -> None:
    await planned(stage, {VPC: Unit(), STAGING: Unit()})
    assert stage.world.texts("planned for information")
    assert stage.world.check("docustack/apply") is None
    await applied(stage)
    check = stage.world.check("docustack/apply")
    assert check is not None
    assert (check.conclusion, check.title) == ("success", "1 of 1 unit applied (1 unit plan only)")
    assert "`staging` is applied only from pull requests to `staging`" in check.summary


async def test_where_all_belongs_to_another_branch_the_check_of_the_apply_lets_the_pull_request_pass(
    stage: Stage,
) -> None:
    await planned(stage, {STAGING: Unit()})
    check = stage.world.check("docustack/apply")
    assert check is not None
    assert (check.conclusion, check.title) == ("neutral", "Plan only: nothing is applied")
    await applied(stage)
    assert stage.world.applied == []
    check = stage.world.check("docustack/apply")
    assert check is not None
    assert check.conclusion == "neutral"


async def test_production_is_not_planned_for_an_author_who_may_not(stage: Stage) -> None:
    await planned(stage, {VPC: Unit(), PROD: Unit()})
    assert stage.world.units[PROD].plans == 0
    assert stage.world.texts("may not plan `prod`")
    check = stage.world.check("docustack/plan")
    assert check is not None
    assert check.conclusion == "action_required"
    await stage.comment("terrateam plan", sender="infra-member")
    await stage.until(lambda: stage.world.units[PROD].plans == 1)
    state = await stage.until_idle()
    assert set(state.plans) == {VPC, PROD}


async def test_a_conflict_with_the_base_branch_refuses_the_apply(stage: Stage) -> None:
    await planned(stage, {VPC: Unit()})
    stage.world.mergeable = False
    await applied(stage)
    assert stage.world.applied == []
    assert stage.world.texts("conflicts with `main`")


async def test_unlock_gives_the_units_back(stage: Stage) -> None:
    await planned(stage, {VPC: Unit()})
    await applied(stage)
    await stage.comment("terrateam unlock", sender="outsider")
    await stage.until(lambda: (2, "-1") in stage.world.reactions)
    await stage.comment("terrateam unlock", sender="developer")
    await stage.until(lambda: bool(stage.world.texts("holds no lock")))
    await stage.until(lambda: (3, "+1") in stage.world.reactions, "the sign that it was done")
    await _until_free(stage)


async def _until_free(stage: Stage) -> None:
    handle = stage.client.get_workflow_handle(f"locks:{stage.repository.full_name}")
    async with asyncio.timeout(120):
        while (await handle.query("table"))["grants"]:
            await asyncio.sleep(0.05)


# ---- an approval is of the plans that could be read ------------------------------------------------------------------


async def test_an_approval_given_while_planning_does_not_count_for_the_plan(stage: Stage) -> None:
    stage.world.units = {PROD: Unit()}
    stage.world.hold_plans = asyncio.Event()
    stage.world.open(author="infra-member")
    await stage.send("opened", sender="infra-member")
    await stage.until(stage.world.planning.is_set)
    stage.world.approve("lead")
    await stage.send("review_submitted", sender="lead", review_state="approved")
    stage.world.hold_plans.set()
    await stage.until_ended(1)
    await stage.comment("terrateam apply", sender="lead")
    await stage.until(lambda: bool(stage.world.texts(f"before the plan of `{PROD}` could be read")))
    assert stage.world.applied == []
    stage.world.approve("lead")
    await stage.send("review_submitted", sender="lead", review_state="approved")
    await stage.until(lambda: stage.world.applied == [PROD])
    await stage.until_idle()


async def _planned_again_after_an_approval(stage: Stage, unit: Unit) -> None:
    await stage.planned({PROD: unit}, author="infra-member")
    stage.world.approve("lead")
    await stage.comment("terrateam plan", sender="infra-member")
    await stage.until_ended(2)
    await stage.comment("terrateam apply", sender="lead")


async def test_an_approval_holds_for_a_plan_made_again_that_says_the_same(stage: Stage) -> None:
    await _planned_again_after_an_approval(stage, Unit())
    await stage.until(lambda: stage.world.applied == [PROD])
    await stage.until_idle()


async def test_an_approval_falls_with_a_plan_made_again_that_says_something_else(stage: Stage) -> None:
    later = frozenset({"create main", "delete database"})
    await _planned_again_after_an_approval(stage, Unit(later_changes=later))
    await stage.until(lambda: bool(stage.world.texts(f"before the plan of `{PROD}` could be read")))
    assert stage.world.applied == []


async def test_an_approval_of_one_directory_is_none_of_another_that_is_planned_later(stage: Stage) -> None:
    world = stage.world
    await planned(stage, {PROD: Unit(), DATABASE: Unit()})  # by a developer, who may not plan prod
    await stage.comment(f"terrateam plan {PROD}", sender="infra-member")
    await stage.until_ended(2)
    world.approve("lead")
    await stage.send("review_submitted", sender="lead", review_state="approved")
    await stage.comment(f"terrateam plan {DATABASE}", sender="infra-member")
    await stage.until_ended(3)
    await stage.comment(f"terrateam apply {PROD}", sender="lead")
    await stage.until(lambda: world.applied == [PROD], "what was approved")
    await stage.comment(f"terrateam apply {DATABASE}", sender="lead")
    await stage.until(lambda: bool(world.texts(f"before the plan of `{DATABASE}` could be read")), "the gate")
    assert world.applied == [PROD]
    world.approve("lead")
    await stage.send("review_submitted", sender="lead", review_state="approved")
    await stage.until(lambda: world.applied == [PROD, DATABASE], "the other, approved by itself")


async def test_a_command_that_is_refused_ends_nobodys_apply_and_one_that_is_allowed_says_that_it_did(
    stage: Stage,
) -> None:
    world = stage.world
    await planned(stage, {PROD: Unit()})
    await stage.comment("terrateam plan", sender="infra-member")
    await stage.until_ended(2)
    await stage.comment("terrateam apply", sender="lead")
    await stage.until(lambda: bool(world.texts("Waiting for approval")))
    for command, sender in (("unlock", "infra-member"), ("plan", "developer")):
        await stage.comment(f"terrateam {command}", sender=sender)
        await stage.until(lambda: (stage.comments, "-1") in world.reactions, f"the refusal of {command}")
    state = await stage.state()
    assert state.active is not None
    assert state.active.actor == "lead"
    assert world.outdated == []

    await stage.comment("terrateam plan", sender="infra-member")
    await stage.until(lambda: bool(world.texts("`terrateam plan` by @infra-member has ended the apply of @lead")))
    state = await stage.until_idle()
    assert (2, "-1") in world.reactions
    await stage.until(lambda: (stage.comments, "+1") in world.reactions, "the sign of the plan's end")
    assert world.applied == []
    assert PROD in state.plans
