"""Units that a merge has left owned by nobody: destroyed on the merged pull request, or found to be gone."""

import asyncio

import pytest

from docustack.errors import ErrorType
from docustack.pull_request_state import LookAtOrphans, PullRequestState
from docustack.runs import RunStatus
from tests.workflows.conftest import Stage
from tests.workflows.fakes import Unit
from tests.workflows.test_deletions import DESTROY, PROD, RDS, SERVICE, VPC, deleted, deletes, owns

BEFORE, MERGE = "b" * 40, "c" * 40


async def merged(stage: Stage, *units: str, author: str = "infra-member") -> None:
    """Pull request 1 deletes these units, has shown their plans, and was merged without destroying any."""
    deletes(stage, *units)
    stage.world.units = {unit: deleted() for unit in units} | stage.world.units
    await stage.planned(stage.world.units, author=author)
    await stage.merge(MERGE)
    await stage.until(lambda: bool(stage.world.texts("Owned by nobody")), "what is left")
    await stage.until_idle()


async def ended(stage: Stage, command: str = DESTROY, sender: str = "infra-member") -> PullRequestState:
    """Give a command on the merged pull request, and see its run to its end."""
    before = len((await stage.state()).runs)
    await stage.comment(command, sender=sender)
    return await stage.until_ended(before + 1)


async def looked(stage: Stage) -> PullRequestState:
    """Somebody wants to know what is left."""
    before = (await stage.state()).looks
    await stage.handle().signal("look_at_orphans", LookAtOrphans())
    while (state := await stage.state()).looks == before:
        await asyncio.sleep(0.05)
    return state


def listed(state: PullRequestState) -> list[str]:
    return [each.unit for each in state.orphans]


# ---- destroyed after all ---------------------------------------------------------------------------------------------


async def test_the_words_on_the_merged_pull_request_destroy_what_is_left_from_the_folder_before_the_merge(
    stage: Stage,
) -> None:
    await merged(stage, RDS)
    (told,) = stage.world.texts("Owned by nobody")
    assert f"comment `{DESTROY}` here" in told
    assert stage.world.applied == []
    await stage.comment(DESTROY)
    await stage.handle().result()
    assert stage.world.applied == [RDS]
    tree = stage.world.applied_in[0]
    assert (tree.tree_commit, tree.folder, tree.head_commit) == (BEFORE, f"{tree.run_id}-base", MERGE)
    assert stage.world.applied_plans[0].destroy
    assert stage.world.texts("Destroyed by `infra-member`, and owned by nobody no longer")
    texts = [one.text for one in stage.world.slack]
    assert f"Owned by nobody no longer (PR #1): destroyed by infra-member: {RDS}" in texts
    (record,) = stage.world.commits.audit
    assert (record.unit, record.actor) == (RDS, "infra-member")


async def test_it_takes_push_access_and_the_right_to_apply_there(stage: Stage) -> None:
    await merged(stage, RDS)
    await stage.comment(DESTROY, sender="outsider")
    await stage.until(lambda: bool(stage.world.texts("outsider may not `apply`")), "the refusal")
    state = await ended(stage, sender="developer")
    assert state.runs[-1].status is RunStatus.REFUSED
    assert stage.world.texts("developer may not apply `dev`")
    assert (stage.world.applied, listed(state)) == ([], [RDS])


async def test_a_plan_of_now_is_shown_and_only_an_approval_since_then_counts(stage: Stage) -> None:
    """A yes from before the merge was one to merging without."""
    stage.world.open(author="infra-member")
    stage.world.approve("second-lead")
    await merged(stage, PROD)
    await stage.comment(DESTROY, sender="lead")
    await stage.until(lambda: bool(stage.world.texts("Waiting for approval")), "the gate")
    assert stage.world.texts(f"This is what is left of it now, by its folder at `{BEFORE[:12]}`")
    assert stage.world.texts("second-lead doesn't count, who approved before the plan")
    assert stage.world.applied == []
    stage.world.approve("second-lead")
    await stage.send("review_submitted", sender="second-lead", review_state="approved")
    await stage.handle().result()
    assert stage.world.applied == [PROD]


async def test_who_depended_on_it_is_looked_at_before_the_gate_and_locked_only_behind_it(stage: Stage) -> None:
    """An approval may take days, in which nobody is to wait for a unit that only has let go."""
    user = "prod/us-east-1/api"
    stage.world.depended = {PROD: (user,)}
    await merged(stage, PROD)
    await stage.comment(DESTROY, sender="lead")
    await stage.until(lambda: bool(stage.world.texts("Waiting for approval")), "the gate")
    table = stage.client.get_workflow_handle(f"locks:{stage.repository.full_name}")
    assert (await table.query("table"))["grants"] == {}
    stage.world.hold_applies = asyncio.Event()
    stage.world.approve("second-lead")
    await stage.send("review_submitted", sender="second-lead", review_state="approved")
    await asyncio.wait_for(stage.world.applying.wait(), 120)
    assert {*(await table.query("table"))["grants"]} == {PROD, user}
    stage.world.hold_applies.set()
    await stage.handle().result()
    assert (await table.query("table"))["grants"] == {}


async def test_where_no_approval_is_asked_for_a_plan_that_nobody_had_read_takes_the_command_once_more(
    stage: Stage,
) -> None:
    stage.world.needed_by = {RDS: (SERVICE,)}
    await merged(stage, RDS)
    assert stage.world.texts(f"`{SERVICE}` still depends on it")
    stage.world.needed_by = {}
    await stage.comment(DESTROY)
    await stage.until(lambda: bool(stage.world.texts("has to be read first")), "the question")
    assert stage.world.texts("This is what is left of it now")
    assert stage.world.applied == []
    await stage.comment(DESTROY)
    await stage.handle().result()
    assert stage.world.applied == [RDS]


async def test_what_the_present_base_branch_still_depends_on_is_left_alone_and_named(stage: Stage) -> None:
    """Somebody has merged a unit since that needs it."""
    await merged(stage, RDS)
    stage.world.needed_by = {RDS: (SERVICE,)}
    state = await ended(stage)
    assert state.runs[-1].status is RunStatus.REFUSED
    assert stage.world.texts(f"`{RDS}` is deleted here, but `{SERVICE}` still depends on it")
    assert (stage.world.applied, listed(state)) == ([], [RDS])


async def test_a_unit_that_comes_to_depend_on_it_while_the_approval_is_awaited_keeps_it(stage: Stage) -> None:
    await merged(stage, PROD)
    await stage.comment(DESTROY, sender="lead")
    await stage.until(lambda: bool(stage.world.texts("Waiting for approval")), "the gate")
    stage.world.needed_by = {PROD: ("prod/us-east-1/api",)}
    stage.world.commits.move_base("d" * 40)
    stage.world.approve("second-lead")
    await stage.send("review_submitted", sender="second-lead", review_state="approved")
    state = await stage.until_ended(2)
    assert stage.world.texts("`prod/us-east-1/api` still depends on it")
    assert (stage.world.applied, listed(state)) == ([], [PROD])


async def test_a_unit_that_the_base_branch_has_again_is_never_destroyed_and_off_the_record(stage: Stage) -> None:
    await merged(stage, RDS)
    stage.world.back = (RDS,)
    await stage.comment(DESTROY)
    await stage.handle().result()
    assert stage.world.applied == []
    assert stage.world.texts(f"`{RDS}` is in the base branch again, which owns it now")


async def test_a_newer_unit_with_the_same_state_keeps_it_from_being_destroyed(stage: Stage) -> None:
    await merged(stage, RDS)
    stage.world.come_since = (SERVICE,)
    stage.world.states[SERVICE] = owns("a.b", lineage=RDS)
    await stage.comment(DESTROY)
    await stage.handle().result()
    assert stage.world.applied == []
    assert stage.world.texts(f"`{RDS}` goes on as `{SERVICE}`")
    assert any(request.unit == SERVICE and request.tree.folder.endswith("-now") for request in stage.world.looked_at)


async def test_a_state_that_can_not_be_read_is_not_destroyed_and_stays_on_record(stage: Stage) -> None:
    await merged(stage, RDS)
    stage.world.states[RDS] = owns(known=False)
    state = await ended(stage)
    assert stage.world.texts("Its state could not be read")
    assert (stage.world.applied, listed(state)) == ([], [RDS])
    assert state.orphans[0].owned == 1, "as it was seen last"


async def test_dependants_are_destroyed_before_their_dependencies(stage: Stage) -> None:
    stage.world.units = {VPC: deleted(), RDS: deleted(VPC)}
    await merged(stage, VPC, RDS)
    await stage.comment(DESTROY)
    await stage.handle().result()
    assert stage.world.applied == [RDS, VPC]


async def test_a_named_one_waits_for_what_depended_on_it(stage: Stage) -> None:
    stage.world.units = {VPC: deleted(), RDS: deleted(VPC)}
    await merged(stage, VPC, RDS)
    await ended(stage, f"{DESTROY} {VPC}")
    assert stage.world.applied == []
    assert stage.world.texts(f"`{VPC}` is not destroyed: `{RDS}` depended on it")
    assert listed(await ended(stage, f"{DESTROY} {RDS}")) == [VPC]
    await stage.until(lambda: bool(stage.world.texts(f"Still owned by nobody: `{VPC}`")), "what is left")
    await stage.comment(f"{DESTROY} {VPC}")
    await stage.handle().result()
    assert stage.world.applied == [RDS, VPC]


async def test_a_unit_that_let_go_in_another_pull_request_counts_once_that_is_applied_and_merged(stage: Stage) -> None:
    stage.world.depended = {RDS: (SERVICE,)}
    await merged(stage, RDS)
    stage.world.open(2, head="e" * 40, author="infra-member")
    stage.world.statuses, stage.world.units = {}, {SERVICE: Unit()}
    await stage.send("opened", number=2)
    await stage.until_ended(1, 2)
    await stage.comment("terrateam apply", number=2)
    await stage.until_ended(2, 2)
    deletes(stage, RDS)
    stage.world.units = {RDS: deleted()}
    await ended(stage)
    assert stage.world.texts(f"`{RDS}` is not destroyed: `{SERVICE}` depended on it")
    await stage.merge("e" * 40, 2)
    await stage.handle(2).result()
    await stage.comment(DESTROY)
    await stage.handle().result()
    assert stage.world.applied == [SERVICE, RDS]
    table = stage.client.get_workflow_handle(f"locks:{stage.repository.full_name}")
    assert (await table.query("table"))["grants"] == {}


async def test_a_unit_that_another_merge_has_left_to_nobody_keeps_what_it_depends_on(stage: Stage) -> None:
    stage.world.depended = {RDS: (SERVICE,)}
    await merged(stage, RDS)
    stage.world.gone_since = (SERVICE,)
    assert listed(await ended(stage)) == [RDS]
    assert stage.world.texts(f"`{RDS}` is not destroyed: `{SERVICE}` depended on it")
    assert stage.world.looked_at[-1].tree.folder.endswith("-base")
    stage.world.states[SERVICE] = owns()
    await stage.comment(DESTROY)
    await stage.handle().result()
    assert stage.world.applied == [RDS]


async def test_a_plain_apply_on_the_merged_pull_request_destroys_nothing_and_says_the_words(stage: Stage) -> None:
    await merged(stage, RDS)
    state = await ended(stage, "terrateam apply")
    assert stage.world.texts(f"`{RDS}` is deleted here and is not destroyed by this: comment `{DESTROY}`")
    assert (stage.world.applied, listed(state)) == ([], [RDS])


async def test_what_the_merge_owes_is_applied_before_what_it_deletes_is_destroyed(stage: Stage) -> None:
    stage.world.units = {SERVICE: Unit()}
    stage.world.depended = {RDS: (SERVICE,)}
    await merged(stage, RDS)
    assert (await stage.state()).owed == [SERVICE]
    await ended(stage, f"{DESTROY} {RDS}")
    assert stage.world.texts(f"`{RDS}` is not destroyed: `{SERVICE}` depended on it")
    await stage.comment(DESTROY)
    await stage.handle().result()
    assert stage.world.applied == [SERVICE, RDS]


async def test_a_destruction_that_fails_leaves_it_on_record_and_can_be_commanded_again(stage: Stage) -> None:
    stage.world.units = {RDS: deleted(apply_errors=(ErrorType.FAILED,))}
    await merged(stage, RDS)
    assert listed(await ended(stage)) == [RDS]
    assert stage.world.texts("It still owns 1 resource")
    await stage.comment(DESTROY)
    await stage.handle().result()
    assert stage.world.applied == [RDS]
    assert stage.world.units[RDS].plans == 3, "what is left is planned anew"


async def test_one_that_can_not_be_planned_keeps_the_others_until_they_are_named(stage: Stage) -> None:
    await merged(stage, VPC, RDS)
    stage.world.units[RDS].plan_error = ErrorType.FAILED
    assert {*listed(await ended(stage))} == {RDS, VPC}
    assert stage.world.texts("No destruction can be planned of")
    assert stage.world.applied == []
    assert listed(await ended(stage, f"{DESTROY} {VPC}")) == [RDS]
    assert stage.world.applied == [VPC]


async def test_what_was_dismissed_is_destroyed_only_by_its_own_name(stage: Stage) -> None:
    await merged(stage, VPC, RDS)
    await stage.comment(f"terrateam dismiss {RDS}", sender="developer")
    await stage.until(lambda: bool(stage.world.texts("Dismissed by")), "the dismissal")
    await stage.comment(DESTROY)
    await stage.handle().result()
    assert stage.world.applied == [VPC]
    assert stage.world.texts(f"`{RDS}` is not on record as owned by nobody")


# ---- found to be gone ------------------------------------------------------------------------------------------------


async def test_one_destroyed_by_other_means_is_found_and_told_when_somebody_looks(stage: Stage) -> None:
    await merged(stage, RDS, VPC)
    stage.world.states[RDS] = owns()
    assert listed(await looked(stage)) == [VPC]
    gone = "is gone: its state holds no resources any more"
    await stage.until(lambda: bool(stage.world.texts(gone)), "the comment")
    (told,) = stage.world.texts(gone)
    assert f"`{RDS}` is gone" in told
    assert "who did, and when, is not known" in told
    assert f"Still owned by nobody: `{VPC}`" in told
    message = f"Owned by nobody no longer (PR #1): found gone, by whom is not known: {RDS}"
    await stage.until(lambda: any(one.text == message for one in stage.world.slack), "Slack's message")
    stage.world.states[VPC] = owns()
    await stage.handle().signal("look_at_orphans", LookAtOrphans())
    await stage.handle().result()
    assert stage.world.applied == []


async def test_the_command_finds_too_that_there_is_nothing_left_to_destroy(stage: Stage) -> None:
    await merged(stage, RDS)
    stage.world.states[RDS] = owns()
    await stage.comment(DESTROY)
    await stage.handle().result()
    assert stage.world.applied == []
    assert stage.world.texts("is gone: its state holds no resources any more")


@pytest.mark.parametrize("known", [True, False])
async def test_a_look_that_finds_nothing_new_or_can_not_read_says_nothing(stage: Stage, known: bool) -> None:
    await merged(stage, RDS)
    stage.world.states[RDS] = owns("aws_db_instance.main", known=known)
    said, checks, runs = len(stage.world.comments), len(stage.world.checks), len((await stage.state()).runs)
    state = await looked(stage)
    assert listed(state) == [RDS]
    assert (len(stage.world.comments), len(stage.world.checks), len(state.runs)) == (said, checks, runs)


async def test_a_command_takes_the_place_of_a_look(stage: Stage) -> None:
    await merged(stage, RDS)
    stage.world.hold_states = asyncio.Event()
    await stage.handle().signal("look_at_orphans", LookAtOrphans())
    while not (active := (await stage.state()).active) or not active.only_looks:
        await asyncio.sleep(0.05)
    await stage.comment(DESTROY)
    await stage.until(lambda: (1, "eyes") in stage.world.reactions, "that it was seen")
    stage.world.hold_states.set()
    await stage.handle().result()
    assert stage.world.applied == [RDS]
    assert not stage.world.texts("Another run of this pull request is going")


async def test_a_look_that_was_terminated_is_found_by_the_next_one_and_told_to_nobody(stage: Stage) -> None:
    await merged(stage, RDS)
    stage.world.hold_states, looks = asyncio.Event(), len(stage.world.looked_at)
    await stage.handle().signal("look_at_orphans", LookAtOrphans())
    await stage.until(lambda: len(stage.world.looked_at) > looks, "the look")
    active = (await stage.state()).active
    assert active is not None
    await stage.client.get_workflow_handle(f"run:{active.run_id}").terminate("an operator")
    stage.world.hold_states.set()
    said = len(stage.world.comments)
    assert listed(await looked(stage)) == [RDS]
    assert len(stage.world.comments) == said
