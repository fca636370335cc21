"""Units that a pull request deletes: planned for destruction, destroyed only by the words for it, dependants first."""

import asyncio

import pytest

from docustack.access import Person
from docustack.errors import ErrorType
from docustack.plans import PlanSummary
from docustack.repository import UnitStatus
from docustack.runs import RunStatus
from docustack.state_document import OwnedResources
from tests.workflows.conftest import Stage
from tests.workflows.fakes import CONFIGURATION, Unit
from tests.workflows.test_apply import applied, planned

VPC = "dev/us-east-1/vpc"
RDS = "dev/us-east-1/rds"
SERVICE = "dev/us-east-1/new-service"
PROD = "prod/us-east-1/rds"
DESTROY = "terrateam apply --destroy"


def deleted(*dependencies: str, apply_errors: tuple[ErrorType, ...] = ()) -> Unit:
    summary = PlanSummary(destroy=2)
    changes = frozenset({"delete main"})
    return Unit(dependencies, "sha256:there", summary=summary, changes=changes, apply_errors=[*apply_errors])


def owns(*addresses: str, lineage: str = "its own", known: bool = True) -> OwnedResources:
    return OwnedResources(known=known, addresses=addresses, count=len(addresses), lineage=lineage)


def deletes(stage: Stage, *units: str) -> None:
    stage.world.statuses.update(dict.fromkeys(units, UnitStatus.DELETED))


async def test_a_deleted_unit_is_planned_for_destruction_in_the_base_branchs_tree(stage: Stage) -> None:
    deletes(stage, RDS)
    await planned(stage, {RDS: deleted()})
    body = stage.world.texts("**Destruction.**")[0]
    assert body.startswith(f"## Terrateam Plan\n\n**Directory:** `{RDS}`")
    assert "2 resources: 2 `aws_db_instance`" in body
    assert f"`{DESTROY}`" in body
    request = stage.world.looked_at[0]
    assert (request.tree.tree_commit, request.tree.folder) == (request.tree.base_commit, f"{request.tree.run_id}-base")
    plan = (await stage.state()).plans[RDS]
    assert plan.destroy
    assert plan.tree_commit == "b" * 40
    check = stage.world.check("docustack/plan")
    assert check is not None
    assert check.conclusion == "success"


async def test_a_plain_apply_leaves_destructions_out_and_says_how_they_are_commanded(stage: Stage) -> None:
    deletes(stage, RDS)
    await planned(stage, {VPC: Unit(), RDS: deleted()})
    await applied(stage)
    assert stage.world.applied == [VPC]
    assert stage.world.texts(f"`{RDS}` is deleted here and is not destroyed")
    check = stage.world.check("docustack/apply")
    assert check is not None
    assert (check.conclusion, check.title) == ("neutral", "1 of 1 unit applied; 1 deleted unit is not destroyed")
    await applied(stage, DESTROY)
    assert stage.world.applied == [VPC, RDS]
    assert stage.world.texts("Destroyed: the unit owns nothing any more")
    check = stage.world.check("docustack/apply")
    assert check is not None
    assert check.conclusion == "success"


async def test_a_plain_apply_with_nothing_but_destructions_changes_nothing(stage: Stage) -> None:
    deletes(stage, RDS)
    await planned(stage, {RDS: deleted()})
    await applied(stage)
    assert stage.world.applied == []
    assert (await stage.state()).runs[-1].status is RunStatus.REFUSED
    assert stage.world.texts(f"comment `{DESTROY}`")
    check = stage.world.check("docustack/apply")
    assert check is not None
    assert (check.conclusion, check.title) == ("neutral", "1 deleted unit is not destroyed")


async def test_an_environment_can_allow_destructions_by_a_plain_apply(stage: Stage) -> None:
    dev = CONFIGURATION.environments["dev"].model_copy(update={"allow_destroy": True})
    environments = {**CONFIGURATION.environments, "dev": dev}
    stage.world.configuration = CONFIGURATION.model_copy(update={"environments": environments})
    deletes(stage, RDS)
    await planned(stage, {RDS: deleted()})
    assert stage.world.texts("`allow_destroy: true`")
    await applied(stage)
    assert stage.world.applied == [RDS]


async def test_a_destruction_takes_the_access_and_the_approval_of_an_apply(stage: Stage) -> None:
    deletes(stage, PROD)
    stage.world.open(author="infra-member")
    stage.world.units = {PROD: deleted()}
    await stage.send("opened", sender="infra-member")
    await stage.until_ended(1)
    await applied(stage, DESTROY, sender="infra-member")
    assert stage.world.texts("may not apply `prod`")
    await stage.comment(DESTROY, sender="lead")
    await stage.until(lambda: bool(stage.world.texts("Waiting for approval")))
    assert stage.world.applied == []
    stage.world.approve("lead")
    await stage.send("review_submitted", sender="lead", review_state="approved")
    await stage.until_ended(3)
    assert stage.world.applied == [PROD]


async def test_units_that_let_go_are_applied_first_and_then_dependants_are_destroyed_before_dependencies(
    stage: Stage,
) -> None:
    deletes(stage, VPC, RDS)
    stage.world.depended = {RDS: (SERVICE,), VPC: (SERVICE,)}
    await planned(stage, {VPC: deleted(), RDS: deleted(VPC), SERVICE: Unit()})
    await applied(stage, DESTROY)
    assert stage.world.applied == [SERVICE, RDS, VPC]


async def test_a_destruction_that_would_come_before_others_have_let_go_is_held_back(stage: Stage) -> None:
    deletes(stage, VPC, RDS)
    stage.world.depended = {RDS: (SERVICE,)}
    await planned(stage, {VPC: deleted(), RDS: deleted(VPC), SERVICE: Unit()})
    await applied(stage, f"{DESTROY} {VPC} {RDS}")
    assert stage.world.applied == []
    assert stage.world.texts(f"`{RDS}` is not destroyed: `{SERVICE}` depended on it")
    assert stage.world.texts(f"`{VPC}` is not destroyed: `{RDS}` depended on it")
    await applied(stage, f"terrateam apply {SERVICE}")
    await applied(stage, f"{DESTROY} {VPC} {RDS}")
    assert stage.world.applied == [SERVICE, RDS, VPC]


async def test_nothing_is_destroyed_while_what_depended_on_it_could_not_be_applied(stage: Stage) -> None:
    deletes(stage, RDS)
    stage.world.depended = {RDS: (SERVICE,)}
    await planned(stage, {RDS: deleted(), SERVICE: Unit(apply_errors=[ErrorType.FAILED])})
    await applied(stage, DESTROY)
    assert stage.world.applied == []
    assert stage.world.texts(f"`{SERVICE}` has to let go of it first, and it failed")


async def test_a_unit_that_others_still_depend_on_is_not_planned_for_destruction(stage: Stage) -> None:
    deletes(stage, VPC, RDS)
    stage.world.needed_by = {RDS: (SERVICE,)}
    units = {VPC: deleted(), RDS: deleted(VPC)}
    await planned(stage, units)
    assert [unit.plans for unit in units.values()] == [0, 0]
    assert stage.world.texts(f"`{SERVICE}` still depends on it")
    assert stage.world.texts(f"`{RDS}`, deleted too, depends on it")
    for name in ("docustack/plan", "docustack/apply"):
        check = stage.world.check(name)
        assert check is not None
        assert check.conclusion == "action_required", "merged, the base branch could not plan the service any more"
        assert "1 deleted unit is still needed" in check.title
    await applied(stage, f"{DESTROY} {RDS}")
    assert stage.world.applied == []


async def test_a_unit_that_owns_nothing_leaves_nothing_behind(stage: Stage) -> None:
    deletes(stage, RDS)
    stage.world.states = {RDS: owns()}
    await planned(stage, {RDS: deleted()})
    assert stage.world.units[RDS].plans == 0
    assert stage.world.texts("nothing is left behind")


async def test_a_renamed_unit_with_the_same_state_goes_along_and_is_never_destroyed(stage: Stage) -> None:
    deletes(stage, RDS)
    stage.world.statuses[SERVICE] = UnitStatus.ADDED
    stage.world.states = {RDS: owns("a.b", lineage="one"), SERVICE: owns("a.b", lineage="one")}
    await planned(stage, {RDS: deleted(), SERVICE: Unit()})
    assert stage.world.units[RDS].plans == 0
    assert stage.world.texts(f"`{RDS}` goes on as `{SERVICE}`")
    await applied(stage, DESTROY)
    assert stage.world.applied == [SERVICE]


async def test_a_renamed_unit_with_another_state_is_told_of_and_destroyed_only_by_the_words(stage: Stage) -> None:
    dev = CONFIGURATION.environments["dev"].model_copy(update={"allow_destroy": True})
    stage.world.configuration = CONFIGURATION.model_copy(
        update={"environments": {**CONFIGURATION.environments, "dev": dev}}
    )
    deletes(stage, RDS)
    stage.world.statuses[SERVICE] = UnitStatus.ADDED
    stage.world.renames = {RDS: SERVICE}
    stage.world.states = {SERVICE: owns(lineage="")}
    await planned(stage, {RDS: deleted(), SERVICE: Unit()})
    assert len(stage.world.texts(f"`{RDS}` looks renamed to `{SERVICE}`, whose state is another one")) == 2
    await applied(stage)
    assert stage.world.applied == [SERVICE]
    await applied(stage, DESTROY)
    assert stage.world.applied == [SERVICE, RDS]


async def test_a_state_moved_between_plan_and_apply_keeps_what_it_owns_from_being_destroyed(stage: Stage) -> None:
    """Somebody follows the advice by halves: copies the state, and doesn't empty the old one."""
    deletes(stage, RDS)
    stage.world.statuses[SERVICE] = UnitStatus.ADDED
    stage.world.states = {RDS: owns("a.b", lineage="one"), SERVICE: owns(lineage="")}
    await planned(stage, {RDS: deleted(), SERVICE: Unit()})
    stage.world.hold_applies = asyncio.Event()
    await stage.comment(DESTROY)
    await asyncio.wait_for(stage.world.applying.wait(), 120)
    stage.world.states[SERVICE] = owns("a.b", lineage="one")
    stage.world.hold_applies.set()
    await stage.until_ended(2)
    assert stage.world.applied == [SERVICE]
    assert stage.world.texts("**Status:** ⏭️ Skipped")


async def test_a_state_that_can_not_be_read_right_before_is_not_destroyed(stage: Stage) -> None:
    deletes(stage, RDS)
    stage.world.states = {RDS: owns(known=False)}
    await planned(stage, {RDS: deleted()})
    assert stage.world.units[RDS].plans == 1
    await applied(stage, DESTROY)
    assert stage.world.applied == []
    assert stage.world.texts("Its state could not be read")


async def test_a_destruction_that_fails_tells_what_remains_and_is_planned_again(stage: Stage) -> None:
    deletes(stage, RDS)
    await planned(stage, {RDS: deleted(apply_errors=(ErrorType.FAILED,))})
    await applied(stage, DESTROY)
    assert stage.world.texts("It still owns 1 resource: `aws_db_instance.main`")
    assert (await stage.state()).plans[RDS].spent
    await applied(stage)
    assert stage.world.units[RDS].applies == 1, "a plain apply doesn't go on with it"
    await applied(stage, DESTROY)
    assert stage.world.applied == [RDS]
    assert stage.world.units[RDS].plans == 2


async def test_apply_with_destroy_takes_the_place_of_an_apply_that_waits_without(stage: Stage) -> None:
    deletes(stage, PROD)
    stage.world.open(author="infra-member")
    stage.world.units = {"prod/us-east-1/vpc": Unit(), PROD: deleted()}
    await stage.send("opened", sender="infra-member")
    await stage.until_ended(1)
    await stage.comment("terrateam apply", sender="lead")
    await stage.until(lambda: bool(stage.world.texts("Waiting for approval")))
    await stage.comment(DESTROY, sender="lead")
    await stage.until(lambda: len(stage.world.texts("Waiting for approval")) == 2)
    stage.world.approve("lead")
    await stage.send("review_submitted", sender="lead", review_state="approved")
    await stage.until_idle()
    assert stage.world.applied == ["prod/us-east-1/vpc", PROD]


@pytest.mark.parametrize("command", ["terrateam unlock", f"terrateam unlock {RDS}"])
async def test_unlock_gives_back_a_deleted_unit_too(stage: Stage, command: str) -> None:
    deletes(stage, RDS)
    await planned(stage, {RDS: deleted()})
    await applied(stage, DESTROY)
    locks = stage.client.get_workflow_handle(f"locks:{stage.repository.full_name}")
    assert RDS in (await locks.query("table"))["grants"]
    await applied(stage, command)
    assert (await locks.query("table"))["grants"] == {}


async def test_a_merge_without_destruction_is_told_as_owned_by_nobody_and_destroys_nothing(stage: Stage) -> None:
    deletes(stage, RDS, VPC)
    stage.world.states = {VPC: owns()}
    await planned(stage, {VPC: deleted(), RDS: deleted()})
    await stage.close()
    await stage.until(lambda: bool(stage.world.texts("Owned by nobody")), "what is left")
    (told,) = stage.world.texts("Owned by nobody")
    assert f"`{RDS}`: 1 resource, `aws_db_instance.main`" in told
    assert f"checkout of `{'b' * 12}`" in told
    assert VPC not in told, "what owns nothing is left to nobody"
    texts = [f"Owned by nobody since PR #1 was merged: {RDS}"]
    await stage.until(
        lambda: [one.text for one in stage.world.slack if "nobody" in one.text] == texts, "Slack's message"
    )
    assert stage.world.applied == []
    assert [each.unit for each in (await stage.state()).orphans] == [RDS]


async def test_what_nobody_owns_stays_on_record_until_it_is_dismissed_by_name(stage: Stage) -> None:
    deletes(stage, RDS, VPC)
    await planned(stage, {VPC: deleted(), RDS: deleted()})
    await stage.close()
    await stage.until(lambda: bool(stage.world.texts("Owned by nobody")), "what is left")
    stage.world.people["outsider"] = Person(login="outsider")
    for sender, words, told in (
        ("outsider", f"dismiss {RDS}", "outsider may not `dismiss`"),
        ("developer", "dismiss", "Which one?"),
        ("developer", f"dismiss {RDS} dev/other", "`dev/other` is none of them"),
    ):
        await stage.comment(f"terrateam {words}", sender=sender)
        await stage.until(lambda told=told: bool(stage.world.texts(told)), told)  # type: ignore[misc]
    assert len((await stage.state()).orphans) == 2
    await stage.comment(f"terrateam dismiss {RDS}", sender="developer")
    await stage.until(lambda: bool(stage.world.texts("Dismissed by")), "the dismissal")
    assert [each.unit for each in (await stage.state()).orphans] == [VPC]
    await stage.comment(f"terrateam dismiss {VPC}", sender="developer")
    await asyncio.wait_for(stage.handle().result(), 120)


@pytest.mark.parametrize("merged", [True, False])
async def test_what_was_destroyed_or_not_merged_is_nobodys_orphan(stage: Stage, merged: bool) -> None:
    deletes(stage, RDS)
    await planned(stage, {RDS: deleted()})
    if merged:
        await applied(stage, DESTROY)
    await stage.close(merged=merged)
    await asyncio.wait_for(stage.handle().result(), 120)
    assert stage.world.texts("Owned by nobody") == []
