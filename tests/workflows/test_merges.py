"""After a merge: what is applied by itself at the merge commit, what is owed and held, how it is applied after all."""

import asyncio
from datetime import UTC, datetime

from docustack.apply_audit import AuditedApply
from docustack.configuration import Configuration
from docustack.errors import ErrorType
from docustack.lock_messages import locks_workflow_id
from docustack.locks import LockTable
from docustack.plans import PlanSummary
from docustack.repository import UnitStatus
from docustack.rule_changes import NewRules
from docustack.runs import RunStatus, UnitPhase
from docustack.signed_approvals import Verdict
from tests.workflows.conftest import Stage
from tests.workflows.fakes import CONFIGURATION, Unit, read
from tests.workflows.test_decisions import at_gate

DEV, RDS, PROD = "dev/us-east-1/vpc", "dev/us-east-1/rds", "prod/us-east-1/vpc"
HEAD, MERGE, LATER = "a" * 40, "c" * 40, "e" * 40


def by_itself(*names: str) -> Configuration:
    environments = {
        name: rules.model_copy(update={"auto_apply_on_merge": name in names})
        for name, rules in CONFIGURATION.environments.items()
    }
    return CONFIGURATION.model_copy(update={"environments": environments})


async def planned(stage: Stage, *units: str, base_ref: str = "main") -> None:
    stage.world.configuration = by_itself("dev", "staging")
    stage.world.units = {unit: Unit() for unit in units}
    stage.world.open(author="infra-member", base_ref=base_ref)
    await stage.send("opened")
    await stage.until_ended(1)


async def held(stage: Stage) -> dict[str, int]:
    handle = stage.client.get_workflow_handle(locks_workflow_id(stage.repository))
    table = await handle.query("table", result_type=LockTable)
    return {unit: grant.pull_request for unit, grant in table.grants.items()}


# ---- applied by itself -----------------------------------------------------------------------------------------------


async def test_what_was_planned_and_not_applied_is_planned_at_the_merge_commit_and_applied(stage: Stage) -> None:
    await planned(stage, DEV)
    await stage.merge(MERGE)
    await stage.handle().result()
    assert stage.world.applied == [DEV]
    assert stage.world.applied_in[0].tree_commit == MERGE
    assert stage.world.applied_plans[0].tree_commit == MERGE
    (record,) = stage.world.commits.audit
    assert (record.actor, record.head_commit, record.tree_commit) == ("developer", MERGE, MERGE)
    (told,) = stage.world.texts("auto_apply_on_merge")
    assert f"Merged as `{MERGE[:7]}`" in told
    assert stage.world.texts("Terrateam Apply")
    texts = [message.text for message in stage.world.slack]
    assert any("Apply started for dev/us-east-1/vpc" in text for text in texts)
    assert any("Apply completed successfully" in text for text in texts)
    assert await held(stage) == {}


async def test_what_was_applied_before_the_merge_is_not_applied_again(stage: Stage) -> None:
    await planned(stage, DEV)
    await stage.comment("terrateam apply")
    await stage.until_ended(2)
    await stage.merge(MERGE)
    await stage.handle().result()
    assert stage.world.applied == [DEV]
    assert await held(stage) == {}


async def test_what_needs_nothing_is_nothing_that_a_merge_could_owe(stage: Stage) -> None:
    stage.world.units = {PROD: Unit(summary=PlanSummary())}
    stage.world.open(author="infra-member")
    await stage.send("opened")
    await stage.until_ended(1)
    await stage.merge(MERGE)
    await stage.handle().result()
    assert stage.world.texts("promises what isn't there") == []


async def test_close_without_a_merge_applies_nothing(stage: Stage) -> None:
    await planned(stage, DEV)
    await stage.close(merged=False)
    await stage.handle().result()
    assert stage.world.applied == []


async def test_approval_that_the_environment_asks_for_is_asked_for_after_the_merge_too(stage: Stage) -> None:
    unit = "staging/us-east-1/vpc"
    await planned(stage, unit, base_ref="staging")
    await stage.merge(MERGE)
    await stage.until(lambda: bool(stage.world.texts("Waiting for approval")), "the gate")
    assert stage.world.applied == []
    stage.world.approve("lead")
    await stage.send("review_submitted", sender="lead")
    await stage.handle().result()
    assert stage.world.applied == [unit]


async def test_new_plan_that_does_more_than_the_one_in_the_pull_request_waits_for_a_yes(stage: Stage) -> None:
    stage.world.configuration = by_itself("dev")
    stage.world.units = {DEV: Unit(later_changes=frozenset({"create main", "delete database"}))}
    stage.world.open()
    await stage.send("opened")
    await stage.until_ended(1)
    await stage.merge(MERGE)
    await stage.until(lambda: bool(stage.world.texts("delete `database`")), "the question")
    assert stage.world.applied == []
    await stage.comment("terrateam apply", sender="developer")
    await stage.comment("terrateam apply", sender="infra-member")
    await stage.handle().result()
    assert stage.world.applied == [DEV]


async def test_merge_commit_that_is_behind_what_is_applied_is_skipped_and_says_so(stage: Stage) -> None:
    await planned(stage, DEV, RDS)
    stage.world.open(2, head=LATER, author="infra-member")
    stage.world.units = {DEV: Unit()}
    await stage.send("opened", number=2)
    await stage.until_ended(1, 2)
    await stage.comment("terrateam apply", number=2)
    await stage.until_ended(2, 2)
    await stage.merge(LATER, 2)
    await stage.handle(2).result()
    stage.world.units = {DEV: Unit(), RDS: Unit()}
    stage.world.commits.lacked, stage.world.commits.on_base = {LATER}, {LATER}
    await stage.merge(MERGE)
    await stage.handle().result()
    assert stage.world.applied == [DEV, RDS]
    (told,) = stage.world.texts("is behind what is applied here, so it was skipped")
    assert f"`{LATER[:7]}` was applied from pull request 2" in told


async def test_merge_alone_undoes_nothing_that_no_branch_has_and_somebody_who_asks_does(stage: Stage) -> None:
    await planned(stage, DEV)
    stage.world.commits.audit.append(applied_by(stage, 3, LATER, DEV))
    stage.world.open(3, head=LATER)
    stage.world.change(3, state="closed")
    stage.world.commits.lacked = {LATER}
    await stage.merge(MERGE)
    await stage.until(lambda: bool(stage.world.texts("was not applied over it by itself")), "why it was left alone")
    await stage.until(lambda: bool(stage.world.texts("promises what isn't there")), "what is owed")
    assert (stage.world.applied, await held(stage)) == ([], {DEV: 1})
    await stage.comment("terrateam apply")
    await stage.handle().result()
    assert stage.world.applied == [DEV]
    assert stage.world.texts("so this undoes it")


async def test_what_is_rejected_after_the_merge_is_owed_and_held(stage: Stage) -> None:
    unit = "staging/us-east-1/vpc"
    await planned(stage, unit, base_ref="staging")
    await stage.merge(MERGE)
    gate = await at_gate(stage)
    assert (await gate.send(await gate.approval("lead", verdict=Verdict.REJECT))).accepted
    await stage.until(lambda: bool(stage.world.texts("This pull request keeps the lock")), "what is owed")
    assert (stage.world.applied, await held(stage)) == ([], {unit: 1})


async def test_destruction_is_never_part_of_a_merge(stage: Stage) -> None:
    stage.world.statuses = {DEV: UnitStatus.DELETED}
    await planned(stage, DEV)
    await stage.merge(MERGE)
    await stage.until(lambda: bool(stage.world.texts("Owned by nobody")), "what is left")
    await stage.comment(f"terrateam dismiss {DEV}")
    await stage.handle().result()
    assert stage.world.applied == []


async def test_pull_request_that_changes_the_rules_applies_nothing_by_itself(stage: Stage) -> None:
    stage.world.new_rules = NewRules(files=("docustack.yaml",))
    await planned(stage, DEV)
    await stage.merge(MERGE)
    await stage.until(lambda: bool(stage.world.texts("promises what isn't there")), "the flag")
    assert stage.world.applied == []


# ---- owed ------------------------------------------------------------------------------------------------------------


async def test_merge_without_apply_is_flagged_in_pull_request_and_slack_and_keeps_the_lock(stage: Stage) -> None:
    await planned(stage, PROD)
    await stage.merge(MERGE)
    await stage.until(lambda: any("promises" in message.text for message in stage.world.slack), "Slack")
    await stage.until_idle()
    (told,) = stage.world.texts("`main` promises what isn't there")
    assert f"merged as `{MERGE[:7]}`, and not applied" in told
    assert "comment `terrateam apply` here" in told
    assert stage.world.applied == []
    assert await held(stage) == {PROD: 1}


async def owing_and_another(stage: Stage) -> None:
    """Pull request 1 is merged without an apply, and pull request 2 wants the same unit."""
    await planned(stage, PROD)
    await stage.merge(MERGE)
    await stage.until_ended(2)
    stage.world.open(2, head=LATER, author="infra-member")
    await stage.send("opened", number=2)
    await stage.until_ended(1, 2)
    stage.world.approve("lead", number=2)


async def test_next_pull_request_that_contains_the_merge_takes_over_what_is_owed(stage: Stage) -> None:
    await owing_and_another(stage)
    await stage.comment("terrateam apply", sender="lead", number=2)
    assert (await stage.until_ended(2, 2)).runs[-1].status is RunStatus.SUCCEEDED
    assert stage.world.applied == [PROD]
    assert await held(stage) == {PROD: 2}
    assert len(stage.world.texts("taken over by pull request 2")) == 1
    await stage.merge(LATER, 2)
    await stage.handle(2).result()
    await stage.handle(1).result()
    assert len(stage.world.texts("promises what isn't there")) == 1, "settled with that merge"


async def test_what_was_taken_over_and_not_applied_is_owed_again_and_flagged_again(stage: Stage) -> None:
    """Its apply failed, and it is closed: the merge still promises what isn't there."""
    await owing_and_another(stage)
    stage.world.units[PROD].apply_errors = [ErrorType.FAILED]
    await stage.comment("terrateam apply", sender="lead", number=2)
    assert (await stage.until_ended(2, 2)).runs[-1].status is RunStatus.FAILED
    assert (await stage.state(1)).handed_over == {PROD: 2}
    stage.world.slack.clear()
    await stage.close(2, merged=False)
    state = await stage.until_ended(3)
    assert (state.owed, state.handed_over) == ([PROD], {})
    assert len(stage.world.texts("pull request 2, which had taken this over, was closed")) == 1
    assert len(stage.world.texts("promises what isn't there")) == 2
    await stage.until(lambda: any("promises" in message.text for message in stage.world.slack), "Slack, again")
    assert await held(stage) == {PROD: 1}
    stage.world.approve("lead")
    await stage.comment("terrateam apply", sender="lead")
    await stage.handle(1).result()
    assert stage.world.applied == [PROD]


async def test_what_was_taken_over_and_given_back_before_its_apply_is_owed_again_at_once(stage: Stage) -> None:
    """A third one has applied it meanwhile and is not merged: so the second may not, and keeps no lock."""
    await owing_and_another(stage)
    stage.world.open(3, head="f" * 40, author="infra-member")
    other = applied_by(stage, 3, "f" * 40)
    stage.world.commits.audit.append(other)
    stage.world.commits.lacked = {"f" * 40}
    await stage.comment("terrateam apply", sender="lead", number=2)
    assert (await stage.until_ended(2, 2)).runs[-1].status is RunStatus.REFUSED
    await stage.until(lambda: bool(stage.world.texts("has given it back without applying it")), "that it is back")
    state = await stage.until_ended(3)
    assert (state.owed, state.handed_over) == ([PROD], {})
    assert await held(stage) == {PROD: 1}
    await stage.close(2, merged=False)
    await stage.handle(2).result()
    assert stage.world.applied == []


def applied_by(stage: Stage, number: int, head: str, unit: str = PROD) -> AuditedApply:
    return AuditedApply(
        repository=stage.repository,
        unit=unit,
        environment=unit.partition("/")[0],
        run_id="elsewhere",
        actor="lead",
        at=datetime(2026, 1, 1, tzinfo=UTC),
        outcome=UnitPhase.APPLIED,
        pull_request=number,
        base_ref="main",
        base_commit="b" * 40,
        head_commit=head,
        tree_commit=head,
    )


async def test_pull_request_that_does_not_contain_the_merge_waits_for_it(stage: Stage) -> None:
    await owing_and_another(stage)
    stage.world.commits.lacked = {MERGE}
    await stage.comment("terrateam apply", sender="lead", number=2)
    await stage.until(lambda: bool(stage.world.texts("pull request 1")), "the place in line")
    assert await held(stage) == {PROD: 1}
    assert stage.world.applied == []


async def test_apply_on_the_merged_pull_request_applies_what_is_owed_by_the_rules_of_every_apply(stage: Stage) -> None:
    await planned(stage, PROD, DEV)
    await stage.merge(MERGE)
    await stage.until_ended(2)
    assert stage.world.applied == [DEV]
    await stage.comment("terrateam apply", sender="infra-member")
    await stage.until(lambda: bool(stage.world.texts("may not apply `prod`")), "the refusal")
    stage.world.approve("lead")
    await stage.comment("terrateam apply", sender="lead")
    await stage.handle().result()
    assert stage.world.applied == [DEV, PROD]
    assert stage.world.applied_in[1].tree_commit == MERGE
    assert await held(stage) == {}


async def test_unlock_on_the_merged_pull_request_gives_up_what_is_owed(stage: Stage) -> None:
    await planned(stage, PROD)
    await stage.merge(MERGE)
    await stage.until_ended(2)
    await stage.comment("terrateam unlock", sender="lead")
    await stage.handle().result()
    assert await held(stage) == {}
    assert stage.world.applied == []


async def test_apply_that_fails_after_the_merge_is_owed_and_can_be_asked_for_again(stage: Stage) -> None:
    await planned(stage, DEV)
    stage.world.units[DEV].apply_errors = [ErrorType.FAILED]
    await stage.merge(MERGE)
    state = await stage.until_ended(2)
    assert state.owed == [DEV]
    assert await held(stage) == {DEV: 1}
    await stage.comment("terrateam apply")
    await stage.handle().result()
    assert stage.world.applied == [DEV]


async def test_plan_on_a_merged_pull_request_is_answered_and_starts_nothing(stage: Stage) -> None:
    await planned(stage, PROD)
    await stage.merge(MERGE)
    await stage.until_ended(2)
    await stage.comment("terrateam plan", sender="lead")
    await stage.until(lambda: any("`plan` does nothing here" in read(body) for body in stage.world.texts()), "a reply")
    assert len((await stage.state()).runs) == 2


async def test_merge_right_after_the_green_check_knows_the_plans_that_it_stands_for(stage: Stage) -> None:
    """As GitHub merges by itself: before the run that has set the check could tell how it ended."""
    world = stage.world
    world.configuration, world.units, world.hold_plan_checks = by_itself("dev"), {DEV: Unit()}, asyncio.Event()
    world.open()
    await stage.send("opened")
    await stage.until(lambda: any(check.conclusion == "success" for check in world.checks), "the green check")
    await stage.merge(MERGE)
    await stage.comment("terrateam help")
    await stage.until(lambda: bool(world.texts("Release state lock")), "that the merge is heard")
    world.hold_plan_checks.set()
    await stage.handle().result()
    assert world.applied == [DEV]
    assert not world.texts("does more than was approved")


async def test_merge_says_no_yes_to_a_plan_that_nobody_had_read(stage: Stage) -> None:
    world = stage.world
    world.configuration, world.units, world.hold_plans = by_itself("dev"), {DEV: Unit()}, asyncio.Event()
    world.open()
    await stage.send("opened")
    await asyncio.wait_for(world.planning.wait(), 120)
    await stage.merge(MERGE)
    world.seconds += 60
    world.hold_plans.set()
    await stage.until(lambda: bool(world.texts("does more than was approved")), "the question")
    assert world.applied == []
    await stage.comment("terrateam apply", sender="infra-member")
    await stage.handle().result()
    assert world.applied == [DEV]


async def test_merge_while_the_plan_is_made_leaves_nothing_out(stage: Stage) -> None:
    """Nobody has seen a plan of it, so it is asked for a yes."""
    stage.world.configuration = by_itself("dev")
    stage.world.units = {DEV: Unit(plan_error=ErrorType.FAILED)}
    stage.world.open()
    await stage.send("opened")
    await stage.until_ended(1)
    stage.world.units = {DEV: Unit()}
    await stage.merge(MERGE)
    await stage.until(lambda: bool(stage.world.texts("does more than was approved")), "the question")
    await stage.comment("terrateam apply")
    await stage.handle().result()
    assert stage.world.applied == [DEV]


async def test_command_on_a_merge_of_long_ago_finds_what_is_applied_on_record(stage: Stage) -> None:
    await planned(stage, DEV)
    await stage.merge(MERGE)
    await stage.handle().result()
    stage.world.commits.same_inputs = True
    await stage.comment("terrateam apply")
    await stage.until(lambda: bool(stage.world.texts("all that this merge has brought is applied")), "the answer")
    await stage.handle().result()
    assert stage.world.applied == [DEV]


async def test_remark_on_a_merge_of_long_ago_applies_nothing(stage: Stage) -> None:
    await planned(stage, DEV)
    stage.world.change(state="closed", merged=True, merge_commit=MERGE)
    await stage.handle().terminate("an operator")
    await stage.comment("nice")
    await stage.handle().result()
    assert stage.world.applied == []
    assert (RunStatus.SUCCEEDED, stage.world.texts("promises what isn't there")) == (RunStatus.SUCCEEDED, [])
