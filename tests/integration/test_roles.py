"""Roles: who a plan and an apply are to AWS, where their credentials are and aren't, and how a denied one is told."""

import asyncio
import json
import logging
import os
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import boto3
import httpx
import pytest
from botocore.exceptions import ClientError, EndpointConnectionError

from activities.apply_folder import ApplyFolder
from activities.aws_clients import sts_clients
from docustack.configuration import Roles
from docustack.errors import ErrorType
from tests.integration.aws_server import moto_server
from tests.integration.test_applying import MODULE as SLOW
from tests.integration.test_applying import until
from tests.integration.units import Worker, apply, failure, new_worker, plan
from worker.log_lines import configure_logging
from worker.settings import Settings

ROLES = Roles(
    plan="arn:aws:iam::111111111111:role/docustack-plan", apply="arn:aws:iam::111111111111:role/docustack-apply"
)
SESSION = "docustack-pr-7-infra-member"
BASE = {"AWS_ACCESS_KEY_ID": "AKIAWORKERSOWNKEY000", "AWS_SECRET_ACCESS_KEY": "the-workers-own-secret-0123456789"}

WHO = """
provider "aws" {
  region                      = "us-east-1"
  skip_metadata_api_check     = true
  skip_requesting_account_id  = true
  skip_credentials_validation = true
  skip_get_ec2_platforms      = true # it would ask the real EC2, in vain and for long
  endpoints { sts = "ENDPOINT" }
}
terraform {
  required_providers {
    aws = { source = "hashicorp/aws", version = "3.39.0" }
  }
}
data "aws_caller_identity" "plan" {}
resource "terraform_data" "x" {
  provisioner "local-exec" { command = "printenv AWS_ACCESS_KEY_ID >> SEEN; printenv | cut -d= -f1 >> SEEN" }
}
data "aws_caller_identity" "apply" { depends_on = [terraform_data.x] }
output "plan" { value = data.aws_caller_identity.plan.arn }
output "apply" { value = data.aws_caller_identity.apply.arn }
"""


@pytest.fixture(scope="module")
def endpoint() -> Iterator[str]:
    with moto_server() as url:
        yield url


@dataclass
class Sts:
    """STS as it is, or as a test wants it; every session that it gave is kept."""

    clients: Any
    given: list[dict[str, Any]] = field(default_factory=list)
    asked: list[dict[str, Any]] = field(default_factory=list)
    lasts: timedelta | None = None
    longest: int | None = None
    error: Exception | None = None

    def __call__(self, profile: str | None, region: str) -> "Sts":
        self._client = self.clients(profile, region)
        return self

    def assume_role(self, **question: Any) -> dict[str, Any]:
        self.asked.append(question)
        if self.error is not None:
            raise self.error
        if self.longest is not None and question["DurationSeconds"] > self.longest:
            raise client_error("ValidationError", 400)
        answer: dict[str, Any] = self._client.assume_role(**question)
        if self.lasts is not None:
            answer["Credentials"]["Expiration"] = datetime.now(UTC) + self.lasts
        self.given.append(answer["Credentials"])
        return answer

    def get_caller_identity(self) -> dict[str, Any]:
        answer: dict[str, Any] = self._client.get_caller_identity()
        return answer

    def secrets(self) -> set[str]:
        return {str(one[key]) for one in self.given for key in ("SecretAccessKey", "SessionToken")}


def client_error(code: str, status: int) -> ClientError:
    return ClientError({"Error": {"Code": code}, "ResponseMetadata": {"HTTPStatusCode": status}}, "AssumeRole")  # type: ignore[typeddict-item] # the rest of the answer is not read


@pytest.fixture
async def worker(tmp_path: Path, endpoint: str) -> Worker:
    worker = await new_worker(tmp_path, {**os.environ, **BASE, "AWS_ENDPOINT_URL": endpoint})
    worker.environment = worker.environment.model_copy(update={"roles": ROLES})
    worker.sts = Sts(sts_clients(worker.environ))
    return worker


def sts_of(worker: Worker) -> Sts:
    assert isinstance(worker.sts, Sts)
    return worker.sts


def outputs(worker: Worker, unit: str) -> dict[str, str]:
    state = json.loads(worker.repository.state_of(unit).read_text())
    return {name: output["value"] for name, output in state["outputs"].items()}


def on_disk(folder: Path, secrets: set[str]) -> list[Path]:
    """The files below a folder that hold one of these texts."""
    wanted = [secret.encode() for secret in secrets]
    files = [path for path in folder.rglob("*") if path.is_file() and not path.is_symlink()]
    return [path for path in files if any(secret in path.read_bytes() for secret in wanted)]


async def test_a_plan_and_an_apply_are_each_their_own_role_in_a_session_that_tells_pull_request_and_person(
    worker: Worker, tmp_path: Path, endpoint: str
) -> None:
    seen = tmp_path / "seen"
    worker.repository.unit("dev/who", module=WHO.replace("ENDPOINT", endpoint).replace("SEEN", str(seen)))
    text = await apply(worker, await plan(worker, "dev/who"))
    assert outputs(worker, "dev/who") == {
        "plan": f"arn:aws:sts::111111111111:assumed-role/docustack-plan/{SESSION}",
        "apply": f"arn:aws:sts::111111111111:assumed-role/docustack-apply/{SESSION}",
    }
    assert text.startswith("Apply complete!")
    key, *names = seen.read_text().split()
    assert key == sts_of(worker).given[-1]["AccessKeyId"]
    assert "AWS_SESSION_TOKEN" in names
    assert on_disk(tmp_path, sts_of(worker).secrets() | {BASE["AWS_SECRET_ACCESS_KEY"]}) == []


async def test_of_the_workers_own_identity_nothing_reaches_a_process_that_has_a_role(
    worker: Worker, tmp_path: Path
) -> None:
    seen = tmp_path / "seen"
    worker.environ |= {
        "AWS_PROFILE": "worker",
        "AWS_WEB_IDENTITY_TOKEN_FILE": "/token",
        "AWS_ROLE_ARN": "arn:aws:iam::111111111111:role/worker",
        "AWS_CONTAINER_CREDENTIALS_FULL_URI": "http://127.0.0.1/creds",
        "TG_IAM_ASSUME_ROLE": "arn:aws:iam::111111111111:role/other",
        "TG_AUTH_PROVIDER_CMD": "false",
    }
    sts_of(worker).clients = sts_clients({**BASE, "AWS_ENDPOINT_URL": worker.environ["AWS_ENDPOINT_URL"]})
    command = f"printenv | grep -E '^(AWS|TG)_' | cut -d= -f1 | sort > {seen}"
    module = f'resource "terraform_data" "x" {{\n  provisioner "local-exec" {{ command = "{command}" }}\n}}\n'
    worker.repository.unit("dev/env", module=module)
    await apply(worker, await plan(worker, "dev/env"))
    names = set(seen.read_text().split())
    assert {"AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN", "AWS_EC2_METADATA_DISABLED"} <= names
    assert not names & {*worker.environ.keys() - os.environ.keys() - BASE.keys()} - {"AWS_ENDPOINT_URL"}


async def test_while_an_apply_runs_its_credentials_are_in_no_file(worker: Worker, tmp_path: Path) -> None:
    worker.repository.unit("dev/slow", module=SLOW.replace("BASE", str(tmp_path)))
    record = await plan(worker, "dev/slow")
    task = asyncio.create_task(apply(worker, record))
    await until((tmp_path / "begun").exists)
    (folder,) = (worker.data / "applies").iterdir()
    assert (folder / "command.json").is_file()
    found = on_disk(tmp_path, sts_of(worker).secrets())
    (tmp_path / "go").touch()
    await task
    assert found == []


async def test_units_of_one_pull_request_and_person_share_a_session(worker: Worker) -> None:
    for name in ("a", "b"):
        worker.repository.unit(f"dev/{name}", "inputs = { value = 1 }")
    terragrunt = worker.terragrunt
    await asyncio.gather(*(worker.run(terragrunt.plan_unit, worker.plan_request(f"dev/{name}")) for name in ("a", "b")))
    assert [asked["RoleArn"] for asked in sts_of(worker).asked] == [ROLES.plan]
    assert sts_of(worker).asked[0]["RoleSessionName"] == SESSION


async def test_a_role_that_is_denied_says_which_who_may_assume_it_and_what_the_guide_says(
    tmp_path: Path, endpoint: str
) -> None:
    make: Any = boto3.client  # its type knows only services by literal names
    iam = make("iam", endpoint_url=endpoint, region_name="us-east-1", **boto_credentials(BASE))
    iam.create_user(UserName="worker")
    key = iam.create_access_key(UserName="worker")["AccessKey"]
    own = {"AWS_ACCESS_KEY_ID": key["AccessKeyId"], "AWS_SECRET_ACCESS_KEY": key["SecretAccessKey"]}
    worker = await new_worker(tmp_path, {**os.environ, **own, "AWS_ENDPOINT_URL": endpoint})
    worker.environment = worker.environment.model_copy(update={"roles": ROLES, "profile": "docustack-dev"})
    worker.sts = sts_clients(worker.environ)
    worker.repository.unit("dev/a", "inputs = { value = 1 }")
    count_of_actions_without_checks(endpoint, "0")
    try:
        error = await failure(plan(worker, "dev/a"))
    finally:
        count_of_actions_without_checks(endpoint, "inf")
    assert error.type == ErrorType.CREDENTIALS
    assert error.non_retryable
    headline, _, todo = error.message.partition("\n")
    assert headline == f"`{ROLES.plan}` could not be assumed to plan `dev`: AccessDenied"
    assert "`aws iam get-role --role-name docustack-plan`" in todo
    assert "`arn:aws:iam::123456789012:user/worker`" in todo
    assert "`aws sso login --profile docustack-dev`" in todo
    assert "`aws sts get-caller-identity`" in todo


def boto_credentials(environ: dict[str, str]) -> dict[str, str]:
    return {name.lower(): value for name, value in environ.items()}


def count_of_actions_without_checks(endpoint: str, count: str) -> None:
    httpx.post(f"{endpoint}/moto-api/reset-auth", content=count, trust_env=False).raise_for_status()


@pytest.mark.parametrize(
    "error,kind,retried",
    [
        (client_error("Throttling", 400), ErrorType.THROTTLED, True),
        (client_error("InternalFailure", 500), ErrorType.UNAVAILABLE, True),
        (EndpointConnectionError(endpoint_url="http://sts"), ErrorType.UNAVAILABLE, True),
        (client_error("ExpiredToken", 403), ErrorType.CREDENTIALS, False),
        (client_error("RegionDisabledException", 403), ErrorType.CREDENTIALS, False),
    ],
)
async def test_what_passes_is_tried_again_and_what_a_person_has_to_mend_is_not(
    worker: Worker, error: Exception, kind: ErrorType, retried: bool
) -> None:
    sts_of(worker).error = error
    worker.repository.unit("dev/a", "inputs = { value = 1 }")
    raised = await failure(plan(worker, "dev/a"))
    assert raised.type == kind
    assert raised.non_retryable is not retried
    assert ROLES.plan in raised.message


async def test_a_session_is_asked_for_as_long_as_the_work_may_take_and_the_role_allows(worker: Worker) -> None:
    worker.repository.unit("dev/a", "inputs = { value = 1 }")
    sts = sts_of(worker)
    sts.longest = 3600
    request = worker.plan_request("dev/a").model_copy(update={"timeout_minutes": 180})
    await worker.run(worker.terragrunt.plan_unit, request)
    first, second = [asked["DurationSeconds"] for asked in sts.asked]
    assert first > 180 * 60
    assert second == 3600


async def test_an_apply_is_interrupted_gracefully_before_its_session_ends(worker: Worker, tmp_path: Path) -> None:
    worker.repository.unit("dev/slow", module=SLOW.replace("BASE", str(tmp_path)))
    record = await plan(worker, "dev/slow")
    sts_of(worker).lasts = timedelta(seconds=15)
    error = await failure(apply(worker, record))
    (folder,) = (worker.data / "applies").iterdir()
    exit_ = ApplyFolder(folder).exit()
    assert exit_ is not None
    assert (exit_["reason"], exit_["killed"]) == ("credentials", False)
    assert error.type == ErrorType.INTERRUPTED
    assert "the session of its role was about to end" in error.message
    state = json.loads(worker.repository.state_of("dev/slow").read_text())
    assert "first" in {one["name"] for one in state["resources"]}


async def test_a_role_that_is_denied_after_a_restart_ends_no_apply_that_runs_and_shows_none_of_its_output(
    worker: Worker, tmp_path: Path
) -> None:
    worker.repository.unit("dev/slow", module=SLOW.replace("BASE", str(tmp_path)))
    record = await plan(worker, "dev/slow")
    request = worker.apply_request(record)
    first = asyncio.create_task(worker.activity("a1").run(worker.terragrunt.apply_unit, request))
    await until((tmp_path / "begun").exists)
    first.cancel()
    await asyncio.gather(first, return_exceptions=True)
    sts_of(worker).error = client_error("AccessDenied", 403)
    second = asyncio.create_task(worker.activity("a1", attempt=2).run(worker.terragrunt.apply_unit, request))
    await asyncio.sleep(1)
    assert not second.done()
    (tmp_path / "go").touch()
    answer = await second
    assert answer.reattached
    assert answer.summary.add == 3
    assert answer.text.startswith("The output is not shown")


def test_not_even_a_debugging_worker_logs_what_aws_answers(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(logging, "basicConfig", lambda **_: None)  # the handlers of the tests stay
    configure_logging(Settings(log_level="debug", _env_file=None))
    assert not logging.getLogger("botocore.parsers").isEnabledFor(logging.DEBUG)
