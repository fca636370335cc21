"""Runs over many units: they continue as new, lose nothing, speak once, and stay far below Temporal's limits."""

import asyncio
import hashlib
from datetime import UTC, datetime

import pytest

from activities.git_messages import LoadedConfiguration
from docustack.events import PullRequestFacts, pull_request_workflow_id
from docustack.lock_messages import LocksInbox, LocksStart
from docustack.locks import Grant, LockTable
from docustack.model import Model, State
from docustack.plans import DependencyOutputs, OutputsKind, PlanRecord, PlanSummary
from docustack.pull_request_state import InboxEntry, PullRequestStart, PullRequestState
from docustack.repository import ChangedUnit, Discovery, UnitStatus, WorkTree
from docustack.runs import Operation, PullRequestRef, RunInput, RunResult, RunStatus, UnitOutcome, UnitPhase
from docustack.terrateam import TerrateamConfiguration
from tests.workflows.conftest import Stage
from tests.workflows.fakes import CONFIGURATION, REPOSITORY, Unit
from workflows.reporting import COMMENT_ROOM, MESSAGE_LIMIT
from workflows.run_models import RunStart, RunState, RunView

MANY = 120
LIMIT = 1_500_000
"""Bytes: Temporal refuses a payload of more than 2 MB, and so a continue-as-new would end a run in its middle."""

HEAD = "a" * 40


def many(count: int = MANY) -> dict[str, Unit]:
    """Ten roots, and eleven units upon each of them."""
    units: dict[str, Unit] = {}
    for index in range(count):
        root = f"dev/us-east-1/root-{index % 10:02}"
        name = root if index < 10 else f"dev/us-east-1/unit-{index:04}"
        units[name] = Unit(dependencies=() if index < 10 else (root,))
    return units


async def runs_of(stage: Stage) -> list[int]:
    """How many workflow runs each of the pull request's runs took, oldest first."""
    counts = []
    for past in (await stage.state()).runs:
        query = f"WorkflowId = 'run:{past.run_id}'"
        counts.append(len([execution async for execution in stage.client.list_workflows(query)]))
    return counts


async def test_a_run_over_many_units_continues_as_new_and_loses_nothing(stage: Stage) -> None:
    units = many()
    await planned_at_scale(stage, units)
    state = await stage.state()
    assert set(state.plans) == set(units)
    assert all(unit.plans == 1 for unit in units.values())
    assert len(stage.world.texts()) == 1, "one comment for all, however often the run continued as new"
    assert all(f"`{unit}`" in stage.world.comments[0].body for unit in units)

    await stage.comment("terrateam apply")
    state = await stage.until_ended(2, seconds=200)
    assert sorted(stage.world.applied) == sorted(units)
    assert all(unit.applies == 1 for unit in units.values()), "nothing is applied twice"
    assert set(state.applied) == set(units)
    assert state.plans == {}
    assert len(stage.world.texts()) == 2
    for name in ("docustack/plan", "docustack/apply"):
        check = stage.world.check(name)
        assert check is not None
        assert check.conclusion == "success"
    messages = [message.text.partition("\n")[0] for message in stage.world.slack]
    assert len(messages) == 4, messages
    assert min(await runs_of(stage)) > 1, "the run was to continue as new"


async def test_a_run_that_continues_as_new_does_not_wait_for_slack(stage: Stage) -> None:
    stage.world.slack_is_down = True
    units = many(60)
    await planned_at_scale(stage, units)
    assert stage.world.slack == []
    stage.world.slack_is_down = False
    await stage.until(lambda: len(stage.world.slack) == 2, "both messages", seconds=60)
    assert [message.text.startswith("Plan started") for message in stage.world.slack] == [True, False]
    assert len({message.key for message in stage.world.slack}) == 2
    assert stage.world.slack[1].thread == "1"


async def test_a_cancelled_run_over_many_units_tells_what_was_done_before_it_continued_as_new(stage: Stage) -> None:
    units = many(60)
    await planned_at_scale(stage, units)
    stage.world.hold_applies = asyncio.Event()
    stage.world.hold_applies.set()
    last = units["dev/us-east-1/unit-0059"]
    await stage.comment("terrateam apply")
    await stage.until(lambda: len(stage.world.applied) > 20, "some applies", seconds=60)
    stage.world.hold_applies.clear()
    state = await stage.state()
    assert state.active is not None
    await stage.client.get_workflow_handle(f"run:{state.active.run_id}").cancel()
    state = await stage.until_ended(2, seconds=60)
    assert state.runs[-1].status is RunStatus.CANCELLED
    assert set(state.applied) == set(stage.world.applied)
    assert last.applies == 0
    body = stage.world.comments[-1].body
    assert all(f"`{unit}`" in body for unit in units)


async def planned_at_scale(stage: Stage, units: dict[str, Unit]) -> None:
    stage.world.units = units
    stage.world.open()
    await stage.send("opened")
    await stage.until_ended(1, seconds=200)


# ---- sizes -----------------------------------------------------------------------------------------------------------


def unit_name(index: int) -> str:
    return f"prod/us-east-1/platform/team-{index % 20:02}/some-longer-service-name-{index:04}"


def digest(text: str) -> str:
    return f"sha256:{hashlib.sha256(text.encode()).hexdigest()}"


def record(index: int) -> PlanRecord:
    unit = unit_name(index)
    key = f"runs/0123456789/{unit}"
    return PlanRecord(
        unit=unit,
        run_id="0123456789",
        commit=HEAD,
        tree_commit="c" * 40,
        digest=digest(unit),
        summary=PlanSummary(add=3, change=1, destroy=1),
        dependencies=tuple(
            DependencyOutputs(unit=unit_name(index + step), kind=OutputsKind.REAL, digest=digest(f"{index}{step}"))
            for step in (1, 2)
        ),
        binary=f"{key}/plan.tfplan",
        json_document=f"{key}/plan.json",
        text=f"{key}/plan.txt",
        log=f"{key}/plan.log",
    )


def failed(index: int) -> UnitOutcome:
    plan = record(index).model_copy(update={"spent": True})
    return UnitOutcome(
        unit=plan.unit,
        environment="prod",
        phase=UnitPhase.FAILED,
        plan=plan,
        message="x" * MESSAGE_LIMIT,
        error_type="credentials",
        log=plan.log,
    )


THOUSAND = range(1_000)
RECORDS = tuple(record(index) for index in THOUSAND)
FAILURES = tuple(failed(index) for index in THOUSAND)
APPLY = RunInput(
    run_id="0123456789",
    repository=REPOSITORY,
    operation=Operation.APPLY,
    actor="lead",
    pull_request=PullRequestRef(number=1, author="developer", head_commit=HEAD, base_ref="main"),
    plans=RECORDS,
)
DISCOVERY = Discovery(
    changed=tuple(
        ChangedUnit(unit=plan.unit, environment="prod", status=UnitStatus.MODIFIED, because=("root.hcl", "env.hcl"))
        for plan in RECORDS
    ),
    dependencies={plan.unit: tuple(other.unit for other in plan.dependencies) for plan in RECORDS},
)
CARRIED = RunState(
    loaded=LoadedConfiguration(commit="b" * 40, configuration=CONFIGURATION, terrateam=TerrateamConfiguration()),
    tree=WorkTree(
        repository=REPOSITORY,
        run_id="0123456789",
        base_ref="main",
        base_commit="b" * 40,
        head_commit=HEAD,
        merge_base="b" * 40,
        tree_commit="c" * 40,
    ),
    discovery=DISCOVERY,
    selected=[plan.unit for plan in RECORDS],
    phases={plan.unit: UnitPhase.FAILED for plan in RECORDS},
    outcomes={outcome.unit: outcome for outcome in FAILURES},
    texts={plan.unit: "x" * (COMMENT_ROOM // 1_000) for plan in RECORDS},
    tokens={plan.unit: index for index, plan in enumerate(RECORDS)},
    gate_passed=True,
)
RESULT = RunResult(
    run_id="0123456789",
    operation=Operation.APPLY,
    status=RunStatus.FAILED,
    head_commit=HEAD,
    outcomes=FAILURES,
)
FACTS = PullRequestFacts(
    number=1,
    title="t" * 200,
    author="developer",
    state="open",
    merged=False,
    draft=False,
    head_commit=HEAD,
    head_ref="feature",
    base_ref="main",
    from_fork=False,
    url="",
    created_at="2026-01-01T00:00:00Z",
)
NOW = datetime(2026, 1, 1, tzinfo=UTC)
SEEN = ["12345678-1234-1234-1234-123456789012"] * 2_000

PAYLOADS: dict[str, Model | State] = {
    "the input of an apply": RunStart(input=APPLY),
    "a run that continues as new after the last batch": RunStart(
        input=APPLY.model_copy(update={"plans": ()}), carried=CARRIED
    ),
    "a run that continues as new after half of its units": RunStart(
        input=APPLY.model_copy(update={"plans": RECORDS[500:]}),
        carried=CARRIED.model_copy(update={"outcomes": {outcome.unit: outcome for outcome in FAILURES[:500]}}),
    ),
    "the end of a run": RESULT,
    "what a run answers": RunView(
        input=APPLY.model_copy(update={"plans": ()}),
        status=RunStatus.FAILED,
        message="",
        units=CARRIED.phases,
        outcomes=FAILURES,
        started_at=NOW,
        waves=(tuple(CARRIED.selected),),
    ),
    "a pull request with all its plans and the end of a run": PullRequestStart(
        repository=REPOSITORY,
        number=1,
        state=PullRequestState(
            facts=FACTS,
            seen=SEEN,
            inbox=[InboxEntry(ended=RESULT)],
            plans={plan.unit: plan for plan in RECORDS},
            applied={plan.unit: HEAD for plan in RECORDS[:100]},
        ),
    ),
    "a table of locks": LocksStart(
        repository=REPOSITORY,
        table=LockTable(
            grants={
                plan.unit: Grant(
                    unit=plan.unit,
                    holder=pull_request_workflow_id(REPOSITORY, 1),
                    pull_request=1,
                    actor="lead",
                    since=NOW,
                    token=index,
                    request_id="0123456789:12345678-1234-1234-1234-123456789012",
                )
                for index, plan in enumerate(RECORDS)
            }
        ),
        inbox=LocksInbox(),
    ),
    "what a discovery finds": DISCOVERY,
}


@pytest.mark.parametrize("name", PAYLOADS)
def test_with_a_thousand_units_every_payload_stays_far_below_the_limit(name: str) -> None:
    size = len(PAYLOADS[name].model_dump_json().encode())
    assert size < LIMIT, f"{name}: {size:,} bytes"
