"""What follows from what happens to a pull request: every event in every situation, and orders that could lose one."""

import itertools
from collections.abc import Callable
from typing import TypeVar

import pytest

from docustack.events import EventKind, PullRequestEvent, PullRequestFacts
from docustack.plans import PlanRecord, PlanSummary
from docustack.pull_request_actions import (
    Action,
    CancelRun,
    EndCheck,
    FoldComments,
    FoldForgotten,
    GiveTurn,
    ReleaseAllLocks,
    Reply,
    ReportCheck,
    Sign,
    SignalRun,
    StartRun,
)
from docustack.pull_request_challenges import take_may_begin
from docustack.pull_request_comments import asks_for_a_run, wants_an_answer
from docustack.pull_request_inbox import take_entry
from docustack.pull_request_replies import DRAFT, SUPERSEDED_BY_PLAN
from docustack.pull_request_starts import started
from docustack.pull_request_state import InboxEntry, PullRequestState, RunMayBegin, RunToStart, RunWaits
from docustack.pull_requests import (
    hear_waits,
    miss_run,
    not_started,
    remember,
    take_event,
    take_run_end,
    take_run_lost,
    take_run_waits,
)
from docustack.runs import Operation, RunResult, RunStatus, UnitOutcome, UnitPhase

T = TypeVar("T")

BOT = "docustack[bot]"
HEAD, NEW_HEAD = "a" * 40, "d" * 40
VPC, RDS = "dev/us-east-1/vpc", "dev/us-east-1/rds"


def facts(**changes: object) -> PullRequestFacts:
    known: dict[str, object] = {
        "number": 1,
        "title": "Add new service",
        "author": "developer",
        "state": "open",
        "merged": False,
        "draft": False,
        "head_commit": HEAD,
        "head_ref": "feature",
        "base_ref": "main",
        "from_fork": False,
        "url": "",
        "created_at": "2026-01-01T00:00:00Z",
    }
    return PullRequestFacts.model_validate({**known, **changes})


def plan_of(unit: str, *, commit: str = HEAD, run_id: str = "plan", spent: bool = False) -> PlanRecord:
    key = f"runs/{run_id}/{unit}"
    return PlanRecord(
        unit=unit,
        run_id=run_id,
        commit=commit,
        tree_commit="c" * 40,
        digest="sha256:plan",
        summary=PlanSummary(add=1),
        binary=key,
        json_document=key,
        text=key,
        log=key,
        spent=spent,
    )


class Life:
    """A pull request's life in a test: what happens, and what was done about it."""

    def __init__(self) -> None:
        self.state = PullRequestState(facts=facts())
        self.runs: list[RunToStart] = []
        self.did: list[Action] = []
        self.comments = 0

    def act(self, actions: list[Action]) -> list[Action]:
        """Do what the workflow would do: a run that is to be started is one that counts."""
        for action in actions:
            if isinstance(action, StartRun):
                self.runs.append(action.run)
                started(self.state, self.run_id, action.run)
        self.did = actions
        return actions

    @property
    def run_id(self) -> str:
        return f"run-{len(self.runs)}"

    def change(self, **changes: object) -> None:
        assert self.state.facts is not None
        self.state.facts = self.state.facts.model_copy(update=changes)

    def event(self, kind: EventKind, **fields: object) -> list[Action]:
        event = PullRequestEvent.model_validate({"kind": kind, "sender": "developer", **fields})
        return self.act(take_event(self.state, event, BOT))

    def comment(self, body: str, sender: str = "infra-member", **fields: object) -> list[Action]:
        self.comments += 1
        return self.event(
            EventKind.COMMENT_CREATED, sender=sender, comment_id=self.comments, comment_body=body, **fields
        )

    def push(self, head: str = NEW_HEAD) -> list[Action]:
        self.change(head_commit=head)
        return self.event(EventKind.SYNCHRONIZE)

    def close(self) -> list[Action]:
        self.change(state="closed")
        return self.event(EventKind.CLOSED)

    def reopen(self) -> list[Action]:
        self.change(state="open")
        return self.event(EventKind.REOPENED)

    def waits(
        self, *, waiting: bool = True, run_id: str = "", shows: dict[int, tuple[str, ...]] | None = None
    ) -> list[Action]:
        assert self.state.active is not None
        told = RunWaits(run_id=run_id or self.state.active.run_id, waiting=waiting, shows=shows or {})
        return self.act(take_run_waits(self.state, told))

    def may_begin(self) -> list[Action]:
        """The run that was started beside the waiting apply finds nothing that forbids it."""
        assert self.state.challenger is not None
        return self.act(take_may_begin(self.state, RunMayBegin(run_id=self.state.challenger.run_id)))

    def end(
        self,
        *outcomes: UnitOutcome,
        run_id: str = "",
        status: RunStatus = RunStatus.SUCCEEDED,
        comments: tuple[int, ...] = (),
        head: str = "",
        operation: Operation | None = None,
        **more: object,
    ) -> list[Action]:
        active = self.state.active
        result = RunResult(
            run_id=run_id or (active.run_id if active else ""),
            operation=operation or (active.operation if active else Operation.PLAN),
            status=status,
            head_commit=head or (active.head_commit if active else HEAD),
            outcomes=outcomes,
            comments=comments,
        )
        return self.act(take_run_end(self.state, RunResult.model_validate({**dict(result), **more})))

    def opened_and_planned(self, *units: str) -> None:
        self.event(EventKind.OPENED)
        assert self.state.active is not None
        head = self.state.active.head_commit
        self.end(*(planned(unit, commit=head, run_id=self.state.active.run_id) for unit in units or (VPC,)))

    def applying(self, *, at_gate: bool = False) -> str:
        self.opened_and_planned()
        self.comment("terrateam apply")
        if at_gate:
            self.waits()
        return self.run_id

    def planning(self) -> str:
        self.event(EventKind.OPENED)
        return self.run_id


def planned(unit: str, *, commit: str = HEAD, run_id: str = "plan") -> UnitOutcome:
    return UnitOutcome(
        unit=unit, environment="dev", phase=UnitPhase.PLANNED, plan=plan_of(unit, commit=commit, run_id=run_id)
    )


def ended(unit: str, phase: UnitPhase, plan: PlanRecord | None = None) -> UnitOutcome:
    return UnitOutcome(unit=unit, environment="dev", phase=phase, plan=plan)


def kinds(actions: list[Action]) -> list[str]:
    return [action.kind for action in actions]


def only(actions: list[Action], kind: type[T]) -> T:
    found = [action for action in actions if isinstance(action, kind)]
    assert len(found) == 1, actions
    return found[0]


@pytest.fixture
def life() -> Life:
    return Life()


# ---- events that start a plan ----------------------------------------------------------------------------------------


@pytest.mark.parametrize("kind", [EventKind.OPENED, EventKind.REOPENED, EventKind.READY_FOR_REVIEW])
def test_what_makes_a_pull_request_reviewable_plans_it_as_its_author(life: Life, kind: EventKind) -> None:
    run = only(life.event(kind, sender="somebody-else"), StartRun).run
    assert run.operation is Operation.PLAN
    assert run.automatic
    assert run.actor == "developer"
    assert run.directories == ()


@pytest.mark.parametrize("moved", [True, False])
def test_an_edit_plans_only_when_it_moved_the_base(life: Life, moved: bool) -> None:
    life.opened_and_planned()
    actions = life.event(EventKind.EDITED, base_changed=moved)
    assert ("start-run" in kinds(actions)) is moved


@pytest.mark.parametrize("kind", [EventKind.CONVERTED_TO_DRAFT, EventKind.REVIEW_SUBMITTED, EventKind.REVIEW_DISMISSED])
def test_what_changes_no_plan_starts_none(life: Life, kind: EventKind) -> None:
    life.opened_and_planned()
    assert life.event(kind) == []


def test_a_kind_that_nobody_knows_does_nothing(life: Life) -> None:
    assert take_event(life.state, PullRequestEvent(kind="labeled"), BOT) == []


def test_a_push_plans_the_new_commit_and_folds_the_old_comments(life: Life) -> None:
    life.event(EventKind.OPENED)
    life.end(planned(VPC), comments=(11, 12))
    actions = life.push()
    assert only(actions, FoldComments).comment_ids == (11, 12)
    assert only(actions, StartRun).run.head_commit == NEW_HEAD
    assert life.state.plans == {}


def test_a_push_that_was_planned_already_is_not_planned_again(life: Life) -> None:
    life.opened_and_planned()
    assert life.event(EventKind.SYNCHRONIZE) == []


def test_a_head_pushed_back_to_an_older_commit_is_planned_again(life: Life) -> None:
    life.opened_and_planned()
    life.push()
    life.end(planned(VPC, commit=NEW_HEAD))
    assert "start-run" in kinds(life.push(HEAD))


def test_a_fork_is_told_once_and_never_planned_by_itself(life: Life) -> None:
    life.change(from_fork=True)
    assert kinds(life.event(EventKind.OPENED)) == ["reply"]
    assert life.event(EventKind.SYNCHRONIZE) == []
    assert only(life.comment("terrateam plan"), StartRun).run.actor == "infra-member"


def test_a_plan_of_a_fork_is_only_for_the_code_that_was_there_when_it_was_asked_for(life: Life) -> None:
    life.change(from_fork=True, updated_at="2026-01-01T12:00:00Z")
    life.event(EventKind.OPENED)
    before = life.comment("terrateam plan", comment_created_at="2026-01-01T11:59:59Z")
    assert (only(before, Sign).content, "start-run" in kinds(before)) == ("-1", False)
    assert "older than" in only(before, Reply).body
    assert "start-run" in kinds(life.comment("terrateam plan", comment_created_at="2026-01-01T12:00:01Z"))


def test_a_plan_of_a_fork_that_waits_in_line_is_not_made_of_what_is_pushed_meanwhile(life: Life) -> None:
    life.change(from_fork=True)
    life.event(EventKind.OPENED)
    life.comment("terrateam plan")
    life.comment(f"terrateam plan {VPC}")
    life.push()
    actions = life.end()
    assert "start-run" not in kinds(actions)
    assert only(actions, Sign).content == "-1"
    assert "read the new change" in only(actions, Reply).body


def test_a_push_to_a_fork_leaves_no_command_in_line_for_ever(life: Life) -> None:
    life.change(from_fork=True)
    life.event(EventKind.OPENED)
    life.comment("terrateam plan")
    life.end(planned(VPC))
    life.comment("terrateam apply")
    life.comment("terrateam unlock")
    life.push()
    life.end()
    assert life.runs[-1].operation is Operation.UNLOCK


# ---- a push while something runs -------------------------------------------------------------------------------------


def test_a_push_while_a_plan_runs_cancels_it_and_plans_the_new_commit(life: Life) -> None:
    old = life.planning()
    actions = life.push()
    assert only(actions, CancelRun).run_id == old
    assert only(actions, StartRun).run.head_commit == NEW_HEAD
    assert [run.run_id for run in life.state.superseded] == [old]


def test_the_end_of_a_superseded_run_changes_no_plan_and_folds_what_it_posted(life: Life) -> None:
    old = life.planning()
    life.push()
    actions = life.end(planned(VPC), run_id=old, head=HEAD, comments=(7,))
    assert only(actions, FoldComments).comment_ids == (7,)
    assert life.state.plans == {}
    assert life.state.superseded == []
    assert life.state.active is not None
    assert life.state.active.head_commit == NEW_HEAD


def test_a_superseded_run_that_ends_after_its_successor_changes_nothing(life: Life) -> None:
    old = life.planning()
    life.push()
    life.end(planned(VPC, commit=NEW_HEAD))
    life.end(planned(RDS), run_id=old, head=HEAD)
    assert set(life.state.plans) == {VPC}


def test_a_push_while_an_apply_runs_lets_it_end_and_is_planned_after(life: Life) -> None:
    run_id = life.applying()
    assert life.push() == [SignalRun(run_id=run_id)]
    actions = life.end(ended(VPC, UnitPhase.APPLIED, plan_of(VPC)))
    assert only(actions, StartRun).run.head_commit == NEW_HEAD


def test_a_push_while_an_apply_waits_wakes_it_so_that_it_ends_by_itself(life: Life) -> None:
    run_id = life.applying(at_gate=True)
    assert life.push() == [SignalRun(run_id=run_id)]
    actions = life.end(status=RunStatus.CANCELLED)
    assert only(actions, StartRun).run.operation is Operation.PLAN


def test_many_pushes_while_an_apply_runs_make_one_plan_of_the_last(life: Life) -> None:
    life.applying()
    life.push("1" * 40)
    life.push("2" * 40)
    life.end()
    assert [run.operation for run in life.runs] == [Operation.PLAN, Operation.APPLY, Operation.PLAN]
    assert life.state.active is not None
    assert life.state.active.head_commit == "2" * 40
    life.end()
    assert life.state.active is None


def test_plans_of_another_head_are_never_given_to_an_apply_even_before_the_push_is_told(life: Life) -> None:
    life.opened_and_planned()
    life.change(head_commit=NEW_HEAD)
    life.comment("terrateam apply")
    assert life.state.plans == {}
    assert life.event(EventKind.SYNCHRONIZE) == [SignalRun(run_id=life.run_id)]
    life.end(status=RunStatus.REFUSED)
    assert life.runs[-1].operation is Operation.PLAN
    assert life.runs[-1].head_commit == NEW_HEAD


def test_results_for_a_commit_that_is_no_longer_the_head_are_not_kept(life: Life) -> None:
    life.planning()
    life.change(head_commit=NEW_HEAD)
    life.end(planned(VPC))
    assert life.state.plans == {}


def test_a_base_that_moves_while_a_plan_runs_plans_again(life: Life) -> None:
    old = life.planning()
    actions = life.event(EventKind.EDITED, base_changed=True)
    assert only(actions, CancelRun).run_id == old
    assert "start-run" in kinds(actions)


def test_a_base_that_moves_while_an_apply_runs_is_planned_after_it(life: Life) -> None:
    run_id = life.applying()
    assert life.event(EventKind.EDITED, base_changed=True) == [SignalRun(run_id=run_id)]
    assert only(life.end(), StartRun).run.operation is Operation.PLAN


def test_a_draft_that_becomes_ready_while_its_refusal_is_on_the_way_is_planned(life: Life) -> None:
    old = life.planning()
    actions = life.event(EventKind.READY_FOR_REVIEW)
    assert only(actions, CancelRun).run_id == old
    assert "start-run" in kinds(actions)


def ready_and_told(life: Life) -> list[Action]:
    life.change(draft=False)
    return life.event(EventKind.READY_FOR_REVIEW)


def ready_while_it_is_closed(life: Life) -> list[Action]:
    life.close()
    life.change(draft=False)
    life.event(EventKind.READY_FOR_REVIEW)
    return life.reopen()


@pytest.mark.parametrize("becomes_ready", [ready_and_told, ready_while_it_is_closed])
def test_the_check_of_an_apply_that_was_refused_as_a_draft_says_so_no_longer_than_that_is_true(
    life: Life, becomes_ready: Callable[[Life], list[Action]]
) -> None:
    life.change(draft=True)
    life.opened_and_planned()
    life.comment("terrateam apply")
    life.end(status=RunStatus.REFUSED, message=DRAFT)
    assert "report-check" not in kinds(life.comment("not yet"))
    told = only(becomes_ready(life), ReportCheck)
    assert (told.operation, told.head_commit, told.check.title) == (Operation.APPLY, HEAD, "Not applied yet")
    assert "report-check" not in kinds(life.comment("once")), "once"


def test_a_later_apply_or_head_has_its_own_check_whether_or_not_it_was_a_draft_before(life: Life) -> None:
    life.change(draft=True)
    life.opened_and_planned()
    life.comment("terrateam apply")
    life.end(status=RunStatus.REFUSED, message=DRAFT)
    life.change(draft=False, head_commit=NEW_HEAD)
    assert "report-check" not in kinds(life.event(EventKind.SYNCHRONIZE))


# ---- commands --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("command", ["plan", "apply", "unlock", f"plan {VPC}", f"apply {VPC}", "plan dev/**"])
def test_a_command_begins_at_once_where_nothing_runs(life: Life, command: str) -> None:
    life.opened_and_planned()
    actions = life.comment(f"terrateam {command}")
    assert kinds(actions)[0] == "react"
    run = only(actions, StartRun).run
    assert (run.operation.value, *run.directories) == tuple(command.split())
    assert run.actor == "infra-member"
    assert not run.automatic
    assert run.comment_id == life.comments


def test_help_is_answered_whatever_runs(life: Life) -> None:
    for _ in range(2):
        assert kinds(life.comment("terrateam help")) == ["react", "reply"]
        life.planning()


def test_a_typo_is_answered_and_starts_nothing(life: Life) -> None:
    actions = life.comment("terrateam aply")
    assert only(actions, Sign).content == "confused"
    assert "terrateam apply" in only(actions, Reply).body
    assert life.state.active is None


@pytest.mark.parametrize(
    "body, fields",
    [
        ("Looks good to me", {}),
        ("> terrateam apply", {}),
        ("```\nterrateam apply\n```", {}),
        ("terrateam apply", {"sender_is_bot": True}),
        ("terrateam apply", {"sender": BOT}),
        ("terrateam apply", {"comment_id": None}),
        (None, {}),
    ],
)
def test_what_is_no_command_of_a_person_does_nothing(life: Life, body: str | None, fields: dict[str, object]) -> None:
    event = {"kind": "comment_created", "sender": "lead", "comment_id": 1, "comment_body": body, **fields}
    assert take_event(life.state, PullRequestEvent.model_validate(event), BOT) == []


def test_only_the_prefixes_of_the_configuration_count_once_they_are_known(life: Life) -> None:
    life.planning()
    result = RunResult(
        run_id=life.run_id,
        operation=Operation.PLAN,
        status=RunStatus.SUCCEEDED,
        head_commit=HEAD,
        comment_prefixes=("infra",),
    )
    life.act(take_run_end(life.state, result))
    assert life.comment("docustack plan") == []
    assert "start-run" in kinds(life.comment("infra plan"))


BEHIND_A_PLAN = ["apply", f"apply {VPC}", "unlock", f"plan {VPC}"]
BEHIND_AN_APPLY = ["apply", f"apply {RDS}", "unlock", "plan", f"plan {VPC}"]
RUNNING: list[tuple[Callable[[Life], str], str]] = [
    *((Life.planning, command) for command in BEHIND_A_PLAN),
    *((Life.applying, command) for command in BEHIND_AN_APPLY),
]


@pytest.mark.parametrize("run, command", RUNNING)
def test_a_command_behind_a_run_waits_its_turn_says_so_and_begins(
    life: Life, run: Callable[[Life], str], command: str
) -> None:
    run_id = run(life)
    actions = life.comment(f"terrateam {command}")
    assert kinds(actions) == ["react", "reply", "signal-run"]
    assert "is next" in only(actions, Reply).body
    assert run_id in only(actions, Reply).body
    waiting = life.state.queue[0]
    assert life.end() == [StartRun(run=waiting)] or kinds(life.did) == ["fold-comments", "start-run"]
    assert life.state.queue == []
    assert (life.runs[-1].operation.value, *life.runs[-1].directories) == tuple(command.split())


def test_commands_in_line_begin_one_after_the_other_in_order(life: Life) -> None:
    life.applying()
    commands = ["unlock", f"plan {VPC}", "apply", f"apply {RDS}"]
    for command in commands:
        life.comment(f"terrateam {command}")
    positions = [f"number {index} in line" for index in range(2, 5)]
    assert positions[-1] in only(life.did, Reply).body
    for _ in commands:
        life.end()
    begun = [" ".join((run.operation.value, *run.directories)) for run in life.runs[2:]]
    assert begun == commands
    life.end()
    assert life.state.active is None


def test_a_plan_supersedes_a_plan(life: Life) -> None:
    old = life.planning()
    actions = life.comment("terrateam plan")
    assert only(actions, CancelRun).run_id == old
    assert only(actions, StartRun).run.actor == "infra-member"


def test_a_plan_of_a_directory_waits_for_the_whole_plan_and_then_keeps_its_others(life: Life) -> None:
    life.planning()
    life.comment(f"terrateam plan {VPC}")
    life.end(planned(VPC), planned(RDS))
    assert life.runs[-1].directories == (VPC,)
    assert set(life.state.plans) == {VPC, RDS}
    life.end(planned(VPC, run_id="again"))
    assert life.state.plans[VPC].run_id == "again"
    assert set(life.state.plans) == {VPC, RDS}


def test_commands_in_line_outlive_a_plan_that_supersedes_the_one_they_wait_for(life: Life) -> None:
    life.planning()
    life.comment("terrateam apply")
    life.comment("terrateam plan")
    assert len(life.state.queue) == 1
    life.end(planned(VPC))
    assert life.runs[-1].operation is Operation.APPLY


def test_commands_in_line_have_their_sign_when_it_is_closed(life: Life) -> None:
    life.applying()
    life.comment("terrateam plan")
    life.comment("terrateam unlock")
    actions = life.close()
    signs = [(action.comment_id, action.content) for action in actions if isinstance(action, Sign)]
    assert signs == [(life.comments - 1, "-1"), (life.comments, "-1")]
    assert "2 commands in line were not begun" in only(actions, Reply).body
    assert life.state.queue == []


def test_an_apply_in_line_is_not_carried_out_for_a_head_that_moved(life: Life) -> None:
    life.applying()
    life.comment("terrateam apply")
    life.comment("terrateam unlock")
    life.push()
    life.end()
    actions = life.end(planned(VPC, commit=NEW_HEAD))
    assert HEAD[:7] in only(actions, Reply).body
    assert NEW_HEAD[:7] in only(actions, Reply).body
    last = [run.operation for run in life.runs[-2:]]
    assert last == [Operation.PLAN, Operation.UNLOCK], "the new head comes first, and what waited behind goes on"


# ---- a run at its gate -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("command", ["apply", f"apply {VPC}"])
def test_apply_at_the_gate_wakes_the_run_and_names_who_said_so(life: Life, command: str) -> None:
    run_id = life.applying(at_gate=True)
    actions = life.comment(f"terrateam {command}", sender="lead")
    assert only(actions, SignalRun) == SignalRun(run_id=run_id, actor="lead")
    assert life.state.queue == []
    assert len(life.runs) == 2


ENDING = ["plan", f"plan {VPC}", "unlock", f"apply {RDS}"]


@pytest.mark.parametrize("command", ENDING)
def test_a_command_ends_an_apply_that_only_waits_once_its_own_run_may_begin(life: Life, command: str) -> None:
    life.opened_and_planned(VPC, RDS)
    life.comment(f"terrateam apply {VPC}", sender="lead")
    life.waits()
    waiting, asked = life.run_id, life.comments
    actions = life.comment(f"terrateam {command}")
    assert kinds(actions) == ["react", "start-run"]
    assert only(actions, StartRun).run.challenges == waiting
    assert life.state.active is not None
    assert life.state.active.run_id == waiting
    actions = life.may_begin()
    assert only(actions, CancelRun).run_id == waiting
    assert only(actions, GiveTurn).run_id == life.run_id == life.state.active.run_id
    assert only(actions, Sign) == Sign(comment_id=asked, content="-1")
    told = only(actions, Reply).body
    assert f"`terrateam {command}` by @infra-member" in told
    assert "apply of @lead" in told
    assert life.state.challenger is None


@pytest.mark.parametrize("command", ENDING)
@pytest.mark.parametrize("status", [RunStatus.REFUSED, RunStatus.FAILED, RunStatus.CANCELLED])
def test_a_command_that_is_refused_leaves_the_apply_waiting(life: Life, command: str, status: RunStatus) -> None:
    life.opened_and_planned(VPC, RDS)
    life.comment(f"terrateam apply {VPC}", sender="lead")
    life.waits()
    before = life.state.model_copy(deep=True)
    life.comment(f"terrateam {command}", sender="developer")
    refused = life.run_id
    assert life.end(run_id=refused, status=status, operation=life.runs[-1].operation, head=HEAD) == []
    assert life.state.active == before.active
    assert life.state.plans == before.plans
    assert life.state.challenger is None
    assert life.state.runs[-1].run_id == refused


def test_an_apply_that_passes_its_gate_meanwhile_is_not_ended_any_more(life: Life) -> None:
    life.applying(at_gate=True)
    life.comment("terrateam unlock")
    challenger = life.run_id
    life.waits(waiting=False)
    actions = life.may_begin()
    assert only(actions, CancelRun).run_id == challenger
    assert "is next" in only(actions, Reply).body
    assert only(life.end(), StartRun).run.operation is Operation.UNLOCK
    assert life.runs[-1].challenges == ""


def test_a_command_whose_apply_ends_by_itself_meanwhile_begins_anew(life: Life) -> None:
    life.applying(at_gate=True)
    life.comment("terrateam unlock")
    challenger = life.run_id
    actions = life.end()
    assert only(actions, CancelRun).run_id == challenger
    assert only(actions, StartRun).run.challenges == ""
    assert life.act(take_may_begin(life.state, RunMayBegin(run_id=challenger))) == []
    life.end(run_id=challenger, status=RunStatus.CANCELLED)
    assert life.state.superseded == []


def test_one_command_at_a_time_asks_whether_it_may_end_an_apply(life: Life) -> None:
    run_id = life.applying(at_gate=True)
    life.comment("terrateam unlock", sender="developer")
    refused = life.run_id
    life.comment("terrateam plan")
    assert len(life.state.queue) == 1
    actions = life.end(run_id=refused, status=RunStatus.REFUSED, operation=Operation.UNLOCK, head=HEAD)
    assert only(actions, StartRun).run.challenges == run_id


def test_a_close_ends_who_asks_whether_it_may_end_an_apply(life: Life) -> None:
    run_id = life.applying(at_gate=True)
    life.comment("terrateam unlock")
    challenger = life.run_id
    assert life.close() == [CancelRun(run_id=challenger, reason=SUPERSEDED_BY_PLAN), SignalRun(run_id=run_id)]
    assert life.state.challenger is None
    assert life.end()[-1:] == [ReleaseAllLocks()]


def test_a_terminated_run_that_asked_whether_it_may_end_an_apply_is_told_of(life: Life) -> None:
    run_id = life.applying(at_gate=True)
    life.comment("terrateam unlock")
    challenger = life.run_id
    miss_run(life.state, challenger)
    assert challenger in only(life.act(take_run_lost(life.state, challenger)), Reply).body
    assert life.state.active is not None
    assert life.state.active.run_id == run_id
    assert life.state.challenger is None


def test_a_plan_that_was_in_line_begins_once_the_apply_only_waits(life: Life) -> None:
    run_id = life.applying()
    life.comment("terrateam plan")
    actions = life.waits()
    assert only(actions, StartRun).run.operation is Operation.PLAN
    assert life.state.queue == []
    assert only(life.may_begin(), CancelRun).run_id == run_id


def test_an_apply_in_line_stays_there_while_the_one_before_it_waits(life: Life) -> None:
    life.applying()
    life.comment("terrateam apply")
    assert life.waits() == []
    assert len(life.state.queue) == 1


def test_past_its_gate_an_apply_is_disturbed_by_nothing(life: Life) -> None:
    life.applying(at_gate=True)
    life.waits(waiting=False)
    for command in ("plan", "unlock", "apply"):
        assert "cancel-run" not in kinds(life.comment(f"terrateam {command}"))
    assert len(life.state.queue) == 3


def test_news_of_the_gate_overtake_what_people_ask(life: Life) -> None:
    life.applying(at_gate=True)
    life.state.inbox.append(InboxEntry(event=PullRequestEvent(kind="comment_created", comment_body="terrateam plan")))
    hear_waits(life.state, RunWaits(run_id=life.run_id, waiting=False))
    hear_waits(life.state, RunWaits(run_id=life.run_id, waiting=True))
    assert [entry.waits and entry.waits.waiting for entry in life.state.inbox] == [False, True, None]


def test_news_of_a_run_that_does_not_count_any_more_change_nothing(life: Life) -> None:
    old = life.planning()
    life.push()
    assert take_run_waits(life.state, RunWaits(run_id=old, waiting=True)) == []
    assert life.state.active is not None
    assert not life.state.active.waiting


@pytest.mark.parametrize("kind", [EventKind.REVIEW_SUBMITTED, EventKind.REVIEW_DISMISSED])
@pytest.mark.parametrize("at_gate", [True, False])
def test_a_review_makes_an_apply_look_again(life: Life, kind: EventKind, at_gate: bool) -> None:
    run_id = life.applying(at_gate=at_gate)
    assert life.event(kind) == [SignalRun(run_id=run_id)]


def test_a_superseded_apply_that_had_passed_its_gate_leaves_no_plan_that_it_has_begun(life: Life) -> None:
    life.opened_and_planned(VPC, RDS)
    plans = dict(life.state.plans)
    life.comment("terrateam apply")
    life.waits()
    old = life.run_id
    life.comment("terrateam unlock")
    life.may_begin()
    life.end(
        ended(VPC, UnitPhase.APPLIED, plans[VPC]),
        ended(RDS, UnitPhase.UNKNOWN, plans[RDS].model_copy(update={"spent": True})),
        run_id=old,
        operation=Operation.APPLY,
        head=HEAD,
    )
    assert set(life.state.plans) == {RDS}
    assert life.state.plans[RDS].spent
    assert life.state.applied == {VPC: HEAD}


def test_a_superseded_apply_spoils_no_plan_that_was_made_since(life: Life) -> None:
    life.opened_and_planned()
    begun = life.state.plans[VPC]
    life.comment("terrateam apply")
    life.waits()
    old = life.run_id
    life.comment("terrateam plan")
    life.may_begin()
    life.end(planned(VPC, run_id="new"))
    life.end(ended(VPC, UnitPhase.APPLIED, begun), run_id=old, operation=Operation.APPLY, head=HEAD)
    assert life.state.plans[VPC].run_id == "new"


# ---- what is kept ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "phase, plan, kept, applied",
    [
        (UnitPhase.APPLIED, plan_of(VPC), None, True),
        (UnitPhase.APPLIED, None, None, True),
        (UnitPhase.NO_CHANGES, plan_of(VPC), plan_of(VPC), False),
        (UnitPhase.FAILED, plan_of(VPC, spent=True), plan_of(VPC, spent=True), False),
        (UnitPhase.UNKNOWN, plan_of(VPC, spent=True), plan_of(VPC, spent=True), False),
        (UnitPhase.SKIPPED, plan_of(VPC), plan_of(VPC), False),
        (UnitPhase.SKIPPED, None, plan_of(VPC), False),
    ],
)
def test_what_an_apply_leaves_of_a_units_plan(
    life: Life, phase: UnitPhase, plan: PlanRecord | None, kept: PlanRecord | None, applied: bool
) -> None:
    life.event(EventKind.OPENED)
    life.end(ended(VPC, UnitPhase.PLANNED, plan_of(VPC)))
    life.comment("terrateam apply")
    life.end(ended(VPC, phase, plan))
    assert life.state.plans.get(VPC) == kept
    assert life.state.applied == ({VPC: HEAD} if applied else {})


def test_a_deferred_unit_is_remembered_until_it_is_planned_or_applied(life: Life) -> None:
    life.event(EventKind.OPENED)
    life.end(planned(VPC), ended(RDS, UnitPhase.DEFERRED))
    assert life.state.deferred == [RDS]
    life.comment("terrateam apply")
    life.end(ended(RDS, UnitPhase.APPLIED))
    assert life.state.deferred == []


def test_a_whole_plan_begins_from_nothing_and_one_of_a_directory_does_not(life: Life) -> None:
    life.opened_and_planned(VPC, RDS)
    life.comment(f"terrateam plan {VPC}")
    assert set(life.state.plans) == {VPC, RDS}
    life.end()
    life.comment("terrateam plan")
    assert set(life.state.plans) == {VPC, RDS}
    life.end(planned(VPC))
    assert set(life.state.plans) == {VPC}


def test_a_commanded_plan_takes_the_place_of_the_old_ones_only_once_it_is_made(life: Life) -> None:
    life.event(EventKind.OPENED)
    life.end(planned(VPC), comments=(7,))
    life.comment("terrateam plan")
    assert "fold-comments" not in kinds(life.did)
    assert only(life.end(planned(VPC), comments=(8,)), FoldComments).comment_ids == (7,)


@pytest.mark.parametrize("status", [RunStatus.REFUSED, RunStatus.CANCELLED])
def test_a_plan_that_was_refused_or_cut_off_leaves_the_old_ones(life: Life, status: RunStatus) -> None:
    life.event(EventKind.OPENED)
    life.end(planned(VPC), comments=(7,))
    life.comment("terrateam plan", sender="outsider")
    assert "fold-comments" not in kinds(life.end(status=status))
    assert set(life.state.plans) == {VPC}


def test_plans_of_another_base_are_dropped_at_once(life: Life) -> None:
    life.opened_and_planned(VPC)
    life.change(base_ref="staging")
    life.event(EventKind.EDITED, base_changed=True)
    assert life.state.plans == {}
    life.end(status=RunStatus.CANCELLED)
    assert life.state.plans == {}


@pytest.mark.parametrize("at_gate", [False, True])
@pytest.mark.parametrize("command", ["plan", "apply", "unlock"])
def test_without_push_access_a_command_starts_and_supersedes_nothing(life: Life, command: str, at_gate: bool) -> None:
    if at_gate:
        life.applying(at_gate=True)
    else:
        life.planning()
    before = life.state.model_copy(deep=True)
    event = PullRequestEvent.model_validate(
        {"kind": "comment_created", "sender": "outsider", "comment_id": 99, "comment_body": f"terrateam {command}"}
    )
    assert asks_for_a_run(life.state, event, BOT)
    assert kinds(life.act(take_event(life.state, event, BOT, may_command=False))) == ["react", "reply"]
    assert life.state == before.model_copy(update={"answered": life.state.answered})


@pytest.mark.parametrize("body", ["terrateam help", "hello", "terrateam aply"])
def test_what_starts_no_run_needs_no_push_access(life: Life, body: str) -> None:
    event = PullRequestEvent.model_validate(
        {"kind": "comment_created", "sender": "outsider", "comment_id": 99, "comment_body": body}
    )
    assert not asks_for_a_run(life.state, event, BOT)


def test_a_run_is_remembered_with_its_end(life: Life) -> None:
    life.planning()
    life.end(status=RunStatus.FAILED)
    assert [(run.operation, run.status, run.head_commit) for run in life.state.runs] == [
        (Operation.PLAN, RunStatus.FAILED, HEAD)
    ]


# ---- close and reopen ------------------------------------------------------------------------------------------------


def test_a_close_with_nothing_running_releases_the_locks(life: Life) -> None:
    life.opened_and_planned()
    assert life.close() == [ReleaseAllLocks()]
    assert not life.state.is_open


def test_a_close_while_a_plan_runs_cancels_it_and_begins_nothing_after(life: Life) -> None:
    old = life.planning()
    life.comment("terrateam apply")
    actions = life.close()
    assert only(actions, CancelRun).run_id == old
    assert "release-locks" in kinds(actions)
    assert "start-run" not in kinds(life.end(run_id=old))
    assert life.state.queue == []
    assert life.state.superseded == []


@pytest.mark.parametrize("at_gate", [True, False])
def test_a_close_while_an_apply_runs_or_waits_keeps_the_locks_until_it_has_ended(life: Life, at_gate: bool) -> None:
    run_id = life.applying(at_gate=at_gate)
    assert life.close() == [SignalRun(run_id=run_id)]
    assert life.end() == [ReleaseAllLocks()]


def test_a_close_forgets_the_plan_of_a_push_that_waited_for_an_apply(life: Life) -> None:
    life.applying()
    life.push()
    life.comment("terrateam apply")
    life.close()
    assert life.end() == [ReleaseAllLocks()]


def test_a_command_on_a_closed_pull_request_is_answered_and_starts_nothing(life: Life) -> None:
    life.opened_and_planned()
    life.close()
    actions = life.comment("terrateam apply")
    assert "closed" in only(actions, Reply).body
    assert "start-run" not in kinds(actions)


@pytest.mark.parametrize("kind", [kind for kind in EventKind if kind is not EventKind.COMMENT_CREATED])
def test_no_event_starts_anything_on_a_closed_pull_request(life: Life, kind: EventKind) -> None:
    life.change(state="closed")
    assert life.event(kind) == [ReleaseAllLocks()]


def test_reopening_plans_anew(life: Life) -> None:
    life.opened_and_planned()
    life.close()
    assert only(life.reopen(), StartRun).run.automatic


def test_reopening_while_an_apply_still_runs_leaves_it_its_locks(life: Life) -> None:
    life.applying()
    life.close()
    assert life.reopen() == []
    assert "release-locks" not in kinds(life.end(ended(VPC, UnitPhase.APPLIED)))


def test_a_close_that_was_taken_back_before_it_was_read_ends_in_a_plan(life: Life) -> None:
    life.opened_and_planned()
    life.event(EventKind.CLOSED)
    assert only(life.event(EventKind.REOPENED), StartRun).run.operation is Operation.PLAN


# ---- deliveries, and runs that vanish --------------------------------------------------------------------------------


def test_a_delivery_counts_once_and_one_without_an_id_always(life: Life) -> None:
    assert [remember(life.state, name) for name in ("1", "2", "1", "", "")] == [True, True, False, True, True]


def test_deliveries_of_the_last_days_are_remembered_and_older_ones_forgotten(life: Life) -> None:
    for index in range(2_500):
        remember(life.state, str(index))
    assert len(life.state.seen) == 2_000
    assert not remember(life.state, "600")
    assert remember(life.state, "400")


def test_a_run_that_was_terminated_is_found_and_the_line_behind_it_goes_on(life: Life) -> None:
    run_id = life.planning()
    life.comment("terrateam apply")
    miss_run(life.state, run_id)
    miss_run(life.state, run_id)
    assert [entry.lost for entry in life.state.inbox] == [run_id]
    actions = life.act(take_run_lost(life.state, run_id))
    assert run_id in only(actions, Reply).body
    ended = only(actions, EndCheck)
    assert (ended.run_id, ended.operation, ended.head_commit) == (run_id, Operation.PLAN, HEAD)
    assert only(actions, StartRun).run.operation is Operation.APPLY


def test_a_terminated_apply_leaves_no_plan_that_is_applied_as_it_is(life: Life) -> None:
    run_id = life.applying()
    life.act(take_run_lost(life.state, run_id))
    assert life.state.plans[VPC].spent
    assert life.state.active is None
    assert life.state.runs[-1].status is RunStatus.CANCELLED


def test_a_run_whose_end_is_on_its_way_is_not_missed(life: Life) -> None:
    run_id = life.planning()
    result = RunResult(run_id=run_id, operation=Operation.PLAN, status=RunStatus.SUCCEEDED, head_commit=HEAD)
    life.state.inbox.append(InboxEntry(ended=result))
    miss_run(life.state, run_id)
    miss_run(life.state, "somebody-elses")
    assert len(life.state.inbox) == 1


def test_a_superseded_run_that_vanished_is_not_waited_for_and_its_check_ends_at_its_own_commit(life: Life) -> None:
    old = life.planning()
    life.push()
    miss_run(life.state, old)
    ended = only(take_run_lost(life.state, old), EndCheck)
    assert (ended.run_id, ended.operation, ended.head_commit) == (old, Operation.PLAN, HEAD)
    assert life.state.superseded == []
    assert life.state.active is not None
    assert take_run_lost(life.state, old) == [], "once"


@pytest.mark.parametrize("later", [lambda life: life.push("9" * 40), Life.close, lambda life: life.comment("hi")])
def test_a_superseded_run_that_has_not_told_its_end_is_looked_for_at_the_next_end_and_event(
    life: Life, later: Callable[[Life], list[Action]]
) -> None:
    old = life.planning()
    life.push()
    assert only(life.end(), SignalRun).run_id == old
    assert only(later(life), SignalRun).run_id == old


def test_a_superseded_run_that_has_not_told_its_end_is_looked_for_also_where_nothing_happens(life: Life) -> None:
    old = life.planning()
    life.push()
    life.end()
    assert only(take_entry(life.state, InboxEntry(look_around=True)), SignalRun).run_id == old


def test_a_run_that_can_not_be_started_is_told_and_holds_up_nobody(life: Life) -> None:
    life.planning()
    life.comment("terrateam unlock")
    assert life.state.active is not None
    actions = life.act(not_started(life.state, life.runs[-1], "the id is taken"))
    assert "the id is taken" in only(actions, Reply).body
    assert life.state.active is not None
    assert life.state.active.operation is Operation.UNLOCK
    life.end()
    assert "start-run" in kinds(life.event(EventKind.SYNCHRONIZE)), "the head is not planned yet"


# ---- any order -------------------------------------------------------------------------------------------------------

STEPS: dict[str, Callable[[Life], object]] = {
    "push": lambda life: life.push(f"{len(life.runs):040}"),
    "plan": lambda life: life.comment("terrateam plan"),
    "plan-dir": lambda life: life.comment(f"terrateam plan {VPC}"),
    "apply": lambda life: life.comment("terrateam apply"),
    "unlock": lambda life: life.comment("terrateam unlock"),
    "gate": lambda life: life.waits() if life.state.active else None,
    "may-begin": lambda life: life.may_begin() if life.state.challenger else None,
    "end": lambda life: life.end() if life.state.active else None,
    "close": Life.close,
    "reopen": Life.reopen,
}


def test_in_any_order_everything_begun_ends_and_the_newest_head_is_planned() -> None:
    for steps in itertools.permutations(STEPS, 4):
        _ends_well(steps)


def _ends_well(steps: tuple[str, ...]) -> None:
    life = Life()
    life.event(EventKind.OPENED)
    for step in steps:
        STEPS[step](life)
        assert life.state.active is not None or not life.state.queue, steps
    for _ in range(20):
        if challenger := life.state.challenger:
            life.end(run_id=challenger.run_id, head=HEAD)
        for old in list(life.state.superseded):
            life.end(run_id=old.run_id, head=HEAD)
        if life.state.active is None:
            break
        life.end()
    state = life.state
    assert (state.active, state.queue, state.superseded, state.plan_again) == (None, [], [], False), steps
    assert state.challenger is None, steps
    assert state.facts is not None
    if state.is_open:
        assert state.planned_head == state.facts.head_commit, steps
    else:
        assert "release-locks" in kinds(life.close())


# ---- comments that come again, or late -------------------------------------------------------------------------------


def test_a_comment_counts_once_by_whichever_delivery_it_comes(life: Life) -> None:
    life.opened_and_planned()
    life.comment("terrateam apply", delivery_id="organization-hook")
    life.end(ended(VPC, UnitPhase.APPLIED))
    life.comments -= 1
    assert life.comment("terrateam apply", delivery_id="repository-hook") == []


@pytest.mark.parametrize("body", ["terrateam apply", "terrateam aply", "terrateam help"])
def test_a_comment_that_a_life_before_has_answered_does_nothing(life: Life, body: str) -> None:
    life.opened_and_planned()
    event = PullRequestEvent.model_validate(
        {"kind": "comment_created", "sender": "infra-member", "comment_id": 99, "comment_body": body}
    )
    assert wants_an_answer(life.state, event, BOT)
    assert take_event(life.state, event, BOT, answered=True) == []


WRITTEN, PUSHED, LATER = "2026-01-01T10:00:00Z", "2026-01-01T11:00:00Z", "2026-01-01T12:00:00Z"


def test_an_apply_that_is_older_than_the_head_is_not_carried_out_however_late_it_comes(life: Life) -> None:
    life.change(updated_at=PUSHED)
    life.opened_and_planned()
    actions = life.comment("terrateam apply", comment_created_at=WRITTEN)
    assert only(actions, Sign).content == "-1"
    assert HEAD[:7] in only(actions, Reply).body
    assert "start-run" in kinds(life.comment("terrateam apply", comment_created_at=LATER))


@pytest.mark.parametrize("written", [PUSHED, LATER, None, "", "yesterday", "2026-01-01T10:00:00"])
def test_an_apply_of_which_it_can_not_be_said_that_it_is_older_is_carried_out(life: Life, written: str | None) -> None:
    life.change(updated_at=PUSHED)
    life.opened_and_planned()
    assert "start-run" in kinds(life.comment("terrateam apply", comment_created_at=written))


def test_an_old_plan_or_unlock_harms_nobody(life: Life) -> None:
    life.change(updated_at=PUSHED)
    life.opened_and_planned()
    assert "start-run" in kinds(life.comment("terrateam unlock", comment_created_at=WRITTEN))


def test_what_comes_again_after_a_reopening_is_not_planned_twice(life: Life) -> None:
    life.opened_and_planned()
    life.close()
    life.reopen()
    life.end(planned(VPC))
    for kind in (EventKind.OPENED, EventKind.REOPENED, EventKind.SYNCHRONIZE):
        assert life.event(kind) == []


def test_reopened_in_a_new_life_the_comments_of_forgotten_plans_are_marked_outdated_once(life: Life) -> None:
    life.change(updated_at=PUSHED)
    actions = life.event(EventKind.REOPENED)
    assert only(actions, FoldForgotten).before == PUSHED
    life.end(planned(VPC))
    assert "fold-forgotten" not in kinds(life.push())


def test_a_new_pull_request_has_no_forgotten_plans(life: Life) -> None:
    assert "fold-forgotten" not in kinds(life.event(EventKind.OPENED))


def test_nothing_is_marked_outdated_on_a_closed_pull_request(life: Life) -> None:
    life.change(state="closed", merged=True)
    assert kinds(life.comment("terrateam apply")) == ["react", "reply", "release-locks"]


def test_a_typo_on_a_closed_pull_request_is_answered(life: Life) -> None:
    life.change(state="closed")
    assert "terrateam apply" in only(life.comment("terrateam aply"), Reply).body
    assert only(life.did, Sign).content == "confused"


@pytest.mark.parametrize(
    "facts_now, told",
    [({}, "this isn't merged."), ({"state": "closed", "merged": True, "merge_commit": NEW_HEAD}, "owned by nobody.")],
)
def test_a_dismissal_of_nothing_says_why_and_asks_for_nothing(
    life: Life, facts_now: dict[str, object], told: str
) -> None:
    life.opened_and_planned()
    life.change(**facts_now)
    reply = only(life.comment(f"terrateam dismiss {VPC}"), Reply).body
    assert reply.startswith("Nothing to dismiss: ")
    assert reply.endswith(told)
