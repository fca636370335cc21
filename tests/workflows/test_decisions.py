"""Yes and no from every door that is not GitHub's: who may, who may not, the author, replayed, forged, malformed."""

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import uuid4

import pytest
from temporalio.api.common.v1 import Payload
from temporalio.client import WorkflowHandle, WorkflowUpdateFailedError
from temporalio.common import RawValue
from temporalio.exceptions import ApplicationError
from temporalio.service import RPCError

from docustack.runs import RunStatus
from docustack.signed_approvals import Approval, ApprovalAnswer, SignedApproval, Verdict, sign
from tests.workflows.conftest import Stage
from tests.workflows.fakes import APPROVAL_KEY, CONFIGURATION, PEOPLE, Unit, read
from workflows.run_models import RunView

DEV = "dev/us-east-1/vpc"
PROD, DATABASE = "prod/us-east-1/vpc", "prod/us-east-1/rds"
HEAD = "a" * 40


@dataclass
class Waiting:
    """A run at its gate, and what people tell it."""

    stage: Stage
    run: "WorkflowHandle[Any, Any]"
    run_id: str

    async def view(self) -> RunView:
        view: RunView = await self.run.query("show", result_type=RunView)
        return view

    async def approval(self, login: str, *, verdict: Verdict = Verdict.APPROVE, **changes: object) -> Approval:
        approval = Approval(
            verdict=verdict,
            login=login,
            run_id=self.run_id,
            commit=HEAD,
            plans=(await self.view()).plans,
            reason="" if verdict is Verdict.APPROVE else "it drops the database",
            given_at=datetime.now(UTC),
            nonce=uuid4().hex,
        )
        return approval.model_copy(update=changes)

    async def send(self, approval: Approval, *, key: str = APPROVAL_KEY) -> ApprovalAnswer:
        answer: ApprovalAnswer = await self.run.execute_update(
            approval.verdict.value, sign(approval, key), result_type=ApprovalAnswer
        )
        return answer

    async def refused(self, approval: Approval, *, key: str = APPROVAL_KEY) -> str:
        """Refused, with a trace or without: why."""
        try:
            answer = await self.send(approval, key=key)
        except WorkflowUpdateFailedError as error:
            return str(error.cause.type) if isinstance(error.cause, ApplicationError) else repr(error.cause)
        assert not answer.accepted
        return answer.refusal

    async def signal(self, name: str, *inputs: object) -> None:
        await self.run.signal(name, args=list(inputs))

    @property
    def told(self) -> str:
        return read(self.stage.world.texts_now.get("decisions", ""))

    async def until_told(self, *parts: str) -> None:
        await self.stage.until(lambda: all(part in self.told for part in parts), f"{parts} in {self.told}")

    async def still_waits(self) -> None:
        assert (await self.view()).status is RunStatus.WAITING
        assert self.stage.world.applied == []


async def waiting(
    stage: Stage, units: dict[str, Unit] | None = None, *, author: str = "infra-member", trusting: bool = False
) -> Waiting:
    """An apply of prod that waits for one approval of a lead."""
    if trusting:
        prod = CONFIGURATION.environments["prod"].model_copy(update={"trust_temporal_operators": True})
        environments = {**CONFIGURATION.environments, "prod": prod}
        stage.world.configuration = CONFIGURATION.model_copy(update={"environments": environments})
    stage.world.units = units or {PROD: Unit()}
    stage.world.open(author=author)
    await stage.send("opened", sender=author)
    await stage.until_ended(1)
    await stage.comment("terrateam apply", sender="lead")
    return await at_gate(stage)


async def at_gate(stage: Stage, times: int = 1) -> Waiting:
    await stage.until(lambda: len(stage.world.texts("Waiting for approval")) == times)
    active = (await stage.state()).active
    assert active is not None
    return Waiting(stage, stage.client.get_workflow_handle(f"run:{active.run_id}"), active.run_id)


# ---- through the server: signed --------------------------------------------------------------------------------------


async def test_an_approval_of_who_may_lets_the_run_go_on(stage: Stage) -> None:
    gate = await waiting(stage)
    answer = await gate.send(await gate.approval("lead"))
    assert answer.accepted, answer.message
    await stage.until(lambda: stage.world.applied == [PROD])
    await gate.until_told("✅", "`approve` of `lead` through the server")
    await stage.until_idle()


async def test_an_approval_of_who_may_not_is_refused_at_once_and_on_record(stage: Stage) -> None:
    gate = await waiting(stage)
    assert await gate.refused(await gate.approval("developer")) == "not-allowed"
    assert await gate.refused(await gate.approval("stranger")) == "not-allowed"
    await gate.until_told("`developer`", "`stranger`", "is not a member of the `leads` team")
    assert [one.counts for one in (await gate.view()).decisions] == [False, False]
    await gate.still_waits()


async def test_the_author_can_not_approve_by_this_door_either(stage: Stage) -> None:
    gate = await waiting(stage, author="lead")
    assert await gate.refused(await gate.approval("lead")) == "author"
    assert await gate.refused(await gate.approval("LEAD")) == "author"
    assert (await gate.view()).decisions == (), "a refused update leaves no trace"
    await gate.still_waits()
    assert (await gate.send(await gate.approval("second-lead"))).accepted
    await stage.until(lambda: stage.world.applied == [PROD])


async def test_what_is_no_answer_to_the_question_is_refused(stage: Stage) -> None:
    gate = await waiting(stage)
    long_ago, tomorrow = datetime.now(UTC) - timedelta(hours=1), datetime.now(UTC) + timedelta(days=1)
    for refusal, changes in (
        ("other-commit", {"commit": "b" * 40}),
        ("other-plans", {"plans": "sha256:other"}),
        ("other-run", {"run_id": "another"}),
        ("expired", {"given_at": long_ago}),
        ("expired", {"given_at": tomorrow}),
    ):
        assert await gate.refused(await gate.approval("lead", **changes)) == refusal
    assert (await gate.view()).decisions == (), "a refused update leaves no trace"
    await gate.still_waits()


async def test_an_approval_counts_once_however_often_it_is_sent(stage: Stage) -> None:
    gate = await waiting(stage)
    caught = await gate.approval("developer")
    assert await gate.refused(caught) == "not-allowed"
    stage.world.people["developer"] = PEOPLE["developer"].model_copy(update={"teams": ("leads",)})
    assert await gate.refused(caught) == "replayed"
    await gate.still_waits()


async def test_a_forged_approval_counts_for_nobody_and_is_told(stage: Stage) -> None:
    gate = await waiting(stage)
    genuine = await gate.approval("developer")
    signed_for_another = SignedApproval(
        approval=genuine.model_copy(update={"login": "lead"}), signature=sign(genuine, APPROVAL_KEY).signature
    )
    assert await gate.refused(await gate.approval("lead"), key="a key of somebody else") == "forged"
    answer = await gate.run.execute_update("approve", signed_for_another, result_type=ApprovalAnswer)
    assert (answer.accepted, answer.refusal) == (False, "forged")
    await gate.until_told("`lead`", "not signed by this installation's server")
    with pytest.raises(WorkflowUpdateFailedError):  # a no can't be turned into a yes
        await gate.run.execute_update(
            "approve", sign(await gate.approval("lead", verdict=Verdict.REJECT), APPROVAL_KEY)
        )
    await gate.still_waits()


async def test_a_forged_approval_uses_up_nothing_of_the_genuine_one(stage: Stage) -> None:
    """Else whoever reaches Temporal could make a run forget, by many forged ones, what it was sent before."""
    gate = await waiting(stage)
    approval = await gate.approval("lead")
    assert await gate.refused(approval, key="a key of somebody else") == "forged"
    assert (await gate.send(approval)).accepted
    await stage.until(lambda: stage.world.applied == [PROD])


async def test_an_approval_that_is_sent_twice_at_once_counts_once(stage: Stage) -> None:
    gate = await waiting(stage)
    caught = await gate.approval("developer")
    refused = await asyncio.gather(gate.refused(caught), gate.refused(caught))
    assert sorted(refused) == ["not-allowed", "replayed"]
    await gate.still_waits()


async def test_a_malformed_approval_or_rejection_is_answered_and_harms_nothing(stage: Stage) -> None:
    gate = await waiting(stage)
    contents: list[object] = [{}, {"actor": "lead"}, "yes", None, {"approval": {}, "signature": "x"}]
    for content in contents:
        for verdict in Verdict:
            with pytest.raises(WorkflowUpdateFailedError):
                await gate.run.execute_update(verdict.value, content)
    await gate.still_waits()


async def test_an_approval_is_not_taken_while_github_can_not_be_asked(stage: Stage) -> None:
    gate = await waiting(stage)
    stage.world.people_are_unknown = True
    assert await gate.refused(await gate.approval("lead")) == "unavailable"
    stage.world.people_are_unknown = False
    assert (await gate.send(await gate.approval("lead"))).accepted


async def test_who_was_thrown_out_of_the_team_meanwhile_has_not_approved(stage: Stage) -> None:
    prod = CONFIGURATION.environments["prod"]
    two = prod.model_copy(update={"approvals": prod.approvals.model_copy(update={"minimum": 2})})
    stage.world.configuration = CONFIGURATION.model_copy(
        update={"environments": {**CONFIGURATION.environments, "prod": two}}
    )
    gate = await waiting(stage)
    assert (await gate.send(await gate.approval("second-lead"))).accepted
    stage.world.people["second-lead"] = PEOPLE["second-lead"].model_copy(update={"teams": ()})
    assert (await gate.send(await gate.approval("lead"))).accepted
    await stage.until(lambda: bool(stage.world.texts("The approval of @second-lead doesn't count")))
    assert stage.world.applied == []


async def test_a_review_and_an_approval_of_this_door_count_together(stage: Stage) -> None:
    prod = CONFIGURATION.environments["prod"]
    two = prod.model_copy(update={"approvals": prod.approvals.model_copy(update={"minimum": 2})})
    stage.world.configuration = CONFIGURATION.model_copy(
        update={"environments": {**CONFIGURATION.environments, "prod": two}}
    )
    gate = await waiting(stage)
    assert (await gate.send(await gate.approval("lead"))).accepted
    await stage.until(lambda: bool(stage.world.texts("has 1, from @lead")))
    stage.world.approve("second-lead")
    await stage.send("review_submitted", sender="second-lead", review_state="approved")
    await stage.until(lambda: stage.world.applied == [PROD])


async def test_a_plan_takes_no_approval_and_neither_does_a_run_that_has_ended(stage: Stage) -> None:
    gate = await waiting(stage)
    planned = (await stage.state()).runs[0].run_id
    assert (await gate.send(await gate.approval("lead"))).accepted
    await stage.until_ended(2)
    for run_id in (planned, gate.run_id):
        handle = stage.client.get_workflow_handle(f"run:{run_id}")
        with pytest.raises(Exception, match=r"completed|not found"):
            await handle.execute_update("approve", sign(await gate.approval("lead", run_id=run_id), APPROVAL_KEY))


async def test_an_approval_is_not_one_of_a_plan_that_was_made_again_and_does_more(stage: Stage) -> None:
    """The second unit is planned again after the first was applied, and then does more than anybody has seen."""
    second = Unit(dependencies=(PROD,), later_changes=frozenset({"create main", "delete table"}))
    gate = await waiting(stage, {PROD: Unit(), DATABASE: second})
    seen = await gate.approval("lead")
    assert (await gate.send(seen)).accepted
    await stage.until(lambda: bool(stage.world.texts("does more than was approved")))
    assert stage.world.applied == [PROD]
    assert await gate.refused(await gate.approval("lead", plans=seen.plans)) == "other-plans"
    await stage.until(lambda: second.plans == 2)
    assert (await gate.send(await gate.approval("lead"))).accepted
    await stage.until(lambda: stage.world.applied == [PROD, DATABASE])
    await stage.until_idle()


async def test_an_approval_of_one_new_plan_is_none_of_the_next_where_no_approval_is_asked_for(stage: Stage) -> None:
    more = frozenset({"create main", "delete table"})
    units = [f"dev/us-east-1/{name}" for name in ("vpc", "ecs-cluster", "rds")]
    stage.world.units = {
        unit: Unit(dependencies=(*units[max(place - 1, 0) : place],), later_changes=more)
        for place, unit in enumerate(units)
    }
    stage.world.open()
    await stage.send("opened")
    await stage.until_ended(1)
    await stage.comment("terrateam apply")

    async def asked_of(unit: str) -> Waiting:
        await stage.until(lambda: stage.world.units[unit].plans == 2, "the new plan")
        active = (await stage.state()).active
        assert active is not None
        gate = Waiting(stage, stage.client.get_workflow_handle(f"run:{active.run_id}"), active.run_id)
        async with asyncio.timeout(30):
            while not [plan for plan in (await gate.view()).shown if plan.unit == unit and "delete" in plan.digest]:
                await asyncio.sleep(0.02)
        return gate

    gate = await asked_of(units[1])
    assert (await gate.send(await gate.approval("lead"))).accepted
    gate = await asked_of(units[2])
    assert await gate.refused(await gate.approval("outsider")) == "not-allowed"
    assert stage.world.applied == units[:2]
    assert (await gate.send(await gate.approval("lead"))).accepted
    await stage.until(lambda: stage.world.applied == units, "the apply after its own yes")


async def test_a_forged_rejection_ends_nothing_and_neither_does_one_of_another_run(stage: Stage) -> None:
    gate = await waiting(stage)
    no = Verdict.REJECT
    assert await gate.refused(await gate.approval("lead", verdict=no), key="a key of somebody else") == "forged"
    assert await gate.refused(await gate.approval("lead", verdict=no, run_id="another")) == "other-run"
    caught = await gate.approval("developer", verdict=no)
    assert await gate.refused(caught) == "not-allowed"
    stage.world.people["developer"] = PEOPLE["developer"].model_copy(update={"teams": ("leads",)})
    assert await gate.refused(caught) == "replayed"
    await gate.still_waits()


async def test_a_rejection_ends_the_run_and_says_by_whom_and_why(stage: Stage) -> None:
    gate = await waiting(stage)
    assert await gate.refused(await gate.approval("outsider", verdict=Verdict.REJECT)) == "not-allowed"
    assert await gate.refused(await gate.approval("lead", verdict=Verdict.REJECT, reason=" ")) == "no-reason"
    await gate.still_waits()
    assert (await gate.send(await gate.approval("lead", verdict=Verdict.REJECT))).accepted
    state = await stage.until_ended(2)
    assert state.runs[-1].status is RunStatus.REFUSED
    assert stage.world.texts("Rejected by @lead: it drops the database")
    assert stage.world.applied == []
    check = stage.world.check("docustack/apply")
    assert check is not None
    assert (check.status, check.conclusion) == ("completed", "action_required")
    await stage.comment("terrateam apply", sender="lead")
    again = await at_gate(stage, 2)
    assert again.run_id != gate.run_id, "its plan is there for another try"


# ---- bare signals from Temporal's own UI or CLI ----------------------------------------------------------------------

MALFORMED: list[Sequence[object]] = [
    (),
    ("lead",),
    (None,),
    (17,),
    ([{"actor": "lead"}],),
    ({},),
    ({"actor": ""},),
    ({"actor": None},),
    ({"actor": "lead"}, {"actor": "lead"}),
    (RawValue(Payload(metadata={"encoding": b"json/plain"}, data=b"{not json")),),
    (RawValue(Payload(metadata={"encoding": b"binary/made-up"}, data=b"\xff\x00")),),
]


async def test_whatever_a_signal_carries_it_is_recorded_and_answered(stage: Stage) -> None:
    """Even where operators are trusted: who sends nothing that names somebody has approved nothing."""
    gate = await waiting(stage, trusting=True)
    for inputs in MALFORMED:
        await gate.signal("approve", *inputs)
    await gate.signal("reject", {"actor": "lead"})  # without a reason
    await gate.signal("aprove", {"actor": "lead"})
    await gate.until_told("`aprove`", "There is no such signal", "its input is an object", "says why")
    decisions = (await gate.view()).decisions
    assert len(decisions) == len(MALFORMED) + 2
    assert not any(decision.counts for decision in decisions)
    assert gate.told.count("⚠️") == len(decisions)
    assert len([comment for comment in stage.world.comments if comment.key.endswith(":decisions")]) == 1
    await gate.still_waits()


async def test_a_signal_of_somebody_whom_nobody_has_verified_counts_only_where_operators_are_trusted(
    stage: Stage,
) -> None:
    gate = await waiting(stage)
    await gate.signal("approve", {"actor": "lead"})
    await gate.until_told("claims to be of `lead`", "nobody has verified")
    await gate.signal("reject", {"actor": "second-lead", "reason": "no"})
    await gate.until_told("claims to be of `second-lead`")
    await gate.still_waits()


async def test_where_operators_are_trusted_the_rules_hold_for_who_they_say_they_are(stage: Stage) -> None:
    gate = await waiting(stage, author="second-lead", trusting=True)
    for login in ("developer", "stranger", "second-lead"):
        await gate.signal("approve", {"actor": login})
        await gate.until_told(f"claims to be of `{login}`")
    assert "is the author of the pull request" in gate.told
    assert gate.told.count("is not a member of the `leads` team") == 2
    await gate.still_waits()
    await gate.signal("approve", {"actor": "@lead", "reason": "read it"})
    await stage.until(lambda: stage.world.applied == [PROD])


async def test_a_signal_lifts_no_change_request_in_an_environment_that_trusts_no_operators(stage: Stage) -> None:
    """Where one environment of a run trusts them and another doesn't, each weighs the same words by its own rule."""
    prod = CONFIGURATION.environments["prod"]
    trusting = CONFIGURATION.environments["dev"].model_copy(
        update={"apply": ["leads"], "approvals": prod.approvals, "trust_temporal_operators": True}
    )
    stage.world.configuration = CONFIGURATION.model_copy(
        update={"environments": {**CONFIGURATION.environments, "dev": trusting}}
    )
    await stage.planned({DEV: Unit(), PROD: Unit()}, author="infra-member")
    stage.world.request_changes("lead")
    stage.world.approve("second-lead")
    await stage.comment("terrateam apply", sender="lead")
    gate = await at_gate(stage)
    asked = read(stage.world.texts("Waiting for approval")[-1])
    assert asked.count("@lead requested changes") == 2, "in dev and in prod"
    await gate.signal("approve", {"actor": "lead"})
    await at_gate(stage, 2)
    asked = read(stage.world.texts("Waiting for approval")[-1])
    assert "`dev`" not in asked, "there the signal counts"
    assert "@lead requested changes" in asked
    await gate.still_waits()
    stage.world.approve("lead")
    await stage.send("review_submitted", sender="lead", review_state="approved")
    await stage.until(lambda: stage.world.applied == [DEV, PROD])


async def test_where_operators_are_trusted_a_rejection_ends_the_run(stage: Stage) -> None:
    gate = await waiting(stage, trusting=True)
    await gate.signal("reject", {"actor": "lead", "reason": "not on a Friday"})
    await stage.until_ended(2)
    assert stage.world.texts("Rejected by @lead by a signal from Temporal: not on a Friday")
    assert stage.world.applied == []


async def test_a_signal_is_no_yes_to_a_plan_that_came_after_it_nor_to_another_commit(stage: Stage) -> None:
    """The same signal sent again is another yes, to what is shown then; the one from before covers nothing new."""
    second = Unit(dependencies=(PROD,), later_changes=frozenset({"create main", "delete table"}))
    stage.world.units = {PROD: Unit(), DATABASE: second}
    gate = await waiting(stage, stage.world.units, trusting=True)
    await gate.signal("approve", {"actor": "lead"})
    await stage.until(lambda: bool(stage.world.texts("does more than was approved")), "the new plan's question")
    assert stage.world.applied == [PROD]
    await stage.push("d" * 40)
    await stage.until(lambda: second.plans > 2, "the plan of the new commit")
    await stage.until_idle()
    with pytest.raises(RPCError, match="completed"):
        await gate.signal("approve", {"actor": "lead"})
    assert stage.world.applied == [PROD]


async def test_a_signal_to_a_run_that_waits_for_nobody_is_answered_too(stage: Stage) -> None:
    gate = await waiting(stage, trusting=True)
    stage.world.hold_applies = hold = asyncio.Event()
    await gate.signal("approve", {"actor": "lead"})
    await stage.until(stage.world.applying.is_set)
    await gate.signal("approve", {"actor": "second-lead"})
    await gate.until_told("waits for nobody's approval at this moment (it is running)")
    hold.set()
    await stage.until(lambda: stage.world.applied == [PROD])


async def test_a_flood_of_signals_is_one_comment_and_loses_no_approval(stage: Stage) -> None:
    gate = await waiting(stage, trusting=True)
    for number in range(150):
        await gate.signal(f"nonsense-{number}")
    await gate.until_told("`nonsense-149`", "130 earlier ones")
    assert len((await gate.view()).decisions) == 100
    await gate.signal("approve", {"actor": "lead"})
    await stage.until(lambda: stage.world.applied == [PROD])
    assert len([comment for comment in stage.world.comments if comment.key.endswith(":decisions")]) == 1


async def test_a_signal_to_the_pull_request_that_is_none_is_recorded_and_answered_once(stage: Stage) -> None:
    gate = await waiting(stage, trusting=True)
    for _ in range(3):
        await stage.handle().signal("approve", {"actor": "lead"})
    await stage.handle().signal("plan_please", args=["now", RawValue(Payload(data=b"\xff"))])
    await stage.until(lambda: len(stage.world.texts("to the workflow of this pull request from Temporal")) == 2)
    assert stage.world.texts(f"It belongs to the run that waits, `run:{gate.run_id}`")
    assert stage.world.texts("There is no such signal")
    rejected = (await stage.state()).rejected
    assert rejected == ["signal of unknown name 'approve'"] * 3 + ["signal of unknown name 'plan_please'"]
    await gate.still_waits()
