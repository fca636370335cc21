"""Every saved history still replays: a change of a workflow that breaks one would break what runs in production."""

import gzip

import pytest
from temporalio.client import WorkflowHistory
from temporalio.contrib.pydantic import pydantic_data_converter
from temporalio.worker import Replayer

from tests.replay.record import HISTORIES, SCENARIOS, ordered_without_a_pull_request
from worker.wiring import WORKFLOWS, workflow_runner

SAVED = sorted(HISTORIES.glob("*.json.gz"))


def test_every_scenario_has_histories_of_its_runs_and_its_pull_request() -> None:
    for scenario in SCENARIOS:
        kinds = {path.name.split(".")[1].partition("-")[2] for path in SAVED if path.name.startswith(scenario.__name__)}
        wanted = {"run"} if scenario is ordered_without_a_pull_request else {"pr", "run"}
        assert wanted <= kinds, scenario.__name__


def test_bootstraps_have_histories_of_each_way_that_they_end() -> None:
    found = {path.name.partition(".")[0] for path in SAVED if "-bootstrap." in path.name}
    assert found == {"bootstrapped", "bootstrap_undone", "bootstrap_not_migrated", "bootstrap_cancelled"}


def test_deployments_have_histories_of_each_way_that_they_end() -> None:
    found = {path.name.partition(".")[0] for path in SAVED if "-deployment." in path.name}
    assert found == {"deployed", "deployment_rolled_back", "deployment_refused", "deployment_cancelled"}


def test_each_kind_of_workflow_has_histories_from_before_and_after_a_continue_as_new() -> None:
    parts = {path.name.split(".")[1].partition("-")[2] for path in SAVED if path.name.split(".")[2].isdigit()}
    assert parts == {"pr", "run", "locks"}


@pytest.mark.parametrize("path", SAVED, ids=lambda path: path.name.removesuffix(".json.gz"))
async def test_a_saved_history_replays(path: object) -> None:
    text = gzip.decompress(HISTORIES.joinpath(str(path)).read_bytes()).decode()
    replayer = Replayer(workflows=WORKFLOWS, data_converter=pydantic_data_converter, workflow_runner=workflow_runner())
    await replayer.replay_workflow(WorkflowHistory.from_json("saved", text))
