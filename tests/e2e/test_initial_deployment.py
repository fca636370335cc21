"""An organisation deployed with real tools: the order, approvals, a failure and its decisions, a killed worker."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from local.waiting import wait_for
from tests.e2e.pull_requests.live_repository import Files, dependent, provisioned, unit
from tests.e2e.pull_requests.small_world import SmallWorld

pytestmark = pytest.mark.timeout(900)
SECONDS = 240.0
EVERY = 2.0
"""A look is a command, which takes a second of a processor."""
ORG, VPC, RDS, APP = "management/organization", "dev/vpc", "dev/rds", "dev/app"
STAGING = ("staging/vpc", "staging/rds", "staging/app")
PROD = "prod/vpc"


class Deployments:
    """The world's command line, as people use it for a deployment."""

    def __init__(self, world: SmallWorld) -> None:
        self.world = world

    def run(self, *arguments: str, login: str, code: int = 0) -> str:
        done = self.world.docustack("deploy", *arguments, login=login)
        assert done.returncode == code, f"{arguments} ends with {done.returncode}:\n{done.stdout}{done.stderr}"
        return done.stdout + done.stderr

    def state(self) -> dict[str, Any]:
        done = self.world.docustack("deploy", "show", "--json", login="lead")
        found: dict[str, Any] = json.loads(done.stdout) if done.returncode == 0 else {}
        return found

    def stage(self, environment: str) -> str:
        return next((one["stage"] for one in self.state().get("environments", []) if one["name"] == environment), "")

    def approve(self, environment: str, login: str) -> None:
        """The run of the environment, once it waits for its approvals."""

        def waiting() -> str | None:
            found = self.world.docustack(
                "runs", "list", "--environment", environment, "--status", "waiting-for-approval", "--json", login=login
            )
            runs = json.loads(found.stdout)["runs"]
            return runs[0]["run_id"] if runs else None

        what = f"{environment} to wait for approval"
        run_id = wait_for(waiting, what, SECONDS, every=EVERY, found_instead=self._shown)
        done = self.world.docustack("approve", run_id, login=login)
        assert done.returncode == 0, done.stderr

    def question(self) -> dict[str, Any]:
        question: dict[str, Any] = wait_for(
            lambda: self.state().get("question"), "a question", SECONDS, every=EVERY, found_instead=self._shown
        )
        return question

    def outcome(self) -> dict[str, str]:
        outcome: dict[str, str] = wait_for(
            lambda: self.state().get("outcome"), "the end", SECONDS, every=EVERY, found_instead=self._shown
        )
        return outcome

    def _shown(self) -> str:
        return json.dumps(self.state(), indent=1)[-3000:]


@pytest.fixture(scope="module")
def flag(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Without this file staging's database can't be made."""
    return tmp_path_factory.mktemp("flag") / "mended"


@pytest.fixture(scope="module")
def deployments(tmp_path_factory: pytest.TempPathFactory, flag: Path) -> Iterator[Deployments]:
    world = SmallWorld(tmp_path_factory.mktemp("initial"), {"DOCUSTACK_APPLY_LEASE": "2m"}, units=_organisation(flag))
    try:
        world.up()
        yield Deployments(world)
    finally:
        world.down()


def _organisation(flag: Path) -> Files:
    files = unit(ORG, value="org") | unit(PROD, value="prod")
    for environment in ("dev", "staging"):
        files |= unit(f"{environment}/vpc", value=environment)
        files |= dependent(
            f"{environment}/rds", "vpc", module=provisioned(f"test -e {flag}" if environment == "staging" else "true")
        )
        files |= dependent(f"{environment}/app", "rds")
    return files


def test_an_organisation_is_deployed_in_the_guides_order_past_a_failure_and_a_killed_worker(
    deployments: Deployments, flag: Path
) -> None:
    world = deployments.world
    deployments.run("initial", "--detach", login="lead")
    deployments.approve("management", "second-lead")
    deployments.approve("staging", "infra-member")
    question = deployments.question()
    assert (question["environment"], question["failed"], question["not_begun"]) == (
        "staging", ["staging/rds"], ["staging/app"],
    )  # fmt: skip
    assert [world.states.output(one) for one in (ORG, APP, STAGING[0])] == [
        "org-organization", "dev-vpc-rds-app", "staging-vpc",
    ]  # fmt: skip
    assert world.states.text(PROD) == ""

    refused = deployments.run("retry", login="developer", code=1)
    assert "may not apply" in " ".join(refused.split())
    assert "type the environment's name" in " ".join(
        deployments.run("roll-back", "stagin", login="lead", code=1).split()
    )
    world.kill("worker")
    world.restart("worker")
    # For some seconds Temporal still hands what is asked to the worker that is no more.
    wait_for(deployments.state, "an answer of the new worker", SECONDS, every=EVERY)
    flag.touch()
    deployments.run("retry", login="lead")
    deployments.approve("staging", "infra-member")
    deployments.approve("prod", "second-lead")
    outcome = deployments.outcome()
    assert outcome["end"] == "done", outcome
    assert [world.states.output(one) for one in (STAGING[2], PROD)] == ["staging-vpc-rds-app", "prod-vpc"]
    assert not [one for one in (ORG, VPC, RDS, APP, *STAGING, PROD) if world.states.is_locked(one)]
    assert "MOCK" not in "".join(world.states.text(one) for one in (RDS, APP, *STAGING))


def test_a_second_deployment_changes_nothing_and_asks_nobody(deployments: Deployments) -> None:
    before = deployments.world.states.text(APP)
    told = deployments.run("initial", login="lead")
    assert "Nothing was changed" in told
    assert deployments.world.states.text(APP) == before


def test_a_rollback_destroys_only_what_the_deployment_made(deployments: Deployments) -> None:
    """Two new units in dev, the second of which can't be applied."""
    world = deployments.world
    tree = world.person("infra-member").clone(world.clone_folder())
    new = unit("dev/new", value="new") | dependent("dev/broken", "new", module=provisioned("false"))
    for path, text in new.items():
        tree.write(path, text)
    tree.commit("Two units more")
    tree.git("push", "-q", "origin", "HEAD:main")
    vpc = world.states.text(VPC)
    deployments.run("environment", "dev", "--detach", login="infra-member")
    question = wait_for(lambda: deployments.state().get("question"), "a question", SECONDS, every=EVERY)
    assert set(question["made"]) == {"dev/new", "dev/broken"}
    deployments.run("roll-back", "dev", login="infra-member")
    assert deployments.outcome()["end"] == "rolled-back"
    assert json.loads(world.states.text("dev/new"))["resources"] == []
    assert world.states.text(VPC) == vpc
