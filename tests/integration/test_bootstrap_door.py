"""`docustack bootstrap` as people type it: through the server, as who they are on GitHub, watched to its end."""

import json
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest
from temporalio.client import Client
from temporalio.contrib.pydantic import pydantic_data_converter

from docustack.bootstrap import bootstrap_workflow_id
from tests.integration.doors import LIVE, Api, terminal_of
from tests.integration.stand_ins import GitHubStandIn
from tests.integration.terminal import Commands
from tests.workflows.account import ACCOUNT, FakeAccount
from tests.workflows.conftest import end_everything
from tests.workflows.fakes import CONFIGURATION
from tests.workflows.test_bootstrap import workers


@pytest.fixture
def server(temporal: str, github: GitHubStandIn, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    with terminal_of("infra-member", temporal, github, tmp_path, monkeypatch) as url:
        clone = tmp_path / "clone"
        clone.mkdir()
        (clone / "docustack.yaml").write_text(json.dumps(CONFIGURATION.model_dump(mode="json", exclude_unset=True)))
        monkeypatch.chdir(clone)
        yield url


@pytest.fixture
async def account(temporal: str) -> AsyncIterator[FakeAccount]:
    client = await Client.connect(temporal, data_converter=pydantic_data_converter)
    account = FakeAccount()
    async with workers(client, account):
        yield account
        await end_everything(client)


async def test_the_steps_are_shown_and_then_the_outcome_with_its_pull_request(
    server: str, account: FakeAccount, docustack: Commands
) -> None:
    answer = await docustack("bootstrap", "dev")
    assert answer.code == 0, answer
    lines = answer.out.splitlines()
    assert any("✓ apply with local state: 2 added" in line for line in lines)
    assert "https://github/pull/1" in lines[-1]


async def test_runs_watch_follows_a_bootstrap_too(server: str, account: FakeAccount, docustack: Commands) -> None:
    await docustack("bootstrap", "dev")
    answer = await docustack("runs", "watch", bootstrap_workflow_id(ACCOUNT))
    assert answer.code == 0, answer
    assert any("✓ apply with local state: 2 added" in line for line in answer.out.splitlines())
    answer = await docustack("runs", "watch", "bootstrap:000000000000")
    assert answer.code == 4
    assert bootstrap_workflow_id(ACCOUNT) in answer.err


async def test_who_wants_to_cancel_a_bootstrap_is_told_how(docustack: Commands) -> None:
    answer = await docustack("runs", "cancel", bootstrap_workflow_id(ACCOUNT))
    assert answer.code == 2
    assert "cancelled in Temporal's UI" in answer.err


async def test_a_dry_run_prints_the_plan(server: str, account: FakeAccount, docustack: Commands) -> None:
    answer = await docustack("bootstrap", "dev", "--dry-run")
    assert (answer.code, account.is_there) == (0, (False, False))
    assert "Plan: 2 to add." in answer.out


async def test_json_is_the_outcome_and_nothing_else(server: str, account: FakeAccount, docustack: Commands) -> None:
    answer = await docustack("bootstrap", "dev", "--json")
    assert answer.json["end"] == "done"


async def test_a_failure_is_exit_code_one_with_what_was_undone(
    server: str, account: FakeAccount, docustack: Commands
) -> None:
    account.fail, account.fail_after = "apply_bootstrap", True
    answer = await docustack("bootstrap", "dev")
    assert answer.code == 1
    assert "Undone: removed" in answer.out


async def test_a_wrong_name_gets_the_nearest_and_nothing_is_started(
    server: str, account: FakeAccount, docustack: Commands
) -> None:
    answer = await docustack("bootstrap", "stagin")
    assert answer.code == 4
    assert "Did you mean `staging`?" in answer.err
    assert account.log == []


async def test_who_may_not_apply_is_refused_by_the_engine(
    server: str, account: FakeAccount, docustack: Commands, github: GitHubStandIn, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("DOCUSTACK_GITHUB_USER_TOKEN", github.token("developer"))
    answer = await docustack("bootstrap", "dev")
    assert answer.code == 1
    assert "may not apply" in answer.out + answer.err
    assert "check_environment" not in account.log


async def test_a_repository_of_somebodys_own_is_not_served(
    server: str, account: FakeAccount, github: GitHubStandIn
) -> None:
    order = {"repository": "infra-member/my-own-rules", "environment": "dev", "account_id": ACCOUNT}
    status, refused = await Api(server, github)("infra-member", "POST", "/bootstrap", order)
    assert (status, account.log) == (404, [])
    assert "doesn't serve" in refused["error"]


async def test_a_second_one_of_the_same_account_is_the_first(
    server: str, account: FakeAccount, github: GitHubStandIn, temporal: str
) -> None:
    order = {"repository": LIVE, "environment": "dev", "account_id": ACCOUNT}
    api = Api(server, github)
    answers = [await api("lead", "POST", "/bootstrap", order) for _ in range(2)]
    assert [(status, answer["attached"]) for status, answer in answers] == [(200, False), (200, True)]
    assert answers[0][1]["run_id"] == answers[1][1]["run_id"]
    client = await Client.connect(temporal, data_converter=pydantic_data_converter)
    await client.get_workflow_handle(bootstrap_workflow_id(ACCOUNT)).result()
    assert account.log.count("apply_bootstrap") == 1
