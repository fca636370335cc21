"""What `docustack doctor` and bootstrap ask AWS: each check as it should be, and failing with what mends it."""

import os
from collections.abc import Iterator
from typing import Any

import boto3
import httpx
import pytest
from botocore.exceptions import EndpointConnectionError, SSOTokenLoadError
from temporalio.testing import ActivityEnvironment

from activities.aws_prerequisites import CheckEnvironment
from activities.prerequisites import EnvironmentPrerequisites
from docustack.configuration import Environment, Roles, StateBackend
from docustack.prerequisites import CheckStatus, Prerequisite
from local import aws
from tests.integration.aws_server import moto_server
from tests.integration.test_accounts import key_of

DEV = "111111111111"
BUCKET, TABLE = f"docustack-terraform-state-{DEV}", "docustack-terraform-locks"


@pytest.fixture
def endpoint() -> Iterator[str]:
    with moto_server() as url:
        httpx.post(f"{url}/moto-api/reset", trust_env=False).raise_for_status()  # all servers share one state
        yield url


def client(service: str, endpoint: str) -> Any:
    make: Any = boto3.client  # its type knows only services by literal names
    return make(service, endpoint_url=endpoint, region_name="us-east-1")


async def checks(
    endpoint: str,
    environ: dict[str, str] | None = None,
    simulated: str | None = aws.ACCOUNT,
    environment: Environment | None = None,
) -> dict[str, Prerequisite]:
    """What the activity answers, by the names of the checks."""
    environment = environment or Environment(path="dev", account_id=DEV, apply=["infra"], profile="docustack-dev")
    worker = EnvironmentPrerequisites({**os.environ, "AWS_ENDPOINT_URL": endpoint, **(environ or {})}, simulated)
    question = CheckEnvironment(name="dev", environment=environment)
    made = await ActivityEnvironment().run(worker.check_environment, question)
    assert {check.environment for check in made.checks} == {"dev"}
    return {check.name: check for check in made.checks}


async def test_all_is_well_on_a_bootstrapped_account(endpoint: str) -> None:
    aws.prepare_state_backend(endpoint, [BUCKET], TABLE)
    found = await checks(endpoint)
    assert {check.status for check in found.values()} == {CheckStatus.OK}
    assert list(found) == ["AWS profile", "AWS session", "AWS account", "state bucket", "lock table"]
    assert all(check.mend == "" for check in found.values())


async def test_an_empty_account_wants_its_bootstrap(endpoint: str) -> None:
    found = await checks(endpoint)
    assert found["AWS account"].is_ok
    for name, missing in (("state bucket", BUCKET), ("lock table", TABLE)):
        assert found[name].status is CheckStatus.FAILED
        assert missing in found[name].found
        assert found[name].mend == "docustack bootstrap dev"


async def test_a_bucket_that_was_made_by_hand_gets_the_command_for_each_thing_that_it_lacks(endpoint: str) -> None:
    client("s3", endpoint).create_bucket(Bucket=BUCKET)
    bucket = (await checks(endpoint))["state bucket"]
    assert bucket.status is CheckStatus.FAILED
    assert "not versioned" in bucket.found
    assert "may be public" in bucket.found
    assert f"aws s3api put-bucket-versioning --bucket {BUCKET} --versioning-configuration Status=Enabled" in bucket.mend
    assert f" && aws s3api put-public-access-block --bucket {BUCKET} " in bucket.mend


async def test_a_bucket_that_anybody_might_read_is_no_state_bucket(endpoint: str) -> None:
    aws.prepare_state_backend(endpoint, [BUCKET], TABLE)
    client("s3", endpoint).delete_public_access_block(Bucket=BUCKET)
    bucket = (await checks(endpoint))["state bucket"]
    assert bucket.found == f"{BUCKET}: may be public"


async def test_a_table_with_another_key_is_no_lock_table(endpoint: str) -> None:
    client("dynamodb", endpoint).create_table(
        TableName=TABLE,
        AttributeDefinitions=[{"AttributeName": "id", "AttributeType": "S"}],
        KeySchema=[{"AttributeName": "id", "KeyType": "HASH"}],
        BillingMode="PAY_PER_REQUEST",
    )
    table = (await checks(endpoint))["lock table"]
    assert table.status is CheckStatus.FAILED
    assert "its key is id" in table.found


async def test_credentials_of_another_account_fail_and_nothing_there_is_looked_at(endpoint: str) -> None:
    found = await checks(endpoint, key_of("222222222222", endpoint), simulated=None)
    account = found["AWS account"]
    assert account.status is CheckStatus.FAILED
    assert "account 222222222222" in account.found
    assert account.needed == f"account {DEV}"
    assert account.mend.endswith("aws sso login --profile docustack-dev")
    assert found["state bucket"].status is found["lock table"].status is CheckStatus.SKIPPED


async def test_the_account_of_the_plan_role_counts_where_the_worker_assumes_one(endpoint: str) -> None:
    roles = Roles(plan=f"arn:aws:iam::{DEV}:role/plan", apply=f"arn:aws:iam::{DEV}:role/apply")
    environment = Environment(path="dev", account_id=DEV, apply=["infra"], roles=roles)
    found = await checks(endpoint, key_of("222222222222", endpoint), None, environment)
    assert found["AWS role"].found == f"arn:aws:sts::{DEV}:assumed-role/plan/docustack-doctor"
    assert found["AWS account"].found == f"account {DEV}"


class BrokenClients:
    """boto3 where AWS refuses, or can't be reached."""

    def __init__(self, error: Exception) -> None:
        self._error = error

    def __call__(self, service: str, profile: str | None, region: str) -> Any:
        raise self._error


@pytest.mark.parametrize(
    "error,found,mend",
    [
        (SSOTokenLoadError(profile_name="docustack-dev", error_msg="expired"), "expired", "aws sso login --profile "),
        (EndpointConnectionError(endpoint_url="https://sts"), "Could not connect", "aws sts get-caller-identity"),
        (ZeroDivisionError("never foreseen"), "ZeroDivisionError: never foreseen", "aws sts get-caller-identity"),
    ],
)
async def test_a_session_that_cannot_be_had_says_why_and_what_to_do(error: Exception, found: str, mend: str) -> None:
    environment = Environment(path="dev", account_id=DEV, apply=["infra"], profile="docustack-dev")
    worker = EnvironmentPrerequisites(dict(os.environ), clients=lambda _: BrokenClients(error))
    question = CheckEnvironment(name="dev", environment=environment, state=StateBackend(), backend=True)
    made = await ActivityEnvironment().run(worker.check_environment, question)
    (session,) = made.failed
    assert session.name == "AWS session"
    assert found in session.found
    assert session.mend.startswith(mend)
    assert [check.status for check in made.checks[2:]] == [CheckStatus.SKIPPED] * 3


async def test_a_profile_that_is_not_there_has_to_be_configured(endpoint: str, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        monkeypatch.delenv(name)
    environment = Environment(path="dev", account_id=DEV, apply=["infra"], profile="docustack-dev")
    worker = EnvironmentPrerequisites(dict(os.environ))
    made = await ActivityEnvironment().run(
        worker.check_environment, CheckEnvironment(name="dev", environment=environment)
    )
    (profile,) = made.failed
    assert profile.found == "there is no profile docustack-dev"
    assert profile.mend == "aws configure sso --profile docustack-dev"
