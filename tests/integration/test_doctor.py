"""`docustack doctor`: on a whole local world all is well; where something is not, it says what, and never hangs."""

import asyncio
import json
import socket
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread
from typing import Any

import httpx
import pytest
from githubkit import GitHub, TokenAuthStrategy
from slack_sdk.web.async_client import AsyncWebClient
from temporalio.exceptions import ApplicationError
from temporalio.testing import ActivityEnvironment, WorkflowEnvironment

from activities.git_push import try_push
from activities.github_prerequisites import GitHubPrerequisites
from activities.limited_checks import in_thread, limited
from activities.prerequisites import CheckInstallation, InstallationPrerequisites
from activities.slack_prerequisites import check_slack
from activities.tool_prerequisites import WorkerTools
from docustack.errors import ErrorType
from docustack.prerequisites import (
    Area,
    CheckStatus,
    Expected,
    Prerequisite,
    Prerequisites,
    unmet_summary,
    warnings_of,
)
from docustack.repository import Repository
from local.world import World
from starter.cli import run
from starter.temporal_prerequisites import check_temporal
from tests.integration.stand_ins import OWNER, REPOSITORY, GitHubStandIn, SlackStandIn
from worker.settings import Settings

ROOT = Path(__file__).resolve().parents[2]
BOT = "docustack[bot]"


@dataclass(frozen=True)
class Answer:
    code: int
    out: str
    err: str

    @property
    def checks(self) -> dict[str, Any]:
        """By `environment: name`."""
        made = json.loads(self.out)["checks"]
        return {": ".join(filter(None, [check["environment"], check["name"]])): check for check in made}


class Doctor:
    """Calls the command as a person would, in this process."""

    def __init__(self, capsys: pytest.CaptureFixture[str]) -> None:
        self._capsys = capsys

    def __call__(self, *arguments: str) -> Answer:
        self._capsys.readouterr()
        code = run(["doctor", *arguments])
        written = self._capsys.readouterr()
        return Answer(code, written.out, written.err)


@pytest.fixture
def doctor(capsys: pytest.CaptureFixture[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Doctor:
    """Elsewhere than in a local world or a live repository, and without a person."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr("starter.surroundings.DEFAULT_DATA_DIR", tmp_path / "no-world")
    monkeypatch.setenv("GH_CONFIG_DIR", str(tmp_path))
    monkeypatch.delenv("GH_TOKEN", raising=False)
    return Doctor(capsys)


# ---- the local world -------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    world = World(tmp_path_factory.mktemp("world") / ".local")
    world.up()
    yield world
    world.down()


@pytest.fixture
def in_world(doctor: Doctor, world: World, monkeypatch: pytest.MonkeyPatch) -> Doctor:
    monkeypatch.chdir(world.places.data_dir.parent)
    return doctor


def test_in_the_local_world_all_that_is_needed_is_there(in_world: Doctor) -> None:
    answer = in_world("--json")
    assert answer.code == 0, answer.out
    assert json.loads(answer.out)["ok"] is True
    not_ok = {name for name, check in answer.checks.items() if check["status"] != "ok"}
    assert not_ok <= {"aws", "push access"}  # the AWS CLI is optional, and nobody has said who they are
    assert answer.checks["prod: worker"]["needed"] == "one that polls docustack-prod"
    assert answer.checks["dev: state bucket"]["found"].startswith("docustack-terraform-state-111111111111: versioned")
    assert list(answer.checks["webhook"]) == ["area", "name", "environment", "status", "found", "needed", "mend"]


def test_of_one_environment_only_what_it_needs_is_asked(in_world: Doctor) -> None:
    answer = in_world("--environment", "prod", "--json")
    assert answer.code == 0
    assert {check["environment"] for check in answer.checks.values()} == {None, "prod"}
    wrong = in_world("--environment", "prood")
    assert wrong.code == 2
    assert "Did you mean prod?" in wrong.err


def test_a_person_is_told_what_they_may_do(in_world: Doctor, world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    tokens = world.status().github.tokens
    monkeypatch.setenv("DOCUSTACK_GITHUB_USER_TOKEN", tokens["infra-member"])
    answer = in_world("-e", "dev", "--json")
    assert answer.code == 0
    assert answer.checks["push access"]["found"] == "infra-member may push"
    assert "infra-member among them" in answer.checks["team infra"]["found"]
    leads = answer.checks["team leads"]
    assert (leads["status"], leads["mend"]) == (
        "optional",
        "gh api -X PUT orgs/docustack/teams/leads/memberships/infra-member",
    )
    monkeypatch.setenv("DOCUSTACK_GITHUB_USER_TOKEN", tokens["outsider"])
    outsider = in_world("-e", "dev")
    assert outsider.code == 1
    assert "outsider may not push" in outsider.out


def test_what_is_down_fails_with_its_command_and_the_rest_is_still_asked(in_world: Doctor, world: World) -> None:
    for part in ("slack", "moto"):
        world.kill(part)
    try:
        answer = in_world("--json")
    finally:
        for part in ("moto", "slack"):
            world.restart(part)
    assert answer.code == 1
    assert "Traceback" not in answer.out + answer.err
    failed = {name: check for name, check in answer.checks.items() if check["status"] == "failed"}
    assert set(failed) == {
        "dev: AWS session", "staging: AWS session", "prod: AWS session", "management: AWS session", "Slack token",
    }  # fmt: skip
    assert all(check["mend"] for check in failed.values())
    assert "Could not connect to the endpoint" in failed["dev: AWS session"]["found"]
    assert answer.checks["dev: lock table"]["status"] == "skipped"
    assert answer.checks["Temporal server"]["status"] == "ok"


# ---- a machine with nothing ------------------------------------------------------------------------------------------


def test_on_a_bare_machine_each_line_says_what_to_do(
    doctor: Doctor, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        monkeypatch.setenv("DOCUSTACK_TEMPORAL_ADDRESS", f"127.0.0.1:{free.getsockname()[1]}")
    answer = doctor("--json")
    assert answer.code == 1
    checks = answer.checks
    assert checks["docustack.yaml"]["found"] == f"there is none in {tmp_path}"
    assert checks["live repository"]["mend"].startswith("add `repository: owner/name` to docustack.yaml")
    assert checks["Slack token"]["status"] == "optional"
    assert checks["Temporal server"]["mend"].startswith("docustack --standalone bootstrap ENVIRONMENT (begins without")
    assert "docustack local up" in checks["Temporal server"]["mend"]
    assert checks["worker"]["status"] == "skipped"
    assert doctor(str(tmp_path / "nowhere")).code == 2


def test_rules_with_a_mistake_are_named_with_their_line(
    doctor: Doctor, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("DOCUSTACK_TEMPORAL_ADDRESS", "127.0.0.1:1")
    (tmp_path / "docustack.yaml").write_text("version: 1\nenvironmnts: {}\n")
    answer = doctor("--json")
    assert answer.code == 1
    assert answer.checks["docustack.yaml"]["found"].startswith("docustack.yaml:2:1: ")
    assert answer.checks["docustack.yaml"]["mend"] == "docustack config check"


# ---- time limits -----------------------------------------------------------------------------------------------------

EXPECTED = Expected(area=Area.AWS, name="AWS session", needed="an answer")


async def test_what_never_answers_fails_at_its_limit() -> None:
    def hang() -> str:
        time.sleep(3_600)
        return ""

    async def check() -> Prerequisite:
        return EXPECTED.met(await in_thread(hang))

    made = await limited(EXPECTED, check(), "look here", seconds=0.05)
    assert (made.status, made.found, made.mend) == (CheckStatus.FAILED, "no answer within 0.05 s", "look here")


async def test_what_fails_in_a_thread_is_told_in_a_line() -> None:
    def fail() -> str:
        raise OSError("one line\nand another")

    async def check() -> Prerequisite:
        return EXPECTED.met(await in_thread(fail))

    made = await limited(EXPECTED, check(), "look here")
    assert made.found == "OSError: one line and another"


# ---- GitHub ----------------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def github(tmp_path_factory: pytest.TempPathFactory) -> Iterator[GitHubStandIn]:
    github = GitHubStandIn(root=tmp_path_factory.mktemp("github"))
    github.prepare()
    github.start()
    yield github
    github.close()


async def on_github(
    github: GitHubStandIn, token: str, person: str = "", *, teams: tuple[str, ...] = ("infra",), url: str = ""
) -> dict[str, Prerequisite]:
    def client(secret: str) -> GitHub[Any]:
        return GitHub(TokenAuthStrategy(secret), base_url=github.url, auto_retry=False, http_cache=False)

    asked = GitHubPrerequisites(
        Repository(owner=OWNER, name=REPOSITORY),
        teams,
        url or github.receiver.url.removesuffix("/webhooks/github"),
        client(token) if token else None,
        client(person) if person else None,
    )
    return {check.name: check for check in await asked.check()}


async def test_a_wrong_token_is_told_once_for_each_check_that_needs_it(github: GitHubStandIn) -> None:
    made = await on_github(github, "ghp_wrong")
    assert made["GitHub token"].status is CheckStatus.FAILED
    assert "it is wrong, revoked or expired" in made["GitHub token"].found
    assert made["GitHub token"].mend == "export DOCUSTACK_GITHUB_TOKEN=$(gh auth token)"
    assert made["webhook"].status is CheckStatus.FAILED
    assert made["webhook deliveries"].status is CheckStatus.SKIPPED


async def test_without_any_token_nothing_is_asked(github: GitHubStandIn) -> None:
    made = await on_github(github, "")
    assert made["GitHub token"].status is CheckStatus.FAILED
    assert {made[name].status for name in ("push access", "team infra", "webhook")} == {CheckStatus.SKIPPED}


async def test_a_team_that_the_rules_name_has_to_exist(github: GitHubStandIn) -> None:
    made = await on_github(github, github.token(BOT), teams=("infra", "nobodies"))
    assert made["team infra"].is_ok
    assert made["team nobodies"].mend == f"gh api -X POST orgs/{OWNER}/teams -f name=nobodies"


async def test_the_webhook_of_another_address_is_not_ours(github: GitHubStandIn) -> None:
    made = await on_github(github, github.token(BOT), url="https://docustack.example.com")
    assert made["webhook"].found == f"only {github.receiver.url}"
    assert "'config[url]=https://docustack.example.com/webhooks/github'" in made["webhook"].mend


async def test_a_token_that_may_not_see_webhooks_says_what_it_needs_unless_the_persons_may(
    github: GitHubStandIn,
) -> None:
    made = await on_github(github, github.token("outsider"))
    assert made["webhook"].status is CheckStatus.FAILED
    assert "webhooks: read" in made["webhook"].found
    assert made["webhook"].mend == "gh auth refresh --scopes admin:repo_hook"
    assert (await on_github(github, github.token("outsider"), github.token("lead")))["webhook"].is_ok


async def test_a_delivery_that_was_lost_is_named_until_it_has_arrived(github: GitHubStandIn) -> None:
    github.receiver.status = 503
    github.push("lost", {"dev/lost.txt": "1"}, base="main")
    github.receiver.wait_for("push", about="lost")
    made = await _once(github, CheckStatus.FAILED)
    assert "push of" in made.found
    assert made.mend.startswith(f"gh api -X POST repos/{OWNER}/{REPOSITORY}/hooks/1/deliveries/")
    github.receiver.status = 202
    github.request("lead", "POST", made.mend.partition(f"{REPOSITORY}/")[2]).raise_for_status()
    await _once(github, CheckStatus.OK)


async def _once(github: GitHubStandIn, status: CheckStatus) -> Prerequisite:
    """The stand-in writes down a delivery after the answer to it."""
    async with asyncio.timeout(60):
        while (made := (await on_github(github, github.token(BOT)))["webhook deliveries"]).status is not status:
            await asyncio.sleep(0.1)
    return made


# ---- Slack -----------------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def slack(tmp_path_factory: pytest.TempPathFactory) -> Iterator[SlackStandIn]:
    slack = SlackStandIn(root=tmp_path_factory.mktemp("slack"))
    slack.start()
    yield slack
    slack.stop()


async def on_slack(slack: SlackStandIn, token: str, channel: str = "#infra-alerts") -> list[Prerequisite]:
    client = AsyncWebClient(token=token, base_url=f"{slack.url}/api/", timeout=5, retry_handlers=[])
    return await check_slack(client, channel)


async def test_slack_is_well_refuses_the_token_or_lacks_the_channel(slack: SlackStandIn) -> None:
    token, channel = await on_slack(slack, slack.token)
    assert (token.found, channel.found) == ("docustack in DocuStack", "#infra-alerts, docustack is in it")
    token, channel = await on_slack(slack, "xoxb-wrong")
    assert "Slack refused DOCUSTACK_SLACK_TOKEN (invalid_auth)" in token.found
    assert token.mend.startswith("export DOCUSTACK_SLACK_TOKEN=")
    assert channel.status is CheckStatus.SKIPPED
    token, channel = await on_slack(slack, slack.token, "#other")
    assert token.is_ok
    assert channel.status is CheckStatus.FAILED
    assert channel.mend == "/invite @docustack (in #other)"


# ---- what a worker checks before a deployment ------------------------------------------------------------------------

Says = Callable[[httpx.Request], httpx.Response]


def no_connection(request: httpx.Request) -> httpx.Response:
    raise httpx.ConnectTimeout("nobody there", request=request)


def server_error(_: httpx.Request) -> httpx.Response:
    return httpx.Response(502, text="<html>Bad Gateway</html>")


def too_often(_: httpx.Request) -> httpx.Response:
    return httpx.Response(403, json={"message": "You have exceeded a secondary rate limit."})


def forbidden(_: httpx.Request) -> httpx.Response:
    return httpx.Response(403, json={"message": "Resource not accessible by integration"})


async def as_worker(
    github: GitHubStandIn,
    slack: SlackStandIn,
    *,
    login: str = BOT,
    slack_token: str = "",
    tools: dict[str, str] | None = None,
    push_to: Path | str | None = None,
    pushes: bool = True,
    teams: tuple[str, ...] = ("infra", "leads"),
    says: Says | None = None,
) -> Prerequisites:
    """`says`: how GitHub answers in the stand-in's place."""
    strategy = TokenAuthStrategy(github.token(login) if login else "ghp_wrong")
    transport = httpx.MockTransport(says) if says else None
    api = GitHub(strategy, base_url=github.url, auto_retry=False, http_cache=False, async_transport=transport)
    client = AsyncWebClient(
        token=slack_token or slack.token, base_url=f"{slack.url}/api/", timeout=5, retry_handlers=[]
    )

    async def push(repository: Repository) -> None:
        await try_push(repository, str(push_to or github.bare), None)

    worker = InstallationPrerequisites(api, client, push, WorkerTools(tools or {}))
    question = CheckInstallation(
        repository=Repository(owner=OWNER, name=REPOSITORY),
        teams=teams,
        channel="#infra-alerts",
        pushes=pushes,
    )
    return await ActivityEnvironment().run(worker.check_installation, question)


async def test_a_worker_that_may_all_of_it_changes_nothing_to_find_out(
    github: GitHubStandIn, slack: SlackStandIn
) -> None:
    before = github.request("lead", "GET", "pulls?state=all").json(), github.git("ls-remote", "origin")
    made = await as_worker(github, slack)
    assert {check.name: check.status for check in made.checks} == dict.fromkeys(
        [
            *("terraform", "terragrunt", "git"),
            *("GitHub token", "git push", "pull requests", "team infra", "team leads"),
            *("Slack token", "Slack channel"),
        ],
        CheckStatus.OK,
    )
    assert (unmet_summary(made.checks), warnings_of(made.checks)) == ("", [])
    assert (github.request("lead", "GET", "pulls?state=all").json(), github.git("ls-remote", "origin")) == before


@pytest.fixture
def read_only_remote() -> Iterator[str]:
    """Git over HTTP that lets nobody push."""

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_error(403)

        def log_message(self, format: str, *args: object) -> None:  # noqa: A002  # the base class names it
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        Thread(target=server.serve_forever, args=(0.02,), daemon=True).start()
        yield f"http://127.0.0.1:{server.server_port}/live.git"
        server.shutdown()


async def test_a_worker_that_may_only_read_is_told_before_a_bootstrap_and_may_deploy(
    github: GitHubStandIn, slack: SlackStandIn, read_only_remote: str
) -> None:
    made = await as_worker(github, slack, login="outsider", push_to=read_only_remote, teams=())
    push, _, pull_requests, mend = unmet_summary(made.checks).splitlines()
    assert (push.partition(":")[0], pull_requests.partition(":")[0]) == ("git push", "pull requests")
    assert "it needs pull requests: write" in pull_requests
    assert mend.startswith("  give DocuStack's account write access")
    assert (await as_worker(github, slack, login="outsider", pushes=False, teams=())).are_met


async def test_teams_that_a_worker_may_not_see_are_told_with_their_command(
    github: GitHubStandIn, slack: SlackStandIn
) -> None:
    made = await as_worker(github, slack, login="outsider", pushes=False)
    infra, mend, leads, _ = unmet_summary(made.checks).splitlines()
    assert (infra.partition(":")[0], leads.partition(":")[0]) == ("team infra", "team leads")
    assert mend == f"  give DocuStack's token or App members: read of {OWNER}"


async def test_a_worker_whose_token_is_wrong_or_whose_terraform_is_old_says_so(
    github: GitHubStandIn, slack: SlackStandIn, tmp_path: Path
) -> None:
    old = tmp_path / "terraform"
    old.write_text("#!/bin/sh\necho Terraform v1.4.7\n")
    old.chmod(0o755)
    made = await as_worker(github, slack, login="", tools={"terraform": str(old)})
    told = unmet_summary(made.checks)
    assert "terraform: 1.4.7: It is older than 1.5.0; needed: >= 1.5.0. To mend it:\n  brew install terraform" in told
    assert "wrong, revoked or expired" in told
    old.write_text("#!/bin/sh\necho Terraform v1.5.0\n")
    made = await as_worker(github, slack, login="", tools={"terraform": str(old)})
    assert "terraform" not in unmet_summary(made.checks)


@pytest.mark.parametrize("says", [no_connection, server_error, too_often])
async def test_a_github_that_is_away_is_asked_again_and_refuses_nothing(
    github: GitHubStandIn, slack: SlackStandIn, says: Says
) -> None:
    with pytest.raises(ApplicationError) as raised:
        await as_worker(github, slack, says=says)
    assert not raised.value.non_retryable
    assert raised.value.type in (ErrorType.UNAVAILABLE, ErrorType.THROTTLED)


async def test_a_push_that_has_no_answer_is_tried_again_and_a_github_that_says_no_is_believed(
    github: GitHubStandIn, slack: SlackStandIn
) -> None:
    made = await as_worker(github, slack, says=forbidden)
    told = unmet_summary(made.checks).splitlines()[::2]
    assert [line.partition(":")[0] for line in told] == ["GitHub token", "pull requests", "team infra", "team leads"]
    with socket.socket() as closed:
        closed.bind(("127.0.0.1", 0))
        nowhere = f"http://127.0.0.1:{closed.getsockname()[1]}/live.git"
        with pytest.raises(ApplicationError) as raised:
            await as_worker(github, slack, push_to=nowhere)
    assert not raised.value.non_retryable


async def test_a_slack_that_refuses_a_worker_only_warns(github: GitHubStandIn, slack: SlackStandIn) -> None:
    made = await as_worker(github, slack, slack_token="xoxb-wrong")
    assert unmet_summary(made.checks) == ""
    assert "invalid_auth" in warnings_of(made.checks)[0]


async def test_tools_that_were_well_are_asked_again_only_once_they_were_replaced(tmp_path: Path) -> None:
    asked, tool = tmp_path / "asked", tmp_path / "terraform"
    tool.write_text(f"#!/bin/sh\necho x >> {asked}\necho Terraform v1.5.0\n")
    tool.chmod(0o755)
    tools = WorkerTools({"terraform": str(tool)})
    await asyncio.gather(tools.check("dev"), tools.check("prod"))
    assert asked.read_text() == "x\n"
    tool.write_text("#!/bin/sh\necho Terraform v1.4.0\n")
    assert not (await tools.check("dev"))[0].is_ok


# ---- Temporal --------------------------------------------------------------------------------------------------------


async def test_a_temporal_that_knows_nothing_of_us_gets_the_command_for_each_thing() -> None:
    environment = await WorkflowEnvironment.start_local(
        dev_server_existing_path=str(ROOT / ".tools/bin/temporal"), dev_server_log_level="error"
    )
    async with environment:
        address = environment.client.service_client.config.target_host
        made = await check_temporal(Settings(temporal_address=address), ["dev"])
        elsewhere = await check_temporal(Settings(temporal_address=address, temporal_namespace="acme"), ["dev"])
    server, namespace, attributes, control, dev = made
    assert server.is_ok
    assert namespace.status is CheckStatus.OPTIONAL  # a dev server keeps histories for a day; the rest is asked anyway
    assert namespace.mend.startswith(
        "temporal operator namespace update --namespace default --retention 90d --address "
    )
    assert attributes.mend.startswith("temporal operator search-attribute create --namespace default --address ")
    assert "--name DocustackUnits --type KeywordList" in attributes.mend
    assert control.mend == "DOCUSTACK_CONTROL_QUEUE=true docustack worker"
    assert dev.mend == "DOCUSTACK_CONTROL_QUEUE=false DOCUSTACK_ENVIRONMENTS=dev docustack worker"
    assert [check.status for check in elsewhere] == [CheckStatus.OK, CheckStatus.FAILED] + [CheckStatus.SKIPPED] * 3
    assert elsewhere[1].mend.startswith("temporal operator namespace create --namespace acme ")
