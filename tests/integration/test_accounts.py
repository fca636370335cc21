"""The account of a run: on its own it is worked on, on another one nothing is begun, whatever credentials there are."""

import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import boto3
import pytest
from botocore.exceptions import ClientError, EndpointConnectionError, UnauthorizedSSOTokenError

from activities.aws_accounts import Accounts
from activities.aws_clients import sts_clients
from activities.terragrunt_messages import CheckAccount
from docustack.configuration import Environment, Roles
from docustack.errors import ErrorType
from tests.integration.aws_server import moto_server
from tests.integration.units import OneAccount, Worker, apply, failure, new_worker, plan

DEV, OTHER = "111111111111", "222222222222"
UNIT = "inputs = { value = 1 }"


@pytest.fixture(scope="module")
def endpoint() -> Iterator[str]:
    with moto_server() as url:
        yield url


def key_of(account: str, endpoint: str) -> dict[str, str]:
    """An access key of a user of one account, as moto keeps them apart."""
    make: Any = boto3.client  # its type knows only services by literal names
    iam = make("iam", endpoint_url=endpoint, region_name="us-east-1")

    def of_account(request: Any, **_: object) -> None:
        request.headers["x-moto-account-id"] = account

    iam.meta.events.register("before-send.iam", of_account)
    name = f"worker-{len(iam.list_users()['Users'])}"
    iam.create_user(UserName=name)
    key = iam.create_access_key(UserName=name)["AccessKey"]
    return {"AWS_ACCESS_KEY_ID": key["AccessKeyId"], "AWS_SECRET_ACCESS_KEY": key["SecretAccessKey"]}


async def worker_with(account: str, tmp_path: Path, endpoint: str) -> Worker:
    """A worker for dev, account 111111111111, with a key of an account; STS is moto's."""
    environ = {**os.environ, **key_of(account, endpoint), "AWS_ENDPOINT_URL": endpoint}
    worker = await new_worker(tmp_path, environ)
    worker.sts = sts_clients(environ)
    worker.repository.unit("dev/a", UNIT)
    return worker


async def test_with_credentials_of_the_environments_account_a_unit_is_planned_and_applied(
    tmp_path: Path, endpoint: str
) -> None:
    worker = await worker_with(DEV, tmp_path, endpoint)
    assert (await apply(worker, await plan(worker, "dev/a"))).startswith("Apply complete!")


async def test_with_credentials_of_another_account_nothing_is_planned(tmp_path: Path, endpoint: str) -> None:
    worker = await worker_with(OTHER, tmp_path, endpoint)
    error = await failure(plan(worker, "dev/a"))
    assert error.type == ErrorType.CREDENTIALS
    assert error.non_retryable
    headline, _, todo = error.message.partition("\n")
    assert headline == (
        f"`dev` is AWS account {DEV}, and these credentials are of account {OTHER}: nothing was started."
    )
    assert f"`arn:aws:iam::{OTHER}:user/worker-0`" in todo
    assert "`aws sts get-caller-identity`" in todo
    assert "`account_id` in docustack.yaml" in todo
    assert not list(worker.data.rglob("plan.bin"))
    assert not (worker.repository.root / "dev/a/.terragrunt-cache").exists()


async def test_a_run_is_told_whether_it_may_begin_before_any_unit_of_it_does(tmp_path: Path, endpoint: str) -> None:
    worker = await worker_with(OTHER, tmp_path, endpoint)
    question = CheckAccount(**dict(worker.unit_request("dev/not-checked-out")), changes=True)
    error = await failure(worker.run(worker.terragrunt.check_account, question))
    assert error.type == ErrorType.CREDENTIALS
    assert f"of account {OTHER}: nothing was started" in error.message
    worker.environ |= key_of(DEV, endpoint)
    worker.sts = sts_clients(worker.environ)
    await worker.run(worker.terragrunt.check_account, question)


async def test_a_plan_of_the_right_account_is_not_applied_with_credentials_of_another(
    tmp_path: Path, endpoint: str
) -> None:
    worker = await worker_with(DEV, tmp_path, endpoint)
    record = await plan(worker, "dev/a")
    worker.environ |= key_of(OTHER, endpoint)
    worker.sts = sts_clients(worker.environ)
    error = await failure(apply(worker, record))
    assert error.type == ErrorType.CREDENTIALS
    assert f"of account {OTHER}: nothing was started" in error.message
    assert not worker.repository.state_of("dev/a").exists()
    # Nothing was claimed either: with the right credentials the same plan is applied.
    worker.environ |= key_of(DEV, endpoint)
    worker.sts = sts_clients(worker.environ)
    assert (await apply(worker, record)).startswith("Apply complete!")


async def test_of_a_role_it_is_the_roles_account_that_counts(tmp_path: Path, endpoint: str) -> None:
    worker = await worker_with(OTHER, tmp_path, endpoint)  # the worker's own identity may be of any account
    of_dev = Roles(plan=f"arn:aws:iam::{DEV}:role/plan", apply=f"arn:aws:iam::{DEV}:role/apply")
    worker.environment = worker.environment.model_copy(update={"roles": of_dev})
    record = await plan(worker, "dev/a")
    elsewhere = of_dev.model_copy(update={"apply": f"arn:aws:iam::{OTHER}:role/apply"})
    worker.environment = worker.environment.model_copy(update={"roles": elsewhere})
    error = await failure(apply(worker, record))
    assert error.type == ErrorType.CREDENTIALS
    assert f"`arn:aws:sts::{OTHER}:assumed-role/apply/docustack-pr-7-infra-member`" in error.message


async def test_a_simulators_one_account_stands_for_every_account_only_where_that_is_said(
    tmp_path: Path, endpoint: str
) -> None:
    worker = await worker_with("123456789012", tmp_path, endpoint)
    assert (await failure(plan(worker, "dev/a"))).type == ErrorType.CREDENTIALS
    worker.simulated_account = "123456789012"
    await plan(worker, "dev/a")


class Refusing(OneAccount):
    """STS on a bad day."""

    def __init__(self, error: Exception) -> None:
        super().__init__()
        self._error = error

    def get_caller_identity(self) -> dict[str, str]:
        raise self._error


EXPIRED = ClientError(
    {"Error": {"Code": "ExpiredToken"}, "ResponseMetadata": {"HTTPStatusCode": 403}},  # type: ignore[typeddict-item]
    "GetCallerIdentity",
)


@pytest.mark.parametrize(
    "error,kind,retried",
    [
        (EXPIRED, ErrorType.CREDENTIALS, False),
        (UnauthorizedSSOTokenError(), ErrorType.CREDENTIALS, False),
        (EndpointConnectionError(endpoint_url="http://sts"), ErrorType.UNAVAILABLE, True),
    ],
)
async def test_where_nobody_knows_the_account_nothing_is_begun(
    tmp_path: Path, error: Exception, kind: ErrorType, retried: bool
) -> None:
    worker = await new_worker(tmp_path, dict(os.environ))
    worker.environment = worker.environment.model_copy(update={"profile": "docustack-dev"})
    worker.sts = Refusing(error)
    worker.repository.unit("dev/a", UNIT)
    raised = await failure(plan(worker, "dev/a"))
    assert raised.type == kind
    assert raised.non_retryable is not retried
    assert "`aws sso login --profile docustack-dev`" in raised.message


async def test_sts_is_asked_once_for_many_units_and_again_when_time_or_the_profiles_move_on(tmp_path: Path) -> None:
    sts, now = OneAccount(), 0.0
    profiles = tmp_path / "config"
    profiles.write_text("")
    environ = {"AWS_CONFIG_FILE": str(profiles), "AWS_SHARED_CREDENTIALS_FILE": os.devnull}
    accounts = Accounts(sts, environ, clock=lambda: now)
    dev = Environment(path="dev", account_id=DEV, apply=["infra"])
    for _ in range(20):
        await accounts.require_own("dev", dev, None)
    assert sts.asked == 1
    os.utime(profiles, ns=(1, 1))  # somebody has logged in anew, or as somebody else
    sts.account = OTHER
    error = await failure(accounts.require_own("dev", dev, None))
    assert error.type == ErrorType.CREDENTIALS
    sts.account, now = DEV, 61.0
    await accounts.require_own("dev", dev, None)
    assert sts.asked == 3
