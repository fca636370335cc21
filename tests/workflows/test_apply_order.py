"""The order guard in a pull request's life: what was applied is on record, and nobody undoes it unknowingly."""

from docustack.errors import ErrorType
from docustack.runs import Operation, RunStatus, UnitPhase
from tests.workflows.conftest import Stage
from tests.workflows.fakes import Unit

VPC = "dev/us-east-1/vpc"
MINE, THEIRS, SQUASHED = "a" * 40, "1" * 40, "2" * 40


async def planned(stage: Stage, number: int, head: str) -> None:
    stage.world.open(number, head=head, author="infra-member")
    await stage.send("opened", number=number)
    await stage.until_ended(1, number)


async def commanded(stage: Stage, number: int, command: str) -> RunStatus:
    before = len((await stage.state(number)).runs)
    await stage.comment(command, number=number)
    return (await stage.until_ended(before + 1, number)).runs[-1].status


async def others_applied(stage: Stage) -> None:
    """Pull request 2 has applied the unit, and given its lock away before its merge."""
    stage.world.units = {VPC: Unit()}
    await planned(stage, 1, MINE)
    await planned(stage, 2, THEIRS)
    await commanded(stage, 2, "terrateam apply")
    await commanded(stage, 2, "terrateam unlock")
    stage.world.commits.lacked = {THEIRS}


async def test_what_was_applied_is_on_record(stage: Stage) -> None:
    stage.world.units = {VPC: Unit()}
    await planned(stage, 1, MINE)
    await commanded(stage, 1, "terrateam apply")
    (record,) = stage.world.commits.audit
    assert (record.unit, record.environment, record.pull_request) == (VPC, "dev", 1)
    assert (record.actor, record.head_commit, record.outcome) == ("infra-member", MINE, UnitPhase.APPLIED)
    assert record.plan_digest == stage.world.applied_plans[0].digest


async def test_apply_of_unknown_end_is_on_record_and_a_failed_one_is_not(stage: Stage) -> None:
    stage.world.lease_seconds = 0
    lost = [ErrorType.INTERRUPTED] * 4
    stage.world.units = {VPC: Unit(apply_errors=[ErrorType.FAILED, *lost])}
    await planned(stage, 1, MINE)
    await commanded(stage, 1, "terrateam apply")
    assert stage.world.commits.audit == []
    await commanded(stage, 1, "terrateam apply")
    assert [record.outcome for record in stage.world.commits.audit] == [UnitPhase.UNKNOWN]


async def test_pull_request_that_lacks_what_was_applied_is_refused_and_told_what(stage: Stage) -> None:
    await others_applied(stage)
    assert await commanded(stage, 1, "terrateam apply") is RunStatus.REFUSED
    assert len(stage.world.applied) == 1
    (told,) = stage.world.texts("lacks what was applied last")
    assert "`1111111` Widen it" in told
    assert "merge `main` first" in told
    check = stage.world.check("docustack/apply")
    assert check is not None
    assert check.conclusion == "action_required"


async def test_pull_request_that_is_behind_is_refused_before_anybody_is_asked_to_approve_it(stage: Stage) -> None:
    unit = "prod/us-east-1/vpc"
    stage.world.units = {unit: Unit()}
    await planned(stage, 2, THEIRS)
    stage.world.approve("lead", number=2)
    await stage.comment("terrateam apply", sender="lead", number=2)
    await stage.until_ended(2, 2)
    stage.world.commits.lacked = {THEIRS}
    await stage.close(2)
    await planned(stage, 1, MINE)
    await stage.comment("terrateam apply", sender="lead", number=1)
    said = ("lacks what was applied last", "Waiting for approval")
    await stage.until(lambda: any(stage.world.texts(words) for words in said))
    assert not stage.world.texts("Waiting for approval")
    assert len(stage.world.applied) == 1


async def test_refused_pull_request_keeps_no_lock(stage: Stage) -> None:
    await others_applied(stage)
    await commanded(stage, 1, "terrateam apply")
    await planned(stage, 3, THEIRS)
    assert await commanded(stage, 3, "terrateam apply") is RunStatus.SUCCEEDED


async def test_squash_merge_of_the_applied_head_blocks_nobody(stage: Stage) -> None:
    await others_applied(stage)
    stage.world.change(2, merge_commit=SQUASHED)
    await stage.close(2)
    assert await commanded(stage, 1, "terrateam apply") is RunStatus.SUCCEEDED


async def test_what_was_applied_and_closed_without_a_merge_is_undone_by_nobody_unknowingly(stage: Stage) -> None:
    await others_applied(stage)
    await stage.close(2, merged=False)
    await stage.until(lambda: bool(stage.world.texts("Closed without a merge, but applied")), "word to who closed it")
    await stage.handle(2).result()
    await stage.comment("terrateam apply", number=1)
    await stage.until(lambda: bool(stage.world.texts("lacks what was applied last")), "the refusal")
    (told,) = stage.world.texts("lacks what was applied last")
    assert "`1111111` Widen it" in told
    assert f"`docustack apply {VPC}`" in told
    assert "git fetch origin pull/2/head && git merge FETCH_HEAD" in told
    assert len(stage.world.applied) == 1


async def test_close_of_what_was_never_applied_says_nothing_of_it(stage: Stage) -> None:
    stage.world.units = {VPC: Unit()}
    await planned(stage, 1, MINE)
    await stage.close(1, merged=False)
    await stage.handle(1).result()
    assert stage.world.texts("Closed without a merge, but applied") == []


async def test_own_earlier_head_that_was_pushed_over_may_be_replaced(stage: Stage) -> None:
    stage.world.units = {VPC: Unit()}
    await planned(stage, 1, THEIRS)
    await commanded(stage, 1, "terrateam apply")
    stage.world.commits.lacked = {THEIRS}
    await stage.push(MINE)
    await stage.until_ended(3)
    assert await commanded(stage, 1, "terrateam apply") is RunStatus.SUCCEEDED
    assert [record.head_commit for record in stage.world.commits.audit] == [THEIRS, MINE]


async def test_what_others_apply_while_a_run_waits_for_its_approval_is_seen(stage: Stage) -> None:
    unit = "prod/us-east-1/vpc"
    stage.world.units = {unit: Unit()}
    await planned(stage, 1, MINE)
    await planned(stage, 2, THEIRS)
    await stage.comment("terrateam apply", sender="lead", number=1)
    await stage.until(lambda: bool(stage.world.texts("Waiting for approval")))
    stage.world.approve("lead", number=2)
    await stage.comment("terrateam apply", sender="lead", number=2)
    await stage.until_ended(2, 2)
    await commanded(stage, 2, "terrateam unlock")
    stage.world.commits.lacked = {THEIRS}
    stage.world.approve("lead", number=1)
    await stage.send("review_submitted", number=1, sender="lead")
    state = await stage.until_ended(2, 1)
    applies = [run.status for run in state.runs if run.operation is Operation.APPLY]
    assert applies == [RunStatus.REFUSED], "whether or not the unit, free again, was planned anew after it"
    assert len(stage.world.applied) == 1
    await planned(stage, 3, THEIRS)
    stage.world.approve("lead", number=3)
    await stage.comment("terrateam apply", sender="lead", number=3)
    assert (await stage.until_ended(2, 3)).runs[-1].status is RunStatus.SUCCEEDED
