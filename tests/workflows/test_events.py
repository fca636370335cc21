"""Events of a pull request: in order, once each, whatever runs meanwhile and however long it has lived."""

import asyncio

import pytest

from docustack.errors import ErrorType
from docustack.runs import RunStatus
from tests.workflows.conftest import Stage
from tests.workflows.fakes import Unit
from tests.workflows.test_apply import applied, planned

VPC = "dev/us-east-1/vpc"
RDS = "dev/us-east-1/rds"
NEW_HEAD = "d" * 40


async def test_a_push_while_a_plan_runs_cancels_it_and_plans_the_new_commit(stage: Stage) -> None:
    world = stage.world
    world.units, world.hold_plans = {VPC: Unit()}, asyncio.Event()
    world.open()
    await stage.send("opened")
    await asyncio.wait_for(world.planning.wait(), 120)
    await stage.push(NEW_HEAD)
    await stage.until(lambda: any(check.head_commit == NEW_HEAD for check in world.checks), "a check of the new commit")
    world.hold_plans.set()
    state = await stage.until_ended(1)
    assert state.plans[VPC].commit == NEW_HEAD
    old = [check for check in world.checks if check.head_commit == "a" * 40]
    await stage.until(lambda: [c for c in world.checks if c.head_commit == "a" * 40][-1].conclusion == "cancelled")
    assert old
    assert len(world.texts("## Terrateam Plan")) == 1
    await stage.until(lambda: len(world.slack) == 4, "both ends of both threads")
    ends = {message.text: message.thread for message in world.slack if message.thread}
    assert set(ends) == {"Plan cancelled", "Plan completed: 1 to add, 0 to change"}
    assert len(set(ends.values())) == 2


async def test_the_comments_of_an_old_plan_are_marked_outdated(stage: Stage) -> None:
    await planned(stage, {VPC: Unit()})
    assert stage.world.outdated == []
    await stage.push(NEW_HEAD)
    await stage.until_ended(2)
    assert len(stage.world.outdated) == 1
    assert len(stage.world.texts("## Terrateam Plan")) == 2


async def test_a_delivery_that_comes_twice_is_taken_once(stage: Stage) -> None:
    await planned(stage, {VPC: Unit()})
    await stage.comment("terrateam help")
    stage.deliveries -= 1
    stage.comments -= 1
    await stage.comment("terrateam help")
    await stage.comment("terrateam plan")
    await stage.until_ended(2)
    assert len([comment for comment in stage.world.comments if "terrateam unlock" in comment.body]) == 1


async def test_a_push_that_the_open_event_has_seen_already_starts_no_second_plan(stage: Stage) -> None:
    world = stage.world
    world.units, world.hold_plans = {VPC: Unit()}, asyncio.Event()
    world.open()
    await stage.send("opened")
    await asyncio.wait_for(world.planning.wait(), 120)
    await stage.send("synchronize")
    await stage.comment("terrateam help")
    await stage.until(lambda: bool(world.texts("terrateam unlock")))
    world.hold_plans.set()
    await stage.until_ended(1)
    assert world.units[VPC].plans == 1


async def test_a_push_during_an_apply_lets_it_end_and_is_planned_after(stage: Stage) -> None:
    await planned(stage, {VPC: Unit()})
    stage.world.hold_applies = asyncio.Event()
    await stage.comment("terrateam apply")
    await asyncio.wait_for(stage.world.applying.wait(), 120)
    await stage.push(NEW_HEAD)
    await stage.comment("terrateam help")
    await stage.until(lambda: bool(stage.world.texts("terrateam unlock")))
    stage.world.hold_applies.set()
    state = await stage.until_ended(3)
    assert stage.world.applied == [VPC]
    assert state.plans[VPC].commit == NEW_HEAD


async def test_a_command_during_an_apply_waits_its_turn_and_says_so(stage: Stage) -> None:
    await planned(stage, {VPC: Unit(), RDS: Unit()})
    stage.world.hold_applies = asyncio.Event()
    await stage.comment(f"terrateam apply {VPC}")
    await asyncio.wait_for(stage.world.applying.wait(), 120)
    await stage.comment(f"terrateam apply {RDS}")
    await stage.until(lambda: bool(stage.world.texts("is next")))
    stage.world.hold_applies.set()
    await stage.until_ended(3)
    assert stage.world.applied == [VPC, RDS]


async def test_plan_supersedes_a_plan_that_runs(stage: Stage) -> None:
    world = stage.world
    world.units, world.hold_plans = {VPC: Unit()}, asyncio.Event()
    world.open()
    await stage.send("opened")
    await asyncio.wait_for(world.planning.wait(), 120)
    await stage.comment("terrateam plan")
    await stage.until(lambda: (1, "eyes") in world.reactions)
    world.hold_plans.set()
    state = await stage.until_ended(1)
    assert VPC in state.plans
    assert len(state.runs) == 1


async def test_a_check_names_the_units_of_earlier_runs_of_which_it_speaks(stage: Stage) -> None:
    await planned(stage, {VPC: Unit(), RDS: Unit()})
    for number, (command, check, title) in enumerate(
        [
            (f"plan {RDS}", "plan", "1 unit: 1 planned (1 planned before)"),
            (f"apply {VPC}", "apply", "1 of 2 units applied"),
            (f"apply {RDS}", "apply", "1 of 1 unit applied (1 applied before)"),
        ],
        start=2,
    ):
        await stage.comment(f"terrateam {command}")
        await stage.until_ended(number)
        shown = stage.world.check(f"docustack/{check}")
        assert shown is not None
        assert shown.title == title
        assert ("before: `" in shown.summary) == ("before" in title)


async def test_a_refused_unlock_leaves_no_check_behind(stage: Stage) -> None:
    await planned(stage, {VPC: Unit()})
    await stage.comment("terrateam unlock dev/nope")
    stage.world.configuration, stage.world.problems = None, ("docustack.yaml:1:1: wrong",)
    await stage.comment("terrateam unlock")
    await stage.until_ended(3)
    assert {check.name for check in stage.world.checks} == {"docustack/plan"}


@pytest.mark.parametrize("newer", ["a plan", "a push"])
async def test_the_command_of_a_plan_that_is_superseded_gets_a_sign(stage: Stage, newer: str) -> None:
    world = stage.world
    await planned(stage, {VPC: Unit()})
    world.planning.clear()
    world.hold_plans = asyncio.Event()
    await stage.comment("terrateam plan")
    await asyncio.wait_for(world.planning.wait(), 120)
    await (stage.push(NEW_HEAD) if newer == "a push" else stage.comment("terrateam plan"))
    await stage.until(lambda: (1, "-1") in world.reactions, "the sign that it was ended by another")
    world.hold_plans.set()
    await stage.until_ended(2)
    assert (1, "+1") not in world.reactions
    assert ((2, "+1") in world.reactions) == (newer == "a plan")


async def test_a_draft_is_planned_only_when_it_is_ready(stage: Stage) -> None:
    stage.world.units = {VPC: Unit()}
    stage.world.open(draft=True)
    await stage.send("opened")
    await stage.until_ended(1)
    assert stage.world.units[VPC].plans == 0
    assert stage.world.comments == []
    stage.world.change(draft=False)
    await stage.send("ready_for_review")
    await stage.until_ended(2)
    assert stage.world.units[VPC].plans == 1


async def test_a_fork_is_never_planned_automatically(stage: Stage) -> None:
    stage.world.units = {VPC: Unit()}
    stage.world.open(from_fork=True, author="outsider")
    await stage.send("opened", sender="outsider")
    await stage.until(lambda: bool(stage.world.texts("fork")))
    await stage.comment("terrateam plan", sender="outsider")
    await stage.until(lambda: bool(stage.world.texts("takes push access")), "the refusal")
    assert stage.world.units[VPC].plans == 0
    assert (await stage.state()).runs == []
    await stage.comment("terrateam plan", sender="infra-member")
    await stage.until_ended(1)
    assert stage.world.units[VPC].plans == 1


async def test_a_typo_gets_the_nearest_command_and_starts_nothing(stage: Stage) -> None:
    await planned(stage, {VPC: Unit()})
    await stage.comment("terrateam aply")
    await stage.until(lambda: bool(stage.world.texts("terrateam apply")))
    assert stage.world.applied == []


@pytest.mark.parametrize("command", ["terrateam plan dev/us-east-1/vcp", "terrateam apply nowhere"])
async def test_a_directory_that_was_not_changed_gets_those_that_were(stage: Stage, command: str) -> None:
    await planned(stage, {VPC: Unit(), RDS: Unit()})
    await applied(stage, command)
    assert stage.world.texts(f"`{RDS}`")
    assert stage.world.applied == []


async def test_our_own_comments_are_no_commands(stage: Stage) -> None:
    await planned(stage, {VPC: Unit()})
    await stage.send(
        "comment_created", sender="docustack[bot]", sender_is_bot=True, comment_id=9, comment_body="terrateam apply"
    )
    await stage.comment("terrateam help")
    await stage.until(lambda: bool(stage.world.texts("terrateam unlock")))
    assert (9, "eyes") not in stage.world.reactions


async def test_a_closed_pull_request_ends_and_holds_nothing(stage: Stage) -> None:
    await planned(stage, {VPC: Unit()})
    await applied(stage)
    await stage.close()
    await asyncio.wait_for(stage.handle().result(), 120)
    table = await stage.client.get_workflow_handle(f"locks:{stage.repository.full_name}").query("table")
    assert table["grants"] == {}


async def test_a_pull_request_closed_during_an_apply_keeps_its_locks_until_the_apply_has_ended(stage: Stage) -> None:
    await planned(stage, {VPC: Unit()})
    stage.world.hold_applies = asyncio.Event()
    await stage.comment("terrateam apply")
    await asyncio.wait_for(stage.world.applying.wait(), 120)
    await stage.close(merged=False)
    locks = stage.client.get_workflow_handle(f"locks:{stage.repository.full_name}")
    assert VPC in (await locks.query("table"))["grants"]
    stage.world.hold_applies.set()
    await asyncio.wait_for(stage.handle().result(), 120)
    assert stage.world.applied == [VPC]
    assert (await locks.query("table"))["grants"] == {}


async def test_a_broken_configuration_is_told_and_nothing_starts(stage: Stage) -> None:
    stage.world.configuration, stage.world.problems = (
        None,
        ("docustack.yaml:3: unknown key `teems`, did you mean `teams`?",),
    )
    await planned(stage, {VPC: Unit()})
    assert stage.world.units[VPC].plans == 0
    assert stage.world.texts("docustack.yaml:3")
    check = stage.world.check("docustack/plan")
    assert check is not None
    assert check.status == "completed"
    assert check.conclusion != "success"


async def test_every_event_counts_across_continue_as_new(stage: Stage) -> None:
    await planned(stage, {VPC: Unit()})
    first = await stage.handle().describe()
    for _ in range(40):
        await stage.comment("terrateam help")
    await stage.until(lambda: len(stage.world.texts("terrateam unlock")) == 40, "forty replies", seconds=60)
    async with asyncio.timeout(120):
        while (await stage.handle().describe()).run_id == first.run_id:
            await asyncio.sleep(0.05)
    state = await stage.state()
    assert VPC in state.plans
    assert len([reaction for reaction in stage.world.reactions if reaction[1] == "eyes"]) == 40


async def test_a_cancelled_apply_says_what_was_done_and_what_was_not(stage: Stage) -> None:
    await planned(stage, {VPC: Unit(), RDS: Unit(dependencies=(VPC,))})
    stage.world.hold_applies = asyncio.Event()
    await stage.comment("terrateam apply")
    await asyncio.wait_for(stage.world.applying.wait(), 120)
    state = await stage.state()
    assert state.active is not None
    await stage.client.get_workflow_handle(f"run:{state.active.run_id}").cancel()
    state = await stage.until_ended(2)
    assert state.runs[-1].status is RunStatus.CANCELLED
    assert stage.world.applied == []
    assert len(stage.world.texts("## Terrateam Apply")) == 2
    check = stage.world.check("docustack/apply")
    assert check is not None
    assert check.conclusion == "cancelled"


async def test_more_than_ten_units_become_one_table(stage: Stage) -> None:
    await planned(stage, {f"dev/us-east-1/unit-{index:02}": Unit() for index in range(12)})
    assert len(stage.world.comments) == 1
    assert "| Unit |" in stage.world.comments[0].body
    await applied(stage)
    assert len(stage.world.applied) == 12
    assert len(stage.world.comments) == 2


async def test_a_lost_worker_while_planning_is_made_good_by_a_retry(stage: Stage) -> None:
    unit = Unit(plan_error=ErrorType.UNAVAILABLE)
    stage.world.units = {VPC: unit}
    stage.world.open()
    await stage.send("opened")
    await asyncio.wait_for(stage.world.planning.wait(), 120)
    unit.plan_error = None
    state = await stage.until_ended(1)
    assert VPC in state.plans


async def test_a_pull_request_that_changes_nothing_needs_no_apply(stage: Stage) -> None:
    await planned(stage, {})
    for name in ("docustack/plan", "docustack/apply"):
        check = stage.world.check(name)
        assert check is not None
        assert check.conclusion == "success"


async def test_without_push_access_a_command_evaluates_nothing_of_the_pull_request(stage: Stage) -> None:
    await planned(stage, {VPC: Unit()})
    checks = len(stage.world.checks)
    for command in ("plan", "apply", "unlock"):
        await stage.comment(f"terrateam {command}", sender="outsider")
    await stage.until(lambda: len(stage.world.texts("push access")) == 3, "the refusals")
    state = await stage.until_idle()
    assert len(state.runs) == 1
    assert set(state.plans) == {VPC}
    assert len(stage.world.checks) == checks
    assert stage.world.outdated == []


async def test_an_apply_that_github_delivers_again_after_a_reopening_and_a_push_applies_nothing(stage: Stage) -> None:
    world = stage.world
    await planned(stage, {VPC: Unit()})
    await applied(stage)
    await stage.close(merged=False)
    await asyncio.wait_for(stage.handle().result(), 120)
    world.change(state="open", head_commit=NEW_HEAD, updated_at="2026-01-02T00:00:00Z")
    await stage.send("reopened")
    await stage.until_ended(1)
    assert [order.before for order in world.forgotten] == ["2026-01-02T00:00:00Z"]
    await stage.send("comment_created", sender="infra-member", comment_id=1, comment_body="terrateam apply")
    stage.comments = 1
    await stage.comment("terrateam help")
    await stage.until(lambda: bool(world.texts("terrateam unlock")), "what came after")
    state = await stage.until_idle()
    assert len(state.runs) == 1
    assert world.applied == [VPC]
