"""The commands of `docustack` that ask Temporal, against a real server on which real workflows run."""

import asyncio
import contextlib
import json
import os
import pty
import re
import signal
import sys
import threading
import time
from collections.abc import AsyncIterator
from datetime import UTC, datetime
from pathlib import Path

import pytest
import pytest_asyncio
from temporalio.client import Client
from temporalio.contrib.pydantic import pydantic_data_converter

from docustack.errors import ErrorType
from docustack.lock_messages import locks_workflow_id
from docustack.locks import LockRequest
from local import processes, state
from local.live_repository import Facts
from tests.dev_server import address, dev_server
from tests.integration.terminal import Commands
from tests.workflows.conftest import Stage, workers
from tests.workflows.fakes import Unit, World

ROOT = Path(__file__).resolve().parents[2]
VPC, CLUSTER = "dev/us-east-1/vpc", "dev/us-east-1/ecs-cluster"
HEAD = "a" * 40


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def server() -> AsyncIterator[str]:
    async with dev_server() as environment:
        yield address(environment)


@pytest.fixture(autouse=True)
def elsewhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """No local world and no live repository of the person who runs the tests is found."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr("starter.surroundings.DEFAULT_DATA_DIR", tmp_path / "no-world")


@pytest.fixture
async def client(server: str, monkeypatch: pytest.MonkeyPatch) -> Client:
    monkeypatch.setenv("DOCUSTACK_TEMPORAL_ADDRESS", server)
    return await Client.connect(server, data_converter=pydantic_data_converter)


@pytest.fixture
async def stage(client: Client, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Stage]:
    world = World({})
    async with workers(client, world):
        stage = Stage(client, world)
        monkeypatch.setenv("DOCUSTACK_REPOSITORIES", stage.repository.full_name)
        yield stage
        await end_everything(client)


async def end_everything(client: Client) -> None:
    async for execution in client.list_workflows("ExecutionStatus = 'Running'"):
        with contextlib.suppress(Exception):
            await client.get_workflow_handle(execution.id, run_id=execution.run_id).terminate("the test is over")


async def opened(stage: Stage, units: dict[str, Unit], number: int = 1, *, held: bool = False) -> str:
    """A pull request that was planned, or, held, is being planned; gives the id of that run."""
    stage.world.units = units
    stage.world.hold_plans = asyncio.Event() if held else None
    stage.world.planning.clear()
    stage.world.open(number)
    await stage.send("opened", number=number)
    if not held:
        return (await stage.until_ended(1, number)).runs[-1].run_id
    await asyncio.wait_for(stage.world.planning.wait(), 120)
    active = (await stage.state(number)).active
    assert active is not None
    return active.run_id


def let_go(stage: Stage) -> None:
    assert stage.world.hold_plans is not None
    stage.world.hold_plans.set()


# ---- runs ------------------------------------------------------------------------------------------------------------


async def test_runs_are_found_by_what_they_touch_and_how_they_ended(stage: Stage, docustack: Commands) -> None:
    run_id = await opened(stage, {VPC: Unit()}, 11)
    here = ("--repository", stage.repository.full_name)
    whole = (
        "--environment",
        "dev",
        "--unit",
        VPC,
        "--pull-request",
        "11",
        "--status",
        "succeeded",
        "--actor",
        "developer",
    )
    answer = await docustack.until(lambda answer: bool(answer.json["runs"]), "runs", "list", "--json", *here, *whole)
    assert answer.code == 0
    [line] = answer.json["runs"]
    seconds, started, ended = line.pop("seconds"), line.pop("started_at"), line.pop("ended_at")
    assert seconds >= 0
    assert started < ended
    assert line == {
        "run_id": run_id,
        "workflow_id": f"run:{run_id}",
        "operation": "plan",
        "status": "succeeded",
        "repository": stage.repository.full_name,
        "pull_request": 11,
        "actor": "developer",
        "automatic": True,
        "directories": [],
        "environments": ["dev"],
        "units": [VPC],
        "url": "",
        "imported": False,
    }
    for other in (("-e", "prod"), ("-u", CLUSTER), ("-p", "12"), ("-s", "failed"), ("-a", "it's \\ nobody")):
        assert (await docustack("runs", "list", "--json", *here, *other)).json == {"runs": []}


async def test_list_of_no_runs_says_so_and_is_no_failure(stage: Stage, docustack: Commands) -> None:
    answer = await docustack("runs", "list", "--repository", "nobody/nowhere")
    assert (answer.code, answer.out) == (0, "")
    assert "No run is like that" in answer.err


async def test_a_running_run_is_found_as_running_and_a_terminated_one_as_terminated(
    stage: Stage, docustack: Commands
) -> None:
    run_id = await opened(stage, {VPC: Unit()}, held=True)
    here = ("--repository", stage.repository.full_name, "--json")
    answer = await docustack.until(lambda a: bool(a.json["runs"]), "runs", "list", "--status", "running", *here)
    assert [run["run_id"] for run in answer.json["runs"]] == [run_id]
    await stage.client.get_workflow_handle(f"run:{run_id}").terminate("by an operator")
    answer = await docustack.until(lambda a: bool(a.json["runs"]), "runs", "list", "--status", "terminated", *here)
    assert [run["status"] for run in answer.json["runs"]] == ["terminated"]
    assert (await docustack("runs", "list", "--status", "running", *here)).json == {"runs": []}
    shown = await docustack("runs", "show", run_id, "--json")
    assert shown.json["run"]["status"] == "terminated"


async def test_show_tells_each_unit_with_its_changes_and_marks_previews(stage: Stage, docustack: Commands) -> None:
    run_id = await opened(stage, {VPC: Unit(), CLUSTER: Unit(dependencies=(VPC,))})
    answer = (await docustack("runs", "show", run_id, "--json")).json
    assert answer["complete"] is True
    assert answer["head_commit"] == HEAD
    assert answer["waves"] == [[VPC], [CLUSTER]]
    assert {unit["unit"]: (unit["phase"], unit["add"], unit["preview"]) for unit in answer["units"]} == {
        VPC: ("planned", 1, False),
        CLUSTER: ("planned", 1, True),
    }
    text = (await docustack("runs", "show", run_id)).out
    assert re.search(rf"{re.escape(CLUSTER)} .*planned \(preview\) .*\+1 ~0 -0", text)


async def test_first_characters_of_an_id_are_enough(stage: Stage, docustack: Commands) -> None:
    run_id = await opened(stage, {VPC: Unit()})
    answer = await docustack.until(lambda answer: answer.code == 0, "runs", "show", run_id[:8], "--json")
    assert answer.json["run"]["run_id"] == run_id
    assert (await docustack("runs", "show", f"run:{run_id}", "--json")).json["run"]["run_id"] == run_id


async def test_unknown_id_gets_the_nearest_and_else_the_last_ones(stage: Stage, docustack: Commands) -> None:
    run_id = await opened(stage, {VPC: Unit()})
    typo = f"{run_id[:-1]}z"
    answer = await docustack.until(lambda answer: run_id in answer.err, "runs", "show", typo)
    assert answer.code == 4
    assert f"Did you mean {run_id}" in answer.err
    answer = await docustack("runs", "show", "nothing-like-it")
    assert answer.code == 4
    assert "The last runs:" in answer.err
    assert run_id in answer.err


# ---- runs watch ------------------------------------------------------------------------------------------------------


async def test_watch_prints_each_change_as_a_line_and_ends_with_the_run(stage: Stage, docustack: Commands) -> None:
    run_id = await opened(stage, {VPC: Unit()}, held=True)
    watching = asyncio.ensure_future(docustack("runs", "watch", run_id))
    await docustack.until_written("planning")
    let_go(stage)
    answer = await asyncio.wait_for(watching, 120)
    assert answer.code == 0
    lines = [re.sub(r"^\[.*?\] ", "", line) for line in answer.out.splitlines()]
    assert f"{VPC} planning" in lines
    assert lines.index(f"{VPC} planning") < lines.index(f"{VPC} planned (+1 ~0 -0)")
    assert lines[-1].startswith(f"run {run_id}: succeeded after ")


async def test_watch_of_a_run_that_fails_exits_with_1_and_says_why(stage: Stage, docustack: Commands) -> None:
    run_id = await opened(stage, {VPC: Unit(plan_error=ErrorType.CONFIGURATION)}, held=True)
    watching = asyncio.ensure_future(docustack("runs", "watch", run_id))
    await docustack.until_written("planning")
    let_go(stage)
    answer = await asyncio.wait_for(watching, 120)
    assert answer.code == 1
    assert f"{VPC} failed: {VPC} can't be planned" in answer.out


async def test_watch_as_json_is_one_document_a_line_and_the_whole_run_last(stage: Stage, docustack: Commands) -> None:
    run_id = await opened(stage, {VPC: Unit()}, held=True)
    watching = asyncio.ensure_future(docustack("runs", "watch", run_id, "--json"))
    await docustack.until_written("planning")
    let_go(stage)
    answer = await asyncio.wait_for(watching, 120)
    lines = [json.loads(line) for line in answer.out.splitlines()]
    assert [line["kind"] for line in lines].count("end") == 1
    assert lines[-1]["run"]["status"] == "succeeded"
    phases = [line["phase"] for line in lines if line["kind"] == "unit"]
    assert phases == ["planning", "planned"]


async def test_watch_of_a_run_that_has_ended_shows_how_at_once(stage: Stage, docustack: Commands) -> None:
    run_id = await opened(stage, {VPC: Unit(plan_error=ErrorType.CONFIGURATION)})
    answer = await asyncio.wait_for(docustack("runs", "watch", run_id), 120)
    assert answer.code == 1
    assert f"run {run_id}: failed" in answer.out


async def test_watch_goes_on_when_the_worker_comes_back(client: Client, docustack: Commands) -> None:
    world = World({})
    stage = Stage(client, world)
    async with workers(client, world):
        run_id = await opened(stage, {VPC: Unit()}, held=True)
    watching = asyncio.ensure_future(docustack("runs", "watch", run_id, "--json"))
    await docustack.until_written("No worker answers")
    world.hold_plans = None
    async with workers(client, world):
        answer = await asyncio.wait_for(watching, 120)
        await end_everything(client)
    assert answer.code == 0
    kinds = [json.loads(line) for line in answer.out.splitlines()]
    assert "No worker answers" in next(line["message"] for line in kinds if line["kind"] == "trouble")
    assert kinds[-1]["run"]["status"] == "succeeded"


async def test_watch_on_a_terminal_draws_waves_and_leaves_the_outcome_there(stage: Stage) -> None:
    run_id = await opened(stage, {VPC: Unit()}, held=True)
    screen, terminal = pty.openpty()
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "starter.cli", "runs", "watch", run_id,
        cwd=ROOT, stdin=terminal, stdout=terminal, stderr=terminal, env={**os.environ, "COLUMNS": "100"},
    )  # fmt: skip
    os.close(terminal)
    seen = Screen(screen)
    await seen.until(f"{VPC}")
    await seen.until("0 of 1 units done")
    let_go(stage)
    assert await asyncio.wait_for(process.wait(), 120) == 0
    await seen.until("✓ planned")
    await seen.until("succeeded")


async def test_interrupted_watch_exits_with_130_and_leaves_the_run_alone(stage: Stage) -> None:
    run_id = await opened(stage, {VPC: Unit()}, held=True)
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "starter.cli", "runs", "watch", run_id,
        cwd=ROOT, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.PIPE,
    )  # fmt: skip
    assert process.stdout is not None
    await asyncio.wait_for(process.stdout.readline(), 120)
    process.send_signal(signal.SIGINT)
    _, err = await asyncio.wait_for(process.communicate(), 120)
    assert process.returncode == 130
    assert b"Traceback" not in err
    let_go(stage)
    assert (await stage.until_ended(1)).runs[-1].status == "succeeded"


# ---- without a worker, without Temporal ------------------------------------------------------------------------------


async def test_a_run_that_ended_is_shown_whole_though_no_worker_answers(client: Client, docustack: Commands) -> None:
    world = World({})
    stage = Stage(client, world)
    async with workers(client, world):
        done = await opened(stage, {VPC: Unit()}, 1)
        going = await opened(stage, {VPC: Unit()}, 2, held=True)
    shown = (await docustack("runs", "show", done, "--json")).json
    assert shown["run"]["status"] == "succeeded"
    assert [(unit["unit"], unit["phase"]) for unit in shown["units"]] == [(VPC, "planned")]
    shown = (await docustack("runs", "show", going, "--json")).json
    assert (shown["complete"], shown["run"]["operation"], shown["units"]) == (False, "plan", [])
    answer = await docustack("pr", "show", "2", "--repository", stage.repository.full_name)
    assert answer.code == 3
    assert "no worker answers for pull request #2" in answer.err
    listed = (await docustack("pr", "list", "--repository", stage.repository.full_name, "--json")).json["pull_requests"]
    assert {line["number"]: line["plans"] for line in listed} == {1: None, 2: None}
    await end_everything(client)


@pytest.mark.parametrize("command", [("runs", "list"), ("runs", "show", "x"), ("pr", "list"), ("locks", "list")])
async def test_unreachable_temporal_is_told_with_its_address_and_what_to_do(
    command: tuple[str, ...], docustack: Commands, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("DOCUSTACK_TEMPORAL_ADDRESS", "127.0.0.1:1")
    answer = await docustack(*command)
    assert (answer.code, answer.out) == (3, "")
    assert "Temporal doesn't answer at 127.0.0.1:1: connection refused" in answer.err
    assert "docustack local up" in answer.err
    assert "DOCUSTACK_TEMPORAL_ADDRESS" in answer.err


@pytest.mark.parametrize("command", [("runs", "list"), ("runs", "show", "x"), ("pr", "list")])
async def test_wrong_namespace_is_told_by_name(
    command: tuple[str, ...], client: Client, docustack: Commands, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("DOCUSTACK_TEMPORAL_NAMESPACE", "elsewhere")
    answer = await docustack(*command)
    assert answer.code == 3
    assert "no namespace 'elsewhere'" in answer.err


async def test_local_world_beside_which_a_command_is_called_is_found_by_itself(
    stage: Stage, docustack: Commands, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    run_id = await opened(stage, {VPC: Unit()})
    monkeypatch.delenv("DOCUSTACK_REPOSITORIES")
    port = int(os.environ["DOCUSTACK_TEMPORAL_ADDRESS"].rpartition(":")[2])
    monkeypatch.delenv("DOCUSTACK_TEMPORAL_ADDRESS")
    server = processes.start(["sleep", "60"], environment=os.environ, directory=tmp_path, log=tmp_path / "log")
    world = state.WorldState(
        ports=dict.fromkeys(state.PORTS, 9) | {"temporal": port, "temporal-ui": 8233},
        repository=Facts(owner=stage.repository.owner, name=stage.repository.name),
        source="the example",
        terragrunt="terragrunt",
        processes={"temporal": server},
    )
    state.write(tmp_path / ".local", world)
    below = tmp_path / "somewhere" / "below"
    below.mkdir(parents=True)
    monkeypatch.chdir(below)
    shown = await docustack("runs", "show", run_id, "--json")
    assert shown.json["run"]["url"].startswith("http://127.0.0.1:8233/namespaces/default/workflows/run%3A")
    assert (await docustack("pr", "show", "1", "--json")).json["repository"] == stage.repository.full_name
    processes.stop(server)
    answer = await docustack("pr", "show", "1")
    assert answer.code == 2
    assert "Which live repository?" in answer.err


# ---- pr --------------------------------------------------------------------------------------------------------------


async def test_pull_request_shows_what_runs_what_waits_and_what_was_applied(stage: Stage, docustack: Commands) -> None:
    units = {VPC: Unit(), CLUSTER: Unit(dependencies=(VPC,))}
    await opened(stage, units, 21)
    await stage.comment(f"terrateam apply {VPC}", number=21)
    await stage.until_ended(2, 21)
    stage.world.hold_plans = asyncio.Event()
    stage.world.planning.clear()
    await stage.comment(f"terrateam plan {CLUSTER}", sender="developer", number=21)
    await asyncio.wait_for(stage.world.planning.wait(), 120)
    await stage.comment("terrateam apply", number=21)
    answer = await docustack.until(lambda a: bool(a.json["queue"]), "pr", "show", "21", "--json")
    found = answer.json
    assert (found["status"], found["facts"]["title"], found["facts"]["author"]) == (
        "running",
        "Add new service",
        "developer",
    )
    assert (found["active"]["operation"], found["active"]["directories"]) == ("plan", [CLUSTER])
    assert [(run["operation"], run["actor"]) for run in found["queue"]] == [("apply", "infra-member")]
    assert {unit["unit"]: (unit["state"], unit["waits_for"]) for unit in found["units"]} == {
        VPC: ("applied", []),
        CLUSTER: ("preview", [VPC]),
    }
    assert [run["operation"] for run in found["runs"]] == ["plan", "apply"]
    text = (await docustack("pr", "show", "21")).out
    for shown in ("#21 Add new service", "1. in the queue: apply by infra-member", f"planned again after {VPC}"):
        assert shown in text
    let_go(stage)
    await stage.until_idle(21)


async def test_event_that_was_not_understood_is_shown(stage: Stage, docustack: Commands) -> None:
    await opened(stage, {VPC: Unit()})
    await stage.send("exploded")
    answer = await docustack.until(lambda a: bool(a.json["rejected"]), "pr", "show", "1", "--json")
    assert "exploded" in answer.json["rejected"][0]
    assert "exploded" in (await docustack("pr", "show", "1")).out


async def test_unknown_pull_request_gets_the_known_ones(stage: Stage, docustack: Commands) -> None:
    await opened(stage, {VPC: Unit()}, 31)
    answer = await docustack.until(lambda answer: "#31" in answer.err, "pr", "show", "13")
    assert answer.code == 4
    assert "no pull request #13" in answer.err


async def test_pull_requests_are_listed_open_ones_only_unless_all_are_asked_for(
    stage: Stage, docustack: Commands
) -> None:
    await opened(stage, {VPC: Unit()}, 41)
    await opened(stage, {VPC: Unit()}, 42)
    await stage.close(41)
    await stage.handle(41).result()
    only_open = await docustack.until(
        lambda answer: [line["number"] for line in answer.json["pull_requests"]] == [42], "pr", "list", "--json"
    )
    [line] = only_open.json["pull_requests"]
    assert (line["title"], line["status"], line["plans"], line["queued"]) == ("Add new service", "idle", 1, 0)
    everything = await docustack("pr", "list", "--all", "--json")
    assert {line["number"]: line["status"] for line in everything.json["pull_requests"]} == {41: "closed", 42: "idle"}
    assert "#42" in (await docustack("pr", "list")).out


# ---- locks -----------------------------------------------------------------------------------------------------------


async def test_locks_show_holder_and_who_waits_with_their_position(stage: Stage, docustack: Commands) -> None:
    await opened(stage, {VPC: Unit()}, 51)
    await stage.comment("terrateam apply", number=51)
    await stage.until_ended(2, 51)
    await opened(stage, {VPC: Unit()}, 52)
    request = LockRequest(
        request_id="waits", holder=stage.handle(52).id, pull_request=52, actor="lead", units=(VPC,),
        requested_at=datetime.now(UTC), answer_to=stage.handle(52).id,
    )  # fmt: skip
    await stage.client.get_workflow_handle(locks_workflow_id(stage.repository)).signal("request", request)
    answer = await docustack.until(lambda answer: bool(answer.json["waiting"]), "locks", "list", "--json")
    [held], [waiting] = answer.json["locks"], answer.json["waiting"]
    assert (held["unit"], held["pull_request"], held["actor"], held["waiting"]) == (VPC, 51, "infra-member", ["#52"])
    assert (waiting["position"], waiting["pull_request"], waiting["units"]) == (1, 52, [VPC])
    assert waiting["blocked_by"] == ["#51"]
    text = (await docustack("locks", "list")).out
    assert re.search(rf"{re.escape(VPC)} +#51 +infra-member .*1\. #52", text)
    assert re.search(rf"1 +#52 +lead +{re.escape(VPC)} .*#51", text)


async def test_locks_of_a_table_that_was_terminated_are_told_as_those_of_its_end(
    stage: Stage, docustack: Commands
) -> None:
    await opened(stage, {VPC: Unit()}, 53)
    await stage.comment("terrateam apply", number=53)
    await stage.until_ended(2, 53)
    alive = await docustack.until(lambda answer: bool(answer.json["locks"]), "locks", "list", "--json")
    assert "ended from outside" not in alive.err
    await stage.client.get_workflow_handle(locks_workflow_id(stage.repository)).terminate("an operator's mistake")
    ended = await docustack("locks", "list", "--json")
    assert "was ended from outside. This is what it held then" in ended.err
    assert [line["unit"] for line in ended.json["locks"]] == [VPC]


async def test_locks_of_a_repository_without_any_are_none(stage: Stage, docustack: Commands) -> None:
    answer = await docustack("locks", "list", "--json", "--repository", "nobody/nowhere")
    assert (answer.code, answer.json) == (0, {"locks": [], "waiting": []})


async def test_locks_without_one_repository_are_those_of_all(
    stage: Stage, docustack: Commands, monkeypatch: pytest.MonkeyPatch
) -> None:
    await opened(stage, {VPC: Unit()}, 61)
    await stage.comment("terrateam apply", number=61)
    await stage.until_ended(2, 61)
    monkeypatch.delenv("DOCUSTACK_REPOSITORIES")
    answer = await docustack.until(lambda answer: bool(answer.json["locks"]), "locks", "list", "--json")
    assert stage.repository.full_name in {line["repository"] for line in answer.json["locks"]}


# ---- units -----------------------------------------------------------------------------------------------------------


async def test_units_are_listed_by_real_terragrunt_in_waves(docustack: Commands) -> None:
    answer = await docustack("units", "list", str(ROOT / "examples/docustack-infrastructure-live"), "--json")
    assert answer.code == 0
    units = {unit["unit"]: unit for unit in answer.json["units"]}
    assert units["dev/us-east-1/temporal"]["dependencies"] == [
        "dev/us-east-1/ecs-cluster",
        "dev/us-east-1/rds",
        "dev/us-east-1/vpc",
    ]
    waves = {name: unit["wave"] for name, unit in units.items()}
    assert waves[VPC] < waves[CLUSTER] < waves["dev/us-east-1/temporal"] < waves["staging/us-east-1/vpc"]
    assert units["prod/us-east-1/rds"]["environment"] == "prod"
    assert units["bootstrap"]["environment"] is None


async def test_units_on_a_circle_are_named(docustack: Commands, tmp_path: Path) -> None:
    for unit, other in (("a", "b"), ("b", "a")):
        (tmp_path / unit).mkdir()
        (tmp_path / unit / "terragrunt.hcl").write_text(f'dependency "x" {{\n  config_path = "../{other}"\n}}\n')
    answer = await docustack("units", "graph", str(tmp_path))
    assert answer.code == 1
    assert "`a` -> `b` -> `a`" in answer.err


class Screen:
    """What is written to a terminal, read by a thread, since a program blocks where nobody reads."""

    def __init__(self, descriptor: int) -> None:
        self._descriptor = descriptor
        self._written = b""
        threading.Thread(target=self._read, daemon=True).start()

    async def until(self, text: str) -> None:
        until = time.monotonic() + 30
        while text not in self._written.decode(errors="replace"):
            assert time.monotonic() < until, f"{text!r} never came: {self._written!r}"
            await asyncio.sleep(0.05)

    def _read(self) -> None:
        with contextlib.suppress(OSError):  # how Linux says that nobody has the terminal open any more
            while data := os.read(self._descriptor, 65_536):
                self._written += data
        os.close(self._descriptor)
