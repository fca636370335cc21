"""`docustack bootstrap` as people type it: through the server, as who they are on GitHub, watched to its end."""

import asyncio
import json
import os
import re
import signal
import sys
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

ROOT = str(Path(__file__).parents[2])


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


async def until_in(account: FakeAccount, step: str) -> None:
    async with asyncio.timeout(120):
        while step not in account.log:
            await asyncio.sleep(0.02)


async def test_ctrl_c_only_stops_watching_and_names_the_command_that_cancels(
    server: str, account: FakeAccount, docustack: Commands
) -> None:
    """That command then says what was undone."""
    account.hang = "apply_bootstrap"
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "starter.cli", "bootstrap", "dev",
        env={**os.environ, "PYTHONPATH": ROOT}, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.PIPE,
    )  # fmt: skip
    await until_in(account, "apply_bootstrap")
    process.send_signal(signal.SIGINT)
    _, told = await asyncio.wait_for(process.communicate(), 120)
    workflow_id = bootstrap_workflow_id(ACCOUNT)
    assert process.returncode == 130
    assert f"It goes on. To watch it again: docustack runs watch {workflow_id}" in told.decode()
    cancel = re.search(r"To cancel it: docustack (.+)", told.decode())
    assert cancel is not None

    assert account.is_there == (True, True)
    answer = await docustack(*cancel[1].split(), "--reason", "the wrong account")
    assert (answer.code, account.is_there) == (0, (False, False)), answer
    assert "The bootstrap ends" in answer.out
    assert "was cancelled by @infra-member: the wrong account.\nUndone: removed" in answer.out
    again = await docustack("runs", "cancel", workflow_id)
    assert (again.code, "has ended (cancelled)" in again.err) == (1, True), again


async def test_who_may_not_order_a_bootstrap_does_not_cancel_one(
    server: str, account: FakeAccount, github: GitHubStandIn
) -> None:
    account.hang = "apply_bootstrap"
    api, path = Api(server, github), f"/bootstrap/{ACCOUNT}/cancel"
    assert (await api("infra-member", "POST", path, {}))[0] in (404, 409)  # nothing works here yet
    await api("infra-member", "POST", "/bootstrap", {"repository": LIVE, "environment": "dev", "account_id": ACCOUNT})
    await until_in(account, "apply_bootstrap")
    status, refused = await api("developer", "POST", path, {})
    assert (status, refused["refusal"]) == (403, "not-allowed")
    assert "may not apply `dev`" in refused["error"]
    assert (await api("outsider", "POST", path, {}))[0] == 403
    assert account.is_there == (True, True)
    status, answer = await api("lead", "POST", path, {"reason": "not today"})
    assert (status, answer["accepted"], answer["login"]) == (200, True, "lead")


async def test_what_is_no_bootstrap_is_not_cancelled(server: str, docustack: Commands) -> None:
    answer = await docustack("runs", "cancel", "bootstrap:000000000000")
    assert (answer.code, "There is no bootstrap" in answer.err) == (4, True), answer


async def test_a_dry_run_prints_the_plan(server: str, account: FakeAccount, docustack: Commands) -> None:
    answer = await docustack("bootstrap", "dev", "--dry-run")
    assert (answer.code, account.is_there) == (0, (False, False))
    assert "Plan: 2 to add." in answer.out


async def test_json_is_the_outcome_and_nothing_else(server: str, account: FakeAccount, docustack: Commands) -> None:
    answer = await docustack("bootstrap", "dev", "--json")
    assert answer.json["end"] == "done"
    fields = '`{"end", "message", "plan", "pull_request", "kept_state", "undone", "left"}`'
    assert fields in (Path(ROOT) / "docs/cli.md").read_text()
    assert fields == "`{" + ", ".join(f'"{name}"' for name in answer.json) + "}`"
    watched = await docustack("runs", "watch", bootstrap_workflow_id(ACCOUNT), "--json")
    assert watched.json == answer.json


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
