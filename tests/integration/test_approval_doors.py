"""Approving through the server: by HTTP and by the command line, on real workflows, as people known to GitHub."""

import asyncio
import json
import stat
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import Any

import pytest
from temporalio.client import Client
from temporalio.contrib.pydantic import pydantic_data_converter

from docustack.repository import Repository
from docustack.runs import RunStatus
from tests.integration.doors import Api, serving, settings_for
from tests.integration.stand_ins import OWNER, REPOSITORY, GitHubStandIn
from tests.integration.terminal import Commands
from tests.workflows.conftest import Stage, end_everything, workers
from tests.workflows.fakes import PEOPLE, Unit, World, read

PROD = "prod/us-east-1/vpc"
HEAD = "a" * 40


@pytest.fixture
def server(temporal: str, github: GitHubStandIn, tmp_path: Path) -> Iterator[str]:
    with serving(settings_for(temporal, github, tmp_path)) as url:
        yield url


@pytest.fixture
async def stage(temporal: str) -> AsyncIterator[Stage]:
    client = await Client.connect(temporal, data_converter=pydantic_data_converter)
    world = World({PROD: Unit()})
    async with workers(client, world):
        stage = Stage(client, world)
        stage.repository = Repository(owner=OWNER, name=REPOSITORY)
        yield stage
        await end_everything(client)


async def waiting(stage: Stage, author: str = "infra-member") -> str:
    """An apply of prod that waits for the approval of a lead; its id."""
    stage.world.open(author=author)
    await stage.send("opened", sender=author)
    await stage.until_ended(1)
    await stage.comment("terrateam apply", sender="lead")
    await stage.until(lambda: bool(stage.world.texts("Waiting for approval")))
    active = (await stage.state()).active
    assert active is not None
    return active.run_id


@pytest.fixture
def api(server: str, github: GitHubStandIn) -> Api:
    return Api(server, github)


# ---- over HTTP -------------------------------------------------------------------------------------------------------


async def test_who_may_push_sees_what_there_is_to_approve(stage: Stage, api: Api) -> None:
    run_id = await waiting(stage)
    status, run = await api("developer", "GET", f"/runs/{run_id[:6]}")
    assert status == 200
    assert {name: run[name] for name in ("run_id", "repository", "pull_request", "operation", "status", "commit")} == {
        "run_id": run_id,
        "repository": f"{OWNER}/{REPOSITORY}",
        "pull_request": 1,
        "operation": "apply",
        "status": "waiting-for-approval",
        "commit": HEAD,
    }
    [unit] = run["units"]
    assert (unit["unit"], unit["summary"]["add"], unit["preview"]) == (PROD, 1, False)
    assert "needs 1 approval" in run["message"]
    assert (await api("outsider", "GET", f"/runs/{run_id}"))[0] == 403


async def test_an_approval_of_who_may_is_answered_at_once_and_the_apply_begins(stage: Stage, api: Api) -> None:
    run_id = await waiting(stage)
    status, answer = await api.approve("lead", run_id)
    assert status == 200
    assert (answer["accepted"], answer["run_id"], answer["login"]) == (True, run_id, "lead")
    await stage.until(lambda: stage.world.applied == [PROD])


async def test_whoever_else_approves_is_told_at_once_why_it_does_not_count(stage: Stage, api: Api) -> None:
    run_id = await waiting(stage)
    for login, status, refusal in (
        ("developer", 403, "not-allowed"),  # in no team
        ("infra-member", 403, "author"),
        ("outsider", 403, ""),  # can't even push
    ):
        got, told = await api.approve(login, run_id)
        assert (got, told["refusal"]) == (status, refusal), told
        assert told["error"]
        assert told["what_to_do"]
    assert stage.world.applied == []


async def test_an_approval_of_something_else_than_what_is_shown_is_refused(stage: Stage, api: Api) -> None:
    run_id = await waiting(stage)
    assert (await api.approve("lead", run_id, commit="b" * 40))[1]["refusal"] == "other-commit"
    status, told = await api.approve("lead", run_id, plans="sha256:0")
    assert (status, told["refusal"]) == (409, "other-plans")
    assert run_id in told["what_to_do"]
    assert stage.world.applied == []


@pytest.mark.parametrize("content", [None, {}, {"commit": HEAD}, [], {"commit": HEAD, "plans": 3}])
async def test_a_malformed_approval_is_told_what_it_lacks(stage: Stage, api: Api, content: object) -> None:
    run_id = await waiting(stage)
    status, told = await api("lead", "POST", f"/runs/{run_id}/approve", content)
    assert (status, told["refusal"]) == (422, "")
    assert stage.world.applied == []


async def test_what_is_over_or_never_was_can_not_be_approved(stage: Stage, api: Api) -> None:
    run_id = await waiting(stage)
    planned = (await stage.state()).runs[0].run_id
    assert (await api.approve("lead", run_id))[0] == 200
    await stage.until_ended(2)
    for ended in (run_id, planned):
        await asyncio.wait_for(stage.client.get_workflow_handle(f"run:{ended}").result(), 120)
        status, told = await api.approve("lead", ended)
        assert (status, told["refusal"]) == (409, "not-waiting")
        assert "has ended (succeeded)" in told["error"]
    status, told = await api("lead", "GET", "/runs/0123456789")
    assert status == 404
    assert run_id not in str(told), "who hasn't been found to be allowed is told no ids"


async def test_a_rejection_ends_the_run_and_needs_a_reason(stage: Stage, api: Api) -> None:
    run_id = await waiting(stage)
    assert (await api("lead", "POST", f"/runs/{run_id}/reject", {}))[0] == 422
    assert (await api("lead", "POST", f"/runs/{run_id}/reject", {"reason": "  "}))[1]["refusal"] == "no-reason"
    assert (await api("developer", "POST", f"/runs/{run_id}/reject", {"reason": "no"}))[0] == 403
    status, _ = await api("lead", "POST", f"/runs/{run_id}/reject", {"reason": "it drops the database"})
    assert status == 200
    state = await stage.until_ended(2)
    assert state.runs[-1].status is RunStatus.REFUSED
    assert stage.world.texts("Rejected by @lead: it drops the database")


async def test_a_run_is_cancelled_by_its_actor_and_by_nobody_who_could_not_apply_there(stage: Stage, api: Api) -> None:
    run_id = await waiting(stage)  # lead's own, of prod
    for login, refusal in (("infra-member", "not-allowed"), ("developer", "not-allowed"), ("outsider", "")):
        status, told = await api(login, "POST", f"/runs/{run_id}/cancel", {})
        assert (status, told["refusal"]) == (403, refusal), told
    status, answer = await api("lead", "POST", f"/runs/{run_id}/cancel", {"reason": "not today"})
    assert (status, answer["accepted"]) == (200, True), answer
    state = await stage.until_ended(2)
    assert (state.runs[-1].status, stage.world.applied) == (RunStatus.CANCELLED, [])
    told = read(stage.world.texts_now["decisions"])
    assert '`cancel` of `lead` through the server ("not today")' in told, "it is on record who it was"
    status, told = await api("lead", "POST", f"/runs/{run_id}/cancel", {})
    assert (status, told["refusal"]) == (409, "not-waiting")


@pytest.mark.parametrize("key,told", [("", "has no DOCUSTACK_APPROVAL_KEYS"), ("x" * 32, "the worker has other")])
async def test_a_server_with_another_key_than_the_worker_says_so(
    stage: Stage, temporal: str, github: GitHubStandIn, tmp_path: Path, key: str, told: str
) -> None:
    run_id = await waiting(stage)
    with serving(settings_for(temporal, github, tmp_path, key)) as url:
        status, answer = await Api(url, github).approve("lead", run_id)
    assert status == 503
    assert told in answer["error"]
    assert stage.world.applied == []


# ---- by the command line ---------------------------------------------------------------------------------------------


@pytest.fixture
def docustack(
    capsys: pytest.CaptureFixture[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch, server: str, temporal: str
) -> Commands:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr("starter.surroundings.DEFAULT_DATA_DIR", tmp_path / "no-world")
    monkeypatch.setenv("DOCUSTACK_PUBLIC_URL", server)
    monkeypatch.setenv("DOCUSTACK_TEMPORAL_ADDRESS", temporal)
    monkeypatch.delenv("GH_TOKEN", raising=False)
    return Commands(capsys)


@pytest.fixture
def as_(monkeypatch: pytest.MonkeyPatch, github: GitHubStandIn) -> Any:
    return lambda login: monkeypatch.setenv("DOCUSTACK_GITHUB_USER_TOKEN", github.token(login))


async def test_approve_shows_the_plans_and_the_answer(stage: Stage, docustack: Commands, as_: Any) -> None:
    run_id = await waiting(stage)
    as_("lead")
    answer = await docustack("approve", run_id[:6])
    assert answer.code == 0, answer.err
    assert "It counts" in answer.out
    assert f"{PROD}  +1 ~0 -0" in answer.err
    await stage.until(lambda: stage.world.applied == [PROD])


async def test_runs_cancel_ends_the_run_and_says_so(stage: Stage, docustack: Commands, as_: Any) -> None:
    run_id = await waiting(stage)
    as_("developer")
    refused = await docustack("runs", "cancel", run_id[:6])
    assert (refused.code, refused.out) == (1, "")
    assert "may not cancel it" in refused.err
    as_("lead")
    answer = await docustack("runs", "cancel", run_id[:6])
    assert answer.code == 0, answer.err
    assert "The run ends" in answer.out
    await stage.until_ended(2)
    shown = await docustack("runs", "show", run_id, "--json")
    assert (shown.json["run"]["status"], shown.json["message"]) == ("cancelled", "The run was cancelled by @lead.")


async def test_who_waits_for_the_end_of_what_they_cancel_sees_it(
    stage: Stage, docustack: Commands, as_: Any, temporal: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    run_id = await waiting(stage)
    as_("lead")
    monkeypatch.setenv("DOCUSTACK_TEMPORAL_ADDRESS", temporal)
    answer = await docustack("runs", "cancel", run_id, "--wait")
    assert answer.code == 0, answer.err
    assert f"run {run_id}: cancelled after" in answer.out


async def test_approve_as_json_tells_a_refusal_as_an_answer(stage: Stage, docustack: Commands, as_: Any) -> None:
    run_id = await waiting(stage)
    as_("developer")
    answer = await docustack("approve", run_id, "--json")
    assert answer.code == 1
    assert answer.json.keys() == {"accepted", "refusal", "message", "what_to_do"}
    assert (answer.json["accepted"], answer.json["refusal"]) == (False, "not-allowed")
    told = await docustack("approve", run_id)
    assert (told.code, told.out) == (1, "")
    assert "is not a member of the `leads` team" in told.err
    as_("lead")
    answer = await docustack("approve", run_id, "--plans", "sha256:0", "--json")
    assert answer.code == 1
    assert "other plans" in answer.err
    plans = (await docustack.until(lambda a: a.code == 0, "approve", run_id, "--json")).json
    assert plans["accepted"] is True


async def test_reject_says_why_and_ends_the_run(stage: Stage, docustack: Commands, as_: Any) -> None:
    run_id = await waiting(stage)
    as_("lead")
    assert (await docustack("reject", run_id)).code == 2
    assert (await docustack("reject", run_id, "--reason", " ")).code == 2
    answer = await docustack("reject", run_id, "--reason", "not on a Friday", "--json")
    assert (answer.code, answer.json["accepted"]) == (0, True)
    await stage.until_ended(2)
    assert stage.world.texts("Rejected by @lead: not on a Friday")


async def test_what_stands_in_the_way_has_an_exit_code_of_its_own(
    stage: Stage, docustack: Commands, as_: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    as_("lead")
    assert (await docustack("approve", "0123456789")).code == 4
    monkeypatch.setenv("DOCUSTACK_GITHUB_USER_TOKEN", "ghp_nobodysTokenAtAll000")
    assert (await docustack("approve", "0123456789")).code == 1
    monkeypatch.setenv("DOCUSTACK_PUBLIC_URL", "http://127.0.0.1:9")
    assert (await docustack("approve", "0123456789")).code == 3
    monkeypatch.setenv("DOCUSTACK_PUBLIC_URL", "http://docustack.example.com")
    answer = await docustack("approve", "0123456789")
    assert answer.code == 2
    assert "in the clear" in answer.err
    monkeypatch.delenv("DOCUSTACK_PUBLIC_URL")
    answer = await docustack("approve", "0123456789")
    assert answer.code == 2
    assert "DOCUSTACK_PUBLIC_URL" in answer.err


async def test_the_token_is_that_of_gh_where_none_is_given(
    stage: Stage, docustack: Commands, github: GitHubStandIn, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    run_id = await waiting(stage)
    monkeypatch.setenv("PATH", str(tmp_path / "bin"))
    answer = await docustack("approve", run_id)
    assert answer.code == 2
    assert "gh auth login" in answer.err
    gh = tmp_path / "bin/gh"
    gh.parent.mkdir()
    gh.write_text(f'#!/bin/sh\n[ "$1 $2 $3 $4" = "auth token --hostname github.com" ] && echo {github.token("lead")}\n')
    gh.chmod(gh.stat().st_mode | stat.S_IXUSR)
    assert (await docustack("approve", run_id)).code == 0
    await stage.until(lambda: stage.world.applied == [PROD])
    monkeypatch.setenv("GH_TOKEN", github.token("developer"))
    assert "has ended" in (await docustack("approve", run_id)).err


async def test_runs_show_tells_what_was_decided_and_by_whom(
    stage: Stage, docustack: Commands, as_: Any, temporal: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    run_id = await waiting(stage)
    as_("developer")
    await docustack("approve", run_id)
    await stage.client.get_workflow_handle(f"run:{run_id}").signal("approve", {"actor": "lead"})
    await stage.until(lambda: "claims to be of" in stage.world.texts_now.get("decisions", ""))
    monkeypatch.setenv("DOCUSTACK_TEMPORAL_ADDRESS", temporal)
    shown = (await docustack("runs", "show", run_id, "--json")).json
    assert [(one["door"], one["login"], one["counts"]) for one in shown["decisions"]] == [
        ("server", "developer", False),
        ("temporal", "lead", False),
    ]
    assert [one["actor"] for one in shown["operator_signals"]] == ["lead"]
    assert shown["plans"].startswith("sha256:")
    page = await docustack("runs", "show", run_id)
    assert "approve by lead (claimed, unverified)" in page.out


def test_people_of_the_fakes_are_those_of_the_stand_in(github: GitHubStandIn) -> None:
    assert json.loads((github.root / "data" / "tokens.json").read_text()).keys() >= PEOPLE.keys()
