"""Pull requests that wait in line for a unit that another holds: what they are told, and what happens at their turn."""

import asyncio

import pytest

from docustack.lock_messages import ReleaseLocks, locks_workflow_id
from docustack.locks import LockTable
from docustack.pull_request_state import PullRequestState
from docustack.runs import Operation, RunStatus
from tests.workflows.conftest import Stage
from tests.workflows.fakes import Unit, read

VPC, RDS = "dev/us-east-1/vpc", "dev/us-east-1/rds"
PROD = "prod/us-east-1/vpc"
HEADS = {1: "a" * 40, 2: "2" * 40, 3: "3" * 40}
NEW_MAIN = "1" * 40


async def planned(stage: Stage, number: int, *, author: str = "developer") -> None:
    stage.world.open(number, author=author, head=HEADS[number])
    await stage.send("opened", number=number)
    await stage.until_ended(1, number)


async def holding(stage: Stage, *units: str, by: str = "infra-member", author: str = "developer") -> None:
    """Pull request 1 has applied them, and so holds them."""
    stage.world.units = {unit: Unit() for unit in units}
    await planned(stage, 1, author=author)
    await stage.comment("terrateam apply", sender=by)
    await stage.until_ended(2)
    assert set(stage.world.applied) == set(units)
    stage.world.applied.clear()


async def waits(stage: Stage, number: int, place: int, *, sender: str = "infra-member") -> None:
    await stage.comment("terrateam apply", number=number, sender=sender)
    await stands(stage, number, place)


async def stands(stage: Stage, number: int, place: int) -> None:
    await stage.until(lambda: f"number {place}**" in line_of(stage, number), f"place {place} of #{number}")


def line_of(stage: Stage, number: int) -> str:
    """What the one comment about the line says now."""
    keys = [comment.key for comment in stage.world.comments if comment.pull_request == number]
    keys = [key for key in keys if key.endswith(":line")]
    assert len(set(keys)) == len(keys) <= 1, "it stands once, and is rewritten"
    return read(stage.world.bodies_now[keys[0]]) if keys else ""


def check_of(stage: Stage, number: int) -> tuple[str, str]:
    own = [check for check in stage.world.checks if check.head_commit == HEADS[number]]
    applies = [(check.status, check.title) for check in own if check.name == "docustack/apply"]
    return applies[-1] if applies else ("", "none yet")


async def table(stage: Stage) -> LockTable:
    handle = stage.client.get_workflow_handle(locks_workflow_id(stage.repository))
    found: LockTable = await handle.query("table", result_type=LockTable)
    return found


async def until_queue(stage: Stage, *numbers: int) -> None:
    async with asyncio.timeout(120):
        while [request.pull_request for request in (await table(stage)).queue] != [*numbers]:
            await asyncio.sleep(0.05)


def last_apply(state: PullRequestState) -> RunStatus:
    return next(run.status for run in reversed(state.runs) if run.operation is Operation.APPLY)


# ---- in line ---------------------------------------------------------------------------------------------------------


async def test_comment_and_check_tell_holder_since_when_and_place_and_are_kept_up_to_date(stage: Stage) -> None:
    await holding(stage, VPC)
    for number in (2, 3):
        await planned(stage, number)
        await waits(stage, number, number - 1)
    for number in (2, 3):
        assert f"`{VPC}`: held by pull request 1 (`infra-member`) since " in line_of(stage, number)
    assert "before it in line: 1 other (pull request 2)" in line_of(stage, 3)
    title = "Waiting in line for its units: number 2"
    await stage.until(lambda: check_of(stage, 3) == ("in_progress", title), "the check of pull request 3")
    assert stage.world.applied == []
    await stage.close(1)
    await stage.until(lambda: "held by pull request 2" in line_of(stage, 3), "the new holder")
    assert "number 1**" in line_of(stage, 3)
    await stage.until(lambda: stage.world.applied == [VPC], "the apply of pull request 2")
    await stage.until(lambda: "Its turn has come" in line_of(stage, 2), "the end of its wait")
    await stage.close(2)
    assert last_apply(await stage.until_ended(2, 3)) is RunStatus.SUCCEEDED
    assert stage.world.applied == [VPC, VPC]
    assert check_of(stage, 3)[0] == "completed"


async def test_units_are_taken_all_at_once_or_none(stage: Stage) -> None:
    await holding(stage, VPC)
    stage.world.units = {VPC: Unit(), RDS: Unit()}
    await planned(stage, 2)
    await waits(stage, 2, 1)
    assert set((await table(stage)).grants) == {VPC}
    await planned(stage, 3)
    await stage.comment(f"terrateam apply {RDS}", number=3)
    await stands(stage, 3, 2)
    assert stage.world.applied == [], "who came first wants it too"
    await stage.close(1)
    await stage.until(lambda: sorted(stage.world.applied) == [RDS, VPC], "both units")


@pytest.mark.parametrize("holders_are_unknown", [False, True])
async def test_who_is_asked_to_approve_reads_who_holds_the_unit_by_then(
    stage: Stage, holders_are_unknown: bool
) -> None:
    stage.world.units = {PROD: Unit()}
    await planned(stage, 1, author="infra-member")
    stage.world.approve("lead")
    await stage.comment("terrateam apply", sender="lead")
    await stage.until(lambda: stage.world.applied == [PROD], "the first apply")
    stage.world.holders_are_unknown = holders_are_unknown
    await planned(stage, 2, author="infra-member")
    await stage.comment("terrateam apply", number=2, sender="lead")
    await stage.until(lambda: bool(waiting_of(stage, 2)), "the gate of pull request 2")
    told = f"- `{PROD}`: held by pull request 1 (`lead`) since "
    (asked,) = waiting_of(stage, 2)
    assert (told in read(asked)) is not holders_are_unknown
    if not holders_are_unknown:
        await stage.until(lambda: told in stage.world.checks[-1].summary, "the check of pull request 2")
    stage.world.approve("lead", number=2)
    await stage.send("review_submitted", number=2, sender="lead")
    await stands(stage, 2, 1)


def waiting_of(stage: Stage, number: int) -> list[str]:
    """What a pull request is asked to approve."""
    own = [comment.body for comment in stage.world.comments if comment.pull_request == number]
    return [body for body in own if "Waiting for approval" in body]


# ---- its turn --------------------------------------------------------------------------------------------------------


async def test_at_its_turn_each_unit_is_planned_again_on_the_new_base_and_applied_if_that_does_no_more(
    stage: Stage,
) -> None:
    await holding(stage, VPC)
    await planned(stage, 2)
    await waits(stage, 2, 1)
    plans = stage.world.units[VPC].plans
    stage.world.commits.move_base(NEW_MAIN)
    stage.world.applied_plans.clear()
    await stage.close(1)
    assert last_apply(await stage.until_ended(2, 2)) is RunStatus.SUCCEEDED
    assert stage.world.units[VPC].plans == plans + 1
    assert [(plan.base_commit, plan.commit) for plan in stage.world.applied_plans] == [(NEW_MAIN, HEADS[2])]


async def approved_and_in_line_for_prod(stage: Stage) -> None:
    """Pull request 2, approved, behind number 1, which has applied."""
    stage.world.units = {PROD: Unit()}
    await planned(stage, 1, author="infra-member")
    stage.world.approve("lead")
    await stage.comment("terrateam apply", sender="lead")
    await stage.until(lambda: stage.world.applied == [PROD], "the first apply")
    await planned(stage, 2, author="infra-member")
    stage.world.approve("lead", number=2)
    await waits(stage, 2, 1, sender="lead")


async def test_at_its_turn_a_plan_that_does_more_opens_the_gate_again(stage: Stage) -> None:
    await approved_and_in_line_for_prod(stage)
    stage.world.units[PROD].later_changes = frozenset({"create main", "delete database"})
    await stage.close(1)
    await stage.until(lambda: bool(stage.world.texts("does more than was approved")), "the question")
    assert stage.world.applied == [PROD]
    stage.world.approve("lead", number=2)
    await stage.send("review_submitted", sender="lead", number=2)
    assert last_apply(await stage.until_ended(2, 2)) is RunStatus.SUCCEEDED
    assert stage.world.applied == [PROD, PROD]


async def test_apply_said_in_line_is_no_yes_to_a_plan_that_is_made_at_its_turn(stage: Stage) -> None:
    await holding(stage, VPC)
    await planned(stage, 2)
    await waits(stage, 2, 1)
    said = await stage.comment("terrateam apply", number=2)
    await stage.until(lambda: (said, "eyes") in stage.world.reactions, "the sign")
    stage.world.units[VPC].later_changes = frozenset({"create main", "delete database"})
    await stage.close(1)
    await stage.until(lambda: bool(stage.world.texts("does more than was approved")), "the question")
    said = await stage.comment("terrateam apply", number=2, sender="developer")  # who may not
    await stage.until(lambda: (said, "eyes") in stage.world.reactions, "the sign")
    assert stage.world.applied == []
    await stage.comment("terrateam apply", number=2)
    assert last_apply(await stage.until_ended(2, 2)) is RunStatus.SUCCEEDED
    assert stage.world.applied == [VPC]


async def test_at_its_turn_the_gate_is_asked_again(stage: Stage) -> None:
    """An approval that was dismissed while it stood in line: nothing is applied, and the next has its turn."""
    await approved_and_in_line_for_prod(stage)
    stage.world.reviews.clear()
    await stage.close(1)
    assert last_apply(await stage.until_ended(2, 2)) is RunStatus.REFUSED
    await stage.until(lambda: "No longer in line" in line_of(stage, 2), "the end of its wait")
    assert stage.world.applied == [PROD]
    assert (await table(stage)).grants == {}


# ---- out of the line -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("how", ["unlock", "push", "close", "plan"])
async def test_unlock_push_close_and_plan_leave_the_line(stage: Stage, how: str) -> None:
    await holding(stage, VPC)
    for number in (2, 3):
        await planned(stage, number)
        await waits(stage, number, number - 1)
    if how == "push":
        await stage.push("9" * 40, number=2)
    elif how == "close":
        await stage.close(2)
    else:
        await stage.comment(f"terrateam {how}", number=2)
    await stage.until(lambda: "No longer in line" in line_of(stage, 2), "the end of the wait")
    await until_queue(stage, 3)
    await stands(stage, 3, 1)
    await stage.until(lambda: check_of(stage, 2)[0] == "completed", "the end of its check")
    await stage.close(1)
    await stage.until(lambda: stage.world.applied == [VPC], "the apply of pull request 3")
    assert (await table(stage)).grants[VPC].pull_request == 3


async def test_unlock_of_the_holder_gives_the_turn_to_who_waits(stage: Stage) -> None:
    await holding(stage, VPC)
    await planned(stage, 2)
    await waits(stage, 2, 1)
    await stage.comment("terrateam unlock", sender="developer")
    await stage.until(lambda: stage.world.applied == [VPC], "its turn")
    assert (await table(stage)).grants[VPC].pull_request == 2


async def test_whoever_says_apply_again_in_line_keeps_the_place(stage: Stage) -> None:
    await holding(stage, VPC)
    for number in (2, 3):
        await planned(stage, number)
        await waits(stage, number, number - 1)
    await stage.comment("terrateam apply", number=2)
    await stage.until(lambda: (stage.comments, "eyes") in stage.world.reactions, "the sign")
    await until_queue(stage, 2, 3)


async def test_releases_by_hand_are_heard_by_who_waits(stage: Stage) -> None:
    """The table is what counts: whoever frees the unit there, the next in line has its turn."""
    await holding(stage, VPC)
    await planned(stage, 2)
    await waits(stage, 2, 1)
    holder = f"pr:{stage.repository.full_name}#1"
    handle = stage.client.get_workflow_handle(locks_workflow_id(stage.repository))
    await handle.signal("release", ReleaseLocks(holder=holder, units=(VPC,)))
    await stage.until(lambda: stage.world.applied == [VPC], "its turn")


async def test_unit_whose_lock_is_released_after_the_gate_is_not_applied_and_says_so(stage: Stage) -> None:
    """Asked right before the apply of each unit: while the first one is at work somebody frees the second."""
    stage.world.units = {VPC: Unit(), RDS: Unit(dependencies=(VPC,))}
    stage.world.hold_applies = asyncio.Event()
    await planned(stage, 1)
    await stage.comment("terrateam apply")
    await stage.until(stage.world.applying.is_set, "the apply of the first unit")
    handle = stage.client.get_workflow_handle(locks_workflow_id(stage.repository))
    await handle.signal("release", ReleaseLocks(holder=f"pr:{stage.repository.full_name}#1", units=(RDS,)))
    async with asyncio.timeout(120):
        while RDS in (await table(stage)).grants:
            await asyncio.sleep(0.05)
    stage.world.hold_applies.set()
    state = await stage.until_ended(2)
    assert stage.world.applied == [VPC]
    assert last_apply(state) is RunStatus.FAILED
    (told,) = stage.world.texts(f"The lock of `{RDS}` was released meanwhile")
    assert "Somebody has released it by hand" in told
    assert "force-unlock" not in told
    await stage.comment("terrateam apply")
    await stage.until_ended(3)
    assert stage.world.applied == [VPC, RDS], "its plan is there for another try"
