"""`docustack deploy` as people type it: through the server, as who they are on GitHub, watched and decided."""

import asyncio
import io
import json
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import Any

import pytest
from temporalio.client import Client
from temporalio.contrib.pydantic import pydantic_data_converter

from docustack.initial_deployment import DeploymentEnd, DeploymentOutcome, deployment_workflow_id
from docustack.repository import Repository
from starter.client import Connection
from starter.deployment_watching import Changes, look_at
from tests.integration.doors import LIVE, Api, terminal_of
from tests.integration.stand_ins import OWNER, REPOSITORY, GitHubStandIn
from tests.integration.terminal import Commands
from tests.workflows.organisation import RDS, TEMPORAL, VPC, Organisation, at_work, workers
from worker.settings import Settings

ROOT = Path(__file__).resolve().parents[2]
ID = deployment_workflow_id(Repository(owner=OWNER, name=REPOSITORY))


@pytest.fixture
def server(temporal: str, github: GitHubStandIn, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    with terminal_of("lead", temporal, github, tmp_path, monkeypatch) as url:
        yield url


@pytest.fixture
async def client(temporal: str) -> Client:
    return await Client.connect(temporal, data_converter=pydantic_data_converter)


@pytest.fixture
async def organisation(client: Client) -> AsyncIterator[Organisation]:
    async with at_work(client) as organisation:
        yield organisation


async def test_each_environment_is_shown_as_it_goes_on_and_then_what_came_of_it(
    server: str, organisation: Organisation, docustack: Commands
) -> None:
    answer = await docustack("deploy", "initial", "--until", "dev")
    assert answer.code == 0, answer
    assert "dev: deployed" in answer.out
    assert f"{VPC} applied" in answer.out
    assert "dev is deployed: 4 units applied." in answer.out.splitlines()[-1]
    again = await docustack("deploy", "initial", "--until", "dev")
    assert (again.code, "Nothing was changed" in again.out) == (0, True)


async def test_while_an_account_is_bootstrapped_its_steps_are_looked_at(
    server: str, organisation: Organisation, docustack: Commands, client: Client
) -> None:
    organisation.without_backend, organisation.hold = {"dev"}, asyncio.Event()
    await docustack("deploy", "initial", "--environment", "dev", "--detach")
    connection, wanted = Connection(client, Settings()), Repository(owner=OWNER, name=REPOSITORY)
    async with asyncio.timeout(60):
        while (look := await look_at(connection, wanted)).bootstrap is None:
            await asyncio.sleep(0.02)
    organisation.hold.set()
    assert "  … preflight" in Changes().since_last(look)
    watched = await docustack("deploy", "watch")
    assert watched.code == 0, watched


async def test_a_worker_that_is_gone_is_told_as_that(
    server: str, client: Client, docustack: Commands, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("starter.deployment_watching._COMES_BACK_WITHIN", 0.0)
    organisation = Organisation()
    async with workers(client, organisation):
        await docustack("deploy", "environment", "dev")
    answer = await docustack("deploy", "show")
    assert answer.code == 3
    assert "Temporal is there, but no worker answers" in answer.err


async def test_one_environment_is_all_at_once(server: str, organisation: Organisation, docustack: Commands) -> None:
    answer = await docustack("deploy", "environment", "staging", "--json")
    assert answer.json["outcome"]["end"] == "done"
    assert organisation.ran == ["staging"]
    assert answer.json == (await docustack("deploy", "show", "--json")).json


async def test_json_has_the_fields_that_are_promised(
    server: str, organisation: Organisation, docustack: Commands
) -> None:
    organisation.fails = {RDS}
    begun = await docustack("deploy", "environment", "dev", "--detach", "--json")
    assert list(begun.json) == ["workflow_id", "run_id", "login", "attached"]
    await docustack.until(lambda answer: "dev has stopped." in answer.out, "deploy", "show")
    decided = await docustack("deploy", "stop", "--json")
    assert list(decided.json) == ["accepted", "run_id", "login", "message"]
    ended = await docustack("deploy", "watch", "--json")
    assert ended.code == 1
    documented = documented_json("`deploy show`") | {"question": None, "outcome": ended.json["outcome"]}
    assert shape(ended.json) == shape(documented)
    assert list(ended.json["outcome"]) == ["end", "message", "unknown_environment"]


async def test_elsewhere_than_in_a_clone_the_workflow_refuses_an_environment_that_there_is_not(
    server: str, organisation: Organisation, docustack: Commands
) -> None:
    answer = await docustack("deploy", "environment", "deev")
    assert (answer.code, organisation.runs) == (4, [])
    assert "Did you mean `dev`?" in answer.out


async def test_json_of_a_question_has_the_fields_that_are_promised(
    server: str, organisation: Organisation, docustack: Commands
) -> None:
    organisation.fails = {RDS}
    await docustack("deploy", "environment", "dev", "--detach")
    await docustack.until(lambda answer: "dev has stopped." in answer.out, "deploy", "show")
    shown = (await docustack("deploy", "show", "--json")).json
    assert sorted(shown["question"]) == sorted(documented_json("`deploy show`")["question"])


def documented_json(after: str) -> dict[str, Any]:
    """The first example behind these words in docs/cli.md."""
    text = (ROOT / "docs/cli.md").read_text().partition(after)[2]
    example: dict[str, Any] = json.loads(text.partition("```json\n")[2].partition("```")[0])
    return example


def shape(document: dict[str, Any]) -> dict[str, Any]:
    """Its fields, and those of what it holds one or several of."""
    first = {name: value[0] if isinstance(value, list) and value else value for name, value in document.items()}
    return {name: sorted(value) if isinstance(value, dict) else type(value) for name, value in first.items()}


async def test_a_failure_is_shown_with_the_commands_that_decide_and_a_retry_goes_on(
    server: str, organisation: Organisation, docustack: Commands, client: Client
) -> None:
    organisation.fails = {RDS}
    assert (await docustack("deploy", "environment", "dev", "--detach")).code == 0
    shown = await docustack.until(lambda answer: "dev has stopped." in answer.out, "deploy", "show")
    assert f"docustack deploy skip {RDS}" in shown.out
    assert "docustack deploy roll-back\n" in shown.out, "the name is asked for, and never there to be copied"
    assert f"A rollback would destroy: `{RDS}`" in " ".join(shown.out.split())
    assert f"docustack runs show {organisation.runs[0].run_id}" in " ".join(shown.out.split())
    question = (await docustack("deploy", "show", "--json")).json["question"]
    assert question["not_begun"] == [TEMPORAL]
    organisation.fails = set()
    decided = await docustack("deploy", "retry")
    assert (decided.code, decided.out.strip()) == (0, "dev is tried again: 2 units.")
    watched = await docustack("deploy", "watch")
    assert (watched.code, organisation.exists >= {RDS, TEMPORAL}) == (0, True), watched


class Keyboard(io.StringIO):
    """A terminal's, on which somebody types this."""

    def isatty(self) -> bool:
        return True


async def test_a_rollback_takes_the_environments_name_and_ends_with_exit_code_one(
    server: str, organisation: Organisation, docustack: Commands, monkeypatch: pytest.MonkeyPatch
) -> None:
    organisation.fails = {TEMPORAL}
    await docustack("deploy", "environment", "dev", "--detach")
    await docustack.until(lambda answer: "dev has stopped." in answer.out, "deploy", "show")
    unnamed = await docustack("deploy", "roll-back")
    assert (unnamed.code, "docustack deploy roll-back dev" in unnamed.err, VPC in unnamed.err) == (2, True, True)
    wrong = await docustack("deploy", "roll-back", "prod")
    assert (wrong.code, "type the environment's name" in wrong.err) == (1, True)
    monkeypatch.setattr("sys.stdin", Keyboard("prod\n"))
    mistyped = await docustack("deploy", "roll-back")
    assert "This will be destroyed in dev:" in mistyped.err
    assert (mistyped.code, VPC in mistyped.err, "type the environment's name" in mistyped.err) == (1, True, True)
    monkeypatch.setattr("sys.stdin", Keyboard("dev\n"))
    assert (await docustack("deploy", "roll-back")).code == 0
    watched = await docustack("deploy", "watch")
    assert (watched.code, organisation.exists) == (1, set())
    assert "dev is rolled back" in watched.out


async def test_who_may_not_apply_there_decides_nothing(
    server: str,
    organisation: Organisation,
    docustack: Commands,
    github: GitHubStandIn,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    organisation.fails = {RDS}
    await docustack("deploy", "environment", "dev", "--detach")
    await docustack.until(lambda answer: "dev has stopped." in answer.out, "deploy", "show")
    monkeypatch.setenv("DOCUSTACK_GITHUB_USER_TOKEN", github.token("developer"))
    refused = await docustack("deploy", "stop")
    assert (refused.code, "may not apply `dev`" in refused.err) == (1, True)
    monkeypatch.setenv("DOCUSTACK_GITHUB_USER_TOKEN", github.token("infra-member"))
    stopped = await docustack("deploy", "stop")
    assert stopped.code == 0
    show = await docustack("deploy", "show")
    assert "stop by infra-member" in show.out


async def test_who_may_cancels_it_with_its_run_while_it_works(
    server: str,
    organisation: Organisation,
    docustack: Commands,
    github: GitHubStandIn,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    organisation.hold = asyncio.Event()
    await docustack("deploy", "environment", "dev", "--detach")
    await docustack.until(lambda answer: bool(organisation.runs), "deploy", "show")
    monkeypatch.setenv("DOCUSTACK_GITHUB_USER_TOKEN", github.token("developer"))
    assert "may not apply `dev`" in (await docustack("deploy", "cancel")).err
    monkeypatch.setenv("DOCUSTACK_GITHUB_USER_TOKEN", github.token("infra-member"))
    assert (await docustack("deploy", "cancel")).code == 0
    watched = await docustack("deploy", "watch")
    assert "was cancelled by infra-member" in watched.out
    assert organisation.cancelled == [organisation.runs[0].run_id]


async def test_a_second_one_attaches_to_the_one_that_works(
    server: str, organisation: Organisation, github: GitHubStandIn, client: Client
) -> None:
    organisation.hold = asyncio.Event()
    api = Api(server, github)
    answers = [await api("lead", "POST", "/deployments", {"repository": LIVE, "only": "dev"}) for _ in range(2)]
    assert [(status, answer["attached"]) for status, answer in answers] == [(200, False), (200, True)]
    assert answers[0][1]["run_id"] == answers[1][1]["run_id"]
    organisation.hold.set()
    outcome = DeploymentOutcome.model_validate(await client.get_workflow_handle(ID).result())
    assert (outcome.end, organisation.ran) == (DeploymentEnd.DONE, ["dev"])


async def test_one_environment_alone_has_no_beginning_and_no_end(
    server: str, organisation: Organisation, docustack: Commands
) -> None:
    answer = await docustack("deploy", "initial", "--environment", "dev", "--until", "staging")
    assert (answer.code, organisation.ran) == (2, [])
    assert "--environment is one environment alone" in answer.err


async def test_one_of_something_else_is_not_taken_for_the_one_that_works(
    server: str, organisation: Organisation, docustack: Commands
) -> None:
    organisation.hold = asyncio.Event()
    assert (await docustack("deploy", "environment", "dev", "--detach")).code == 0
    answer = await docustack("deploy", "environment", "staging", "--json")
    assert (answer.code, answer.out) == (1, "")
    assert "Another deployment works already, of dev, by lead; nothing was begun." in answer.err
    assert (await docustack("deploy", "environment", "dev", "--detach")).code == 0
    organisation.hold.set()


async def test_what_is_over_or_never_was_takes_no_decision(
    server: str, organisation: Organisation, docustack: Commands, github: GitHubStandIn
) -> None:
    await docustack("deploy", "environment", "dev")
    refused = await docustack("deploy", "retry")
    assert (refused.code, "waits for no decision" in refused.err) == (1, True)
    decision = {"repository": LIVE, "kind": "retry", "question": 1}
    status, told = await Api(server, github)("lead", "POST", "/deployments/decision", decision)
    assert (status, told["refusal"]) == (409, "not-waiting")


async def test_a_repository_of_somebodys_own_is_not_served(
    server: str, organisation: Organisation, github: GitHubStandIn
) -> None:
    order = {"repository": "infra-member/my-own-rules", "only": "dev"}
    status, refused = await Api(server, github)("infra-member", "POST", "/deployments", order)
    assert (status, organisation.runs) == (404, [])
    assert "doesn't serve" in refused["error"]
