"""Which plans a move of the base branch outdates, what is said of it, and when a pull request looks."""

from typing import Any

import pytest

from docustack.base_moves import (
    BaseMoved,
    MovedInputs,
    cannot_be_planned,
    is_outdated,
    many_moved_reason,
    moved_reason,
    outdated_plans,
)
from docustack.events import PullRequestFacts
from docustack.plans import PlanRecord, PlanSummary
from docustack.pull_request_actions import SignalRun, StartRun
from docustack.pull_request_base import keep_renewed, look_at_base, take_base_moved
from docustack.pull_request_state import ActiveRun, PullRequestState, SupersededRun
from docustack.repository import Repository
from docustack.runs import Operation, RunResult, RunStatus

VPC, RDS = "prod/us-east-1/vpc", "prod/us-east-1/rds"
HEAD = "a" * 40
MOVED = BaseMoved(repository=Repository(owner="docustack", name="live"), base_ref="main", commit="1" * 40)


def plan(unit: str = VPC, **changes: Any) -> PlanRecord:
    fields: dict[str, Any] = {
        "unit": unit,
        "run_id": "r1",
        "commit": HEAD,
        "tree_commit": "c" * 40,
        "digest": "sha256:plan",
        "summary": PlanSummary(add=1),
        "inputs": "sha256:then",
        **dict.fromkeys(("binary", "json_document", "text", "log"), f"runs/r1/{unit}"),
    }
    return PlanRecord(**{**fields, **changes})


def pull_request(**changes: Any) -> PullRequestState:
    facts = PullRequestFacts(
        number=1,
        title="",
        author="ada",
        state="open",
        merged=False,
        draft=False,
        head_commit=HEAD,
        head_ref="wide",
        base_ref="main",
        from_fork=False,
        url="",
        created_at="",
    )
    return PullRequestState(**{"facts": facts, "known_head": HEAD, "plans": {VPC: plan()}, **changes})


def active(operation: Operation, *, waiting: bool = False) -> ActiveRun:
    return ActiveRun(run_id="r2", operation=operation, head_commit=HEAD, actor="ada", waiting=waiting)


# ---- plans -----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "made,inputs,outdated",
    [
        (plan(), {VPC: "sha256:then"}, False),
        (plan(), {VPC: "sha256:now"}, True),
        (plan(), {}, True),  # the pull request changes nothing of it any more
        (plan(tree_commit="d" * 40), {VPC: "sha256:now"}, False),  # the very same tree
        (plan(inputs=""), {VPC: "sha256:now"}, True),  # an older version didn't note them
        (plan(destroy=True), {VPC: "sha256:then"}, False),
    ],
)
def test_plan_is_outdated_if_its_unit_reads_other_files_now(
    made: PlanRecord, inputs: dict[str, str], outdated: bool
) -> None:
    assert is_outdated(made, inputs, "d" * 40) is outdated


def test_only_plans_of_the_units_in_question_are_outdated() -> None:
    plans = [plan(VPC), plan(RDS)]
    assert outdated_plans(plans, [RDS], {}, "d" * 40) == [plans[1]]


def test_reason_names_the_move_and_the_files() -> None:
    moved = MovedInputs(unit=VPC, files=tuple(f"{number}.hcl" for number in range(7)), count=7)
    told = moved_reason(moved, "main", "a" * 40, "b" * 40)
    assert told.startswith(f"`main` has moved from `aaaaaaa` to `bbbbbbb`, which changes what `{VPC}` reads: `0.hcl`")
    assert "`4.hcl` and 2 more" in told
    assert "doesn't count" in told


def test_reason_stays_true_where_the_files_are_not_known() -> None:
    assert "which changes what 2 units read. So" in many_moved_reason(
        [MovedInputs(unit=VPC), MovedInputs(unit=RDS)], "main", "", "b" * 40
    )


def test_units_without_a_plan_are_named_with_what_is_wrong() -> None:
    assert f"- `{VPC}`: Invalid expression\n" in cannot_be_planned("main", {VPC: "Invalid expression\nroot.hcl:3"})


# ---- the pull request ------------------------------------------------------------------------------------------------


def test_plans_are_looked_at_by_a_run_that_makes_only_the_outdated_ones_again() -> None:
    (start,) = take_base_moved(pull_request(), MOVED)
    assert isinstance(start, StartRun)
    assert (start.run.operation, start.run.only_outdated, start.run.automatic) == (Operation.PLAN, True, True)


@pytest.mark.parametrize(
    "state,moved",
    [
        (pull_request(plans={}), MOVED),
        (pull_request(), MOVED.model_copy(update={"base_ref": "staging"})),
        (pull_request(facts=None), MOVED),
        (pull_request(facts=pull_request().facts.model_copy(update={"state": "closed"})), MOVED),  # type: ignore[union-attr]
    ],
)
def test_nothing_follows_where_there_is_nothing_to_look_at(state: PullRequestState, moved: BaseMoved) -> None:
    assert take_base_moved(state, moved) == []


@pytest.mark.parametrize("waiting", [True, False])
def test_apply_is_told_and_other_plans_are_looked_at_after_it(waiting: bool) -> None:
    state = pull_request(active=active(Operation.APPLY, waiting=waiting))
    assert take_base_moved(state, MOVED) == [SignalRun(run_id="r2")]
    state.active = None
    assert len(look_at_base(state)) == 1
    assert look_at_base(state) == []


def test_many_moves_while_a_plan_is_made_are_looked_at_once() -> None:
    state = pull_request(active=active(Operation.PLAN))
    assert [take_base_moved(state, MOVED) for _ in range(3)] == [[], [], []]
    state.active = None
    assert len(look_at_base(state)) == 1


def test_superseded_apply_tells_what_it_has_planned_before_anybody_plans_again() -> None:
    state = pull_request(superseded=[SupersededRun(run_id="r2", operation=Operation.APPLY, head_commit=HEAD)])
    assert take_base_moved(state, MOVED) == []
    state.superseded = []
    assert len(look_at_base(state)) == 1


def ended(*renewed: PlanRecord, head: str = HEAD) -> RunResult:
    return RunResult(
        run_id="r2", operation=Operation.APPLY, status=RunStatus.CANCELLED, head_commit=head, renewed=renewed
    )


def test_plans_made_again_at_a_gate_are_kept() -> None:
    state = pull_request()
    new = plan(inputs="sha256:now", digest="sha256:new", shown_at="2026-03-01T10:00:00Z")
    keep_renewed(state, ended(new))
    assert state.plans[VPC] == new
    assert state.shown[VPC].digest == "sha256:new"


@pytest.mark.parametrize(
    "kept,new,head",
    [
        (plan(), plan(inputs="sha256:now"), "b" * 40),  # of another head
        (plan(spent=True), plan(inputs="sha256:now"), HEAD),  # what has begun is not made as new again
        (plan(inputs="sha256:now", run_id="r3"), plan(inputs="sha256:now"), HEAD),  # a later run made it too
    ],
)
def test_plans_made_again_replace_nothing_that_is_newer(kept: PlanRecord, new: PlanRecord, head: str) -> None:
    state = pull_request(plans={VPC: kept})
    keep_renewed(state, ended(new, head=head))
    assert state.plans[VPC] == kept
