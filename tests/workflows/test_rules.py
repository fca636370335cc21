"""A pull request that changes the rules: marked, approved by who owns the rules, and judged by the old ones."""

import asyncio

from docustack.configuration import Configuration
from docustack.rule_changes import NewRules, RuleChange
from docustack.runs import RunStatus
from tests.workflows.conftest import Stage
from tests.workflows.fakes import CONFIGURATION, Unit, read
from tests.workflows.test_apply import applied

VPC = "dev/us-east-1/vpc"
LOOSER = NewRules(
    files=("docustack.yaml",), changes=(RuleChange(where="dev", rule="apply", before="infra", after="anyone"),)
)

OTHER = NewRules(
    files=("docustack.yaml",), changes=(RuleChange(where="prod", rule="apply", before="leads", after="anyone"),)
)


async def planned(stage: Stage, units: dict[str, Unit], new: NewRules = LOOSER) -> None:
    stage.world.units, stage.world.new_rules = units, new
    stage.world.open()
    await stage.send("opened")
    await stage.until_ended(1)


def check(stage: Stage, name: str) -> tuple[str | None, str]:
    found = stage.world.check(f"docustack/{name}")
    return (found.conclusion, found.title) if found else (None, "")


async def until_apply_check(stage: Stage, conclusion: str) -> None:
    await stage.until(lambda: check(stage, "apply")[0] == conclusion, f"a check that says {conclusion}")


async def until_told(stage: Stage, words: str) -> None:
    def told() -> bool:
        found = stage.world.check("docustack/apply")
        return found is not None and words in read(found.summary)

    await stage.until(told, f"a check with: {words}")


async def reviewed(stage: Stage, kind: str = "review_submitted", sender: str = "lead") -> None:
    await stage.send(kind, sender=sender, review_state="approved")


async def test_it_is_marked_in_a_comment_and_on_the_check_of_its_plan(stage: Stage) -> None:
    await planned(stage, {VPC: Unit()})
    (comment,) = stage.world.texts("## Terrateam Rules")
    assert "| `dev` | `apply` | `infra` | `anyone` |" in comment
    assert "approval by the `leads` team" in comment
    assert check(stage, "plan") == ("success", "1 unit: 1 planned (changes the rules)")


async def test_without_any_unit_its_check_waits_for_the_owners_and_follows_their_reviews(stage: Stage) -> None:
    await planned(stage, {})
    await until_apply_check(stage, "action_required")
    assert "waits for an approval" in check(stage, "apply")[1]
    stage.world.approve("infra-member")
    await reviewed(stage, sender="infra-member")
    stage.world.approve("lead")
    await reviewed(stage)
    await until_apply_check(stage, "success")
    stage.world.reviews = []
    await reviewed(stage, "review_dismissed")
    await until_apply_check(stage, "action_required")
    told = [one.conclusion for one in stage.world.checks if one.name == "docustack/apply"]
    assert told == ["action_required", "success", "action_required"]


async def test_an_approval_from_before_it_is_shown_what_changes_is_none(stage: Stage) -> None:
    stage.world.new_rules = LOOSER
    stage.world.open()
    stage.world.approve("lead")
    await stage.send("opened")
    await reviewed(stage)
    await until_apply_check(stage, "action_required")
    await stage.until_ended(1)
    await until_told(stage, "before the change of the rules could be read")
    stage.world.approve("lead")
    await reviewed(stage)
    await until_apply_check(stage, "success")


async def test_an_approval_holds_as_long_as_the_same_change_is_shown_again(stage: Stage) -> None:
    await planned(stage, {})
    stage.world.approve("lead")
    await reviewed(stage)
    await until_apply_check(stage, "success")
    before = len(stage.world.checks)
    await stage.comment("terrateam plan")
    await stage.until_ended(2)
    await stage.until(lambda: len([one for one in stage.world.checks[before:] if one.name == "docustack/apply"]) == 1)
    assert check(stage, "apply")[0] == "success"


async def test_to_another_branch_it_needs_another_approval_of_what_it_changes_there(stage: Stage) -> None:
    await planned(stage, {})
    stage.world.approve("lead")
    await reviewed(stage)
    await until_apply_check(stage, "success")
    stage.world.hold_comments = ("## Terrateam Rules", asyncio.Event())
    stage.world.new_rules = OTHER
    stage.world.change(base_ref="staging")
    await stage.send("edited", base_changed=True)
    await until_apply_check(stage, "action_required")
    stage.world.hold_comments[1].set()
    await stage.until_ended(2)
    await reviewed(stage)
    await stage.until_idle()
    assert len(stage.world.texts("## Terrateam Rules")) == 2
    await until_told(stage, "before the change of the rules could be read")
    stage.world.approve("lead")
    await reviewed(stage)
    await until_apply_check(stage, "success")


async def test_an_apply_shows_first_what_a_moved_base_branch_makes_of_the_change(stage: Stage) -> None:
    await planned(stage, {VPC: Unit()})
    stage.world.approve("lead")
    stage.world.new_rules = OTHER
    await stage.comment("terrateam apply")
    await stage.until(lambda: bool(stage.world.texts("approved before the change of the rules could be read")))
    assert stage.world.applied == []
    assert len(stage.world.texts("## Terrateam Rules")) == 2
    stage.world.approve("lead")
    await reviewed(stage)
    await stage.until(lambda: stage.world.applied == [VPC])
    await stage.until_idle()
    assert check(stage, "apply") == ("success", "1 of 1 unit applied")


async def test_its_apply_waits_for_the_owners_though_dev_needs_no_approval(stage: Stage) -> None:
    await planned(stage, {VPC: Unit()})
    await stage.comment("terrateam apply")
    await stage.until(lambda: bool(stage.world.texts("The change of the rules needs 1 approval")))
    assert stage.world.applied == []
    stage.world.approve("infra-member")
    await reviewed(stage, sender="infra-member")
    await stage.until(lambda: bool(stage.world.texts("doesn't count, who is not a member of the `leads` team")))
    assert stage.world.applied == []
    stage.world.approve("lead")
    await reviewed(stage)
    await stage.until(lambda: stage.world.applied == [VPC])
    await stage.until_idle()
    assert check(stage, "apply") == ("success", "1 of 1 unit applied")


async def test_nothing_left_to_apply_is_green_only_with_the_approval(stage: Stage) -> None:
    await planned(stage, {VPC: Unit()})
    stage.world.approve("lead")
    await reviewed(stage)
    await stage.until(lambda: check(stage, "apply") == ("action_required", "0 of 1 unit applied"))
    await applied(stage)
    assert check(stage, "apply") == ("success", "1 of 1 unit applied")
    stage.world.reviews = []
    await reviewed(stage, "review_dismissed")
    await until_apply_check(stage, "action_required")
    stage.world.approve("lead")
    await reviewed(stage)
    await until_apply_check(stage, "success")


async def test_a_push_that_takes_the_change_back_leaves_nothing_to_approve(stage: Stage) -> None:
    await planned(stage, {VPC: Unit()})
    await until_apply_check(stage, "action_required")
    stage.world.new_rules = None
    await stage.push("d" * 40)
    await stage.until_ended(2)
    before = len(stage.world.checks)
    await applied(stage)
    assert stage.world.applied == [VPC]
    later = [one for one in stage.world.checks[before:] if one.name == "docustack/apply"]
    assert later[-1].conclusion == "success"


async def test_a_refused_apply_leaves_the_check_to_who_owns_the_rules(stage: Stage) -> None:
    await planned(stage, {VPC: Unit()})
    await applied(stage, sender="developer")
    assert (await stage.state()).runs[-1].status is RunStatus.REFUSED
    await until_apply_check(stage, "action_required")
    stage.world.approve("lead")
    await reviewed(stage)
    await stage.until(lambda: check(stage, "apply") == ("action_required", "0 of 1 unit applied"))


async def test_new_rules_that_are_not_valid_turn_the_check_of_the_plan_red(stage: Stage) -> None:
    problem = "docustack.yaml:7:5: environments.dev.aply: there is no such key; did you mean `apply`?"
    await planned(stage, {VPC: Unit()}, NewRules(files=("docustack.yaml",), problems=(problem,)))
    assert check(stage, "plan") == ("failure", "1 unit: 1 planned (its new rules are not valid)")
    assert stage.world.texts("docustack.yaml:7:5: environments.dev.aply")
    assert stage.world.units[VPC].plans == 1


async def test_plan_only_units_don_t_let_a_change_of_the_rules_pass(stage: Stage) -> None:
    stage.world.configuration = CONFIGURATION.model_copy(update={"mode": "plan-only"})
    await planned(stage, {VPC: Unit()})
    await until_apply_check(stage, "action_required")
    await applied(stage)
    await until_apply_check(stage, "action_required")
    stage.world.approve("lead")
    await reviewed(stage)
    await until_apply_check(stage, "success")


async def test_a_change_of_rules_owners_itself_is_approved_by_the_old_owners(stage: Stage) -> None:
    to_infra = NewRules(
        files=("docustack.yaml",), changes=(RuleChange(where="", rule="rules_owners", before="leads", after="infra"),)
    )
    await planned(stage, {VPC: Unit()}, to_infra)
    stage.world.approve("infra-member")
    await reviewed(stage, sender="infra-member")
    await stage.comment("terrateam apply")
    await stage.until(lambda: bool(stage.world.texts("The change of the rules needs 1 approval")))
    assert stage.world.applied == []
    assert check(stage, "apply")[0] is None  # it waits
    stage.world.approve("lead")
    await reviewed(stage)
    await stage.until(lambda: stage.world.applied == [VPC])
    await stage.until_idle()


async def test_other_owners_are_those_of_the_base_branch(stage: Stage) -> None:
    stage.world.configuration = Configuration.model_validate(
        {**CONFIGURATION.model_dump(by_alias=True), "rules_owners": "infra"}
    )
    await planned(stage, {})
    await until_apply_check(stage, "action_required")
    stage.world.approve("infra-member")
    await reviewed(stage, sender="infra-member")
    await until_apply_check(stage, "success")
