"""The newest outcome of a unit counts: which plans are kept, which comments are outdated, and what is left over."""

import pytest

from docustack.events import EventKind
from docustack.left_over import left_to_apply, left_to_plan, without_plan
from docustack.plans import PlanRecord, PlanSummary
from docustack.pull_request_actions import FoldComments
from docustack.repository import Repository
from docustack.runs import Operation, PullRequestRef, RunInput, RunStatus, UnitPhase
from tests.unit.test_pull_requests import HEAD, RDS, VPC, Life, ended, kinds, only, plan_of, planned

PROD = "prod/us-east-1/vpc"


@pytest.fixture
def life() -> Life:
    return Life()


def start(*plans: PlanRecord, deferred: tuple[str, ...] = (), applied: tuple[str, ...] = ()) -> RunInput:
    return RunInput(
        run_id="run",
        repository=Repository(owner="docustack", name="live"),
        operation=Operation.APPLY,
        actor="infra-member",
        pull_request=PullRequestRef(number=1, author="developer", head_commit=HEAD, base_ref="main"),
        plans=plans,
        deferred=deferred,
        applied=applied,
    )


def test_a_whole_plan_keeps_the_plans_and_comments_of_what_its_actor_may_not_plan(life: Life) -> None:
    life.comment("terrateam plan")
    life.end(planned(VPC), planned(PROD), comments=(1, 2), comment_units={1: (VPC,), 2: (PROD,)})
    life.comment("terrateam plan", sender="developer")
    actions = life.end(planned(VPC, run_id="new"), comments=(3,), comment_units={3: (VPC,)}, left_out=(PROD,))
    assert set(life.state.plans) == {VPC, PROD}
    assert life.state.plans[VPC].run_id == "new"
    assert only(actions, FoldComments).comment_ids == (1,)
    assert life.state.plan_comments == [2, 3]


def test_a_deferred_unit_that_was_left_out_stays_deferred(life: Life) -> None:
    life.comment("terrateam plan")
    life.end(ended(PROD, UnitPhase.DEFERRED), ended(RDS, UnitPhase.DEFERRED))
    life.comment("terrateam plan", sender="developer")
    life.end(planned(VPC), left_out=(PROD,))
    assert life.state.deferred == [PROD]


def test_a_plan_that_fails_leaves_no_older_plan_to_apply(life: Life) -> None:
    life.opened_and_planned(VPC, RDS)
    life.comment(f"terrateam plan {VPC}")
    life.end(ended(VPC, UnitPhase.FAILED), status=RunStatus.FAILED)
    assert set(life.state.plans) == {RDS}


@pytest.mark.parametrize("phase", [UnitPhase.FAILED, UnitPhase.DEFERRED, UnitPhase.PLANNED])
def test_a_plan_after_the_apply_counts_more_than_the_apply(life: Life, phase: UnitPhase) -> None:
    life.opened_and_planned()
    life.comment("terrateam apply")
    life.end(ended(VPC, UnitPhase.APPLIED))
    life.comment("terrateam plan")
    life.end(ended(VPC, phase, plan_of(VPC) if phase is UnitPhase.PLANNED else None))
    assert life.state.applied == {}


def test_a_plan_without_changes_after_the_apply_leaves_it_applied(life: Life) -> None:
    life.opened_and_planned()
    life.comment("terrateam apply")
    life.end(ended(VPC, UnitPhase.APPLIED))
    life.comment("terrateam plan")
    life.end(ended(VPC, UnitPhase.NO_CHANGES, plan_of(VPC)))
    assert life.state.applied == {VPC: HEAD}


def test_a_plan_that_was_cut_off_leaves_the_older_one_of_what_it_did_not_reach(life: Life) -> None:
    life.opened_and_planned(VPC, RDS)
    life.comment("terrateam plan")
    life.end(planned(VPC, run_id="new"), ended(RDS, UnitPhase.SKIPPED), status=RunStatus.CANCELLED)
    assert (life.state.plans[VPC].run_id, set(life.state.plans)) == ("new", {VPC, RDS})


# ---- comments --------------------------------------------------------------------------------------------------------


def test_a_plan_of_one_unit_outdates_its_older_comment_and_no_other(life: Life) -> None:
    life.event(EventKind.OPENED)
    life.end(planned(VPC), planned(RDS), comments=(1, 2), comment_units={1: (VPC,), 2: (RDS,)})
    life.comment(f"terrateam plan {VPC}")
    actions = life.end(planned(VPC), comments=(3,), comment_units={3: (VPC,)})
    assert only(actions, FoldComments).comment_ids == (1,)
    assert life.state.plan_comments == [2, 3]


def test_a_table_is_outdated_once_each_of_its_units_has_a_newer_plan(life: Life) -> None:
    life.event(EventKind.OPENED)
    life.end(planned(VPC), planned(RDS), comments=(1,), comment_units={1: (RDS, VPC)})
    life.comment(f"terrateam plan {VPC}")
    assert life.end(planned(VPC), comments=(2,), comment_units={2: (VPC,)}) == []
    life.comment(f"terrateam plan {RDS}")
    actions = life.end(planned(RDS), comments=(3,), comment_units={3: (RDS,)})
    assert only(actions, FoldComments).comment_ids == (1,)


def test_what_an_apply_asks_for_outdates_no_plan_that_would_still_be_applied(life: Life) -> None:
    life.event(EventKind.OPENED)
    life.end(planned(VPC), comments=(1,), comment_units={1: (VPC,)})
    life.comment("terrateam apply")
    assert life.end(ended(VPC, UnitPhase.SKIPPED), comments=(2,), comment_units={2: (VPC,)}) == []
    life.comment("terrateam plan")
    actions = life.end(planned(VPC), comments=(3,), comment_units={3: (VPC,)})
    assert only(actions, FoldComments).comment_ids == (1, 2)


def test_a_plan_made_again_at_the_gate_outdates_the_one_before_while_the_apply_waits(life: Life) -> None:
    life.event(EventKind.OPENED)
    life.end(planned(VPC), planned(RDS), comments=(1, 2), comment_units={1: (VPC,), 2: (RDS,)})
    life.comment("terrateam apply")
    assert only(life.waits(shows={3: (VPC,)}), FoldComments).comment_ids == (1,)
    assert only(life.waits(shows={4: (VPC,)}), FoldComments).comment_ids == (3,)
    assert "fold-comments" not in kinds(life.end(ended(VPC, UnitPhase.APPLIED), ended(RDS, UnitPhase.APPLIED)))
    assert life.state.plan_comments == [2, 4]


def test_a_table_stays_as_long_as_one_of_its_units_has_no_newer_plan(life: Life) -> None:
    life.event(EventKind.OPENED)
    life.end(planned(VPC), planned(RDS), comments=(1,), comment_units={1: (RDS, VPC)})
    life.comment("terrateam apply")
    assert "fold-comments" not in kinds(life.waits(shows={2: (VPC,)}))
    assert only(life.waits(shows={3: (RDS,)}), FoldComments).comment_ids == (1,)


def test_a_plan_that_an_apply_asked_for_and_applied_outdates_the_one_before(life: Life) -> None:
    life.event(EventKind.OPENED)
    life.end(planned(VPC), planned(RDS), comments=(1, 2), comment_units={1: (VPC,), 2: (RDS,)})
    life.comment("terrateam apply")
    actions = life.end(
        ended(VPC, UnitPhase.APPLIED), ended(RDS, UnitPhase.APPLIED), comments=(3,), comment_units={3: (VPC,)}
    )
    assert only(actions, FoldComments).comment_ids == (1,)


def test_a_plan_made_again_at_a_gate_that_an_unlock_ended_stays_the_one_that_counts(life: Life) -> None:
    life.event(EventKind.OPENED)
    life.end(planned(VPC), comments=(1,), comment_units={1: (VPC,)})
    life.comment("terrateam apply")
    life.waits()
    apply = life.run_id
    life.comment("terrateam unlock")
    life.may_begin()
    actions = life.waits(run_id=apply, shows={2: (VPC,)})  # it was on its way when the apply was superseded
    assert only(actions, FoldComments).comment_ids == (1,)
    assert "fold-comments" not in kinds(life.end(run_id=apply, operation=Operation.APPLY))
    assert life.state.plan_comments == [2]


def test_a_plan_made_again_for_a_head_that_is_none_any_more_is_outdated_itself(life: Life) -> None:
    life.event(EventKind.OPENED)
    life.end(planned(VPC), comments=(1,), comment_units={1: (VPC,)})
    life.comment("terrateam apply")
    life.waits()
    apply = life.run_id
    life.push()
    assert only(life.waits(run_id=apply, shows={2: (VPC,)}), FoldComments).comment_ids == (2,)


@pytest.mark.parametrize("command", ["unlock", f"plan {RDS}", "plan"])
def test_ending_an_apply_that_waits_marks_no_plan_outdated_that_is_still_applied(life: Life, command: str) -> None:
    life.event(EventKind.OPENED)
    life.end(planned(VPC), planned(RDS), comments=(1, 2), comment_units={1: (VPC,), 2: (RDS,)})
    life.comment("terrateam apply")
    life.waits()
    assert "fold-comments" not in kinds(life.comment(f"terrateam {command}"))
    assert set(life.state.plans) == {VPC, RDS}


def test_plans_of_a_fork_that_a_push_drops_are_marked_outdated(life: Life) -> None:
    life.change(from_fork=True)
    life.comment("terrateam plan")
    life.end(planned(VPC), comments=(1,), comment_units={1: (VPC,)})
    assert only(life.push(), FoldComments).comment_ids == (1,)
    assert life.state.plans == {}


# ---- what is left over -----------------------------------------------------------------------------------------------


def test_a_changed_unit_without_a_plan_is_left_to_plan_and_to_apply() -> None:
    before = start(plan_of(VPC))
    assert left_to_plan({VPC, RDS}, before, done={VPC}) == [RDS]
    assert left_to_apply({VPC, RDS}, before, done={VPC}) == [RDS]


def test_a_unit_whose_plan_has_no_changes_needs_no_apply() -> None:
    nothing = plan_of(RDS).model_copy(update={"summary": PlanSummary()})
    assert left_to_apply({VPC, RDS}, start(plan_of(VPC), nothing), done={VPC}) == []


def test_what_was_applied_or_waits_for_a_first_apply_is_known() -> None:
    assert without_plan({VPC, RDS, PROD}, start(deferred=(VPC,), applied=(RDS,))) == [PROD]
    assert left_to_apply({VPC, RDS}, start(deferred=(VPC,), applied=(RDS,)), done=()) == [VPC]


def test_a_unit_that_was_planned_anew_after_its_apply_is_not_counted_twice() -> None:
    assert left_to_apply({VPC}, start(plan_of(VPC), applied=(VPC,)), done=()) == []
