"""Asks AWS for what an environment needs: a session of the right account, the state bucket, the lock table."""

import asyncio
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import botocore.session
from botocore.exceptions import BotoCoreError, ClientError

from activities.aws_accounts import caller_identity
from activities.aws_clients import IMPATIENT, AwsClients, aws_clients, error_code, error_kind, error_text
from activities.limited_checks import in_thread, limited
from activities.role_sessions import assume_for_a_look
from docustack.aws_accounts import CallerIdentity, bucket_and_table
from docustack.aws_prerequisites import AwsExpectations, BucketFacts, TableFacts
from docustack.configuration import Environment, StateBackend
from docustack.errors import ErrorType
from docustack.model import Model
from docustack.prerequisites import Expected, Prerequisite

_ABSENT = ("404", "NoSuchBucket", "NotFound", "ResourceNotFoundException")
_DENIED = ("403", "AccessDenied", "Forbidden")
_BLOCKS = ("BlockPublicAcls", "IgnorePublicAcls", "BlockPublicPolicy", "RestrictPublicBuckets")


MakeClients = Callable[[Mapping[str, str]], AwsClients]


class CheckEnvironment(Model):
    """Check what an environment needs in AWS; without `backend` not the state bucket and lock table.

    With `tools` also what Terraform, Terragrunt and git its worker has.
    """

    name: str
    environment: Environment
    state: StateBackend = StateBackend()
    backend: bool = True
    tools: bool = False


class AwsPrerequisites:
    """The checks of AWS with one set of credentials.

    `simulated` is the one account of a simulator that stands for the accounts of all environments.
    """

    def __init__(
        self, environ: Mapping[str, str], simulated: str | None = None, clients: MakeClients | None = None
    ) -> None:
        self._environ = environ
        self._simulated = simulated
        self._clients = clients or (lambda environ: aws_clients(environ, IMPATIENT))

    async def check(
        self, question: CheckEnvironment, profile: str | None, role: str | None = None
    ) -> list[Prerequisite]:
        """Each with a limit of its own; what needs what isn't there is skipped.

        With `role` it is that role's session whose account and rights count.
        """
        name, environment = question.name, question.environment
        bucket, table = bucket_and_table(question.state.bucket, question.state.lock_table, name, environment)
        expected = AwsExpectations(name, environment, profile, bucket, table)
        checking = _Checking(expected, environment.region, self._environ, self._clients, profile)
        assuming = (
            [_Step(expected.role(), lambda: checking.check_role(role), expected.look_at_role(role))] if role else []
        )
        steps = [
            _Step(expected.profile, checking.check_profile, "aws configure list-profiles"),
            _Step(expected.session, checking.check_session, expected.ask_by_hand()),
            *assuming,
            _Step(expected.account, lambda: checking.check_account(self._simulated), expected.ask_by_hand()),
        ]
        backend = [
            _Step(expected.bucket, lambda: checking.check_bucket(bucket), expected.look_at_bucket()),
            _Step(expected.table, lambda: checking.check_table(table), expected.look_at_table()),
        ]
        return await _in_order(steps, backend if question.backend else [])


@dataclass(frozen=True)
class _Step:
    expected: Expected
    make: Callable[[], Awaitable[Prerequisite]]
    mend: str


async def _in_order(steps: Sequence[_Step], then: Sequence[_Step]) -> list[Prerequisite]:
    """One after the other as long as all is well, then the rest at once."""
    made: list[Prerequisite] = []
    for at, step in enumerate(steps):
        made.append(await limited(step.expected, step.make(), step.mend))
        if not made[-1].is_ok:
            left = [*steps[at + 1 :], *then]
            return made + [each.expected.skipped(f"not asked: {step.expected.name} failed") for each in left]
    return made + await asyncio.gather(*(limited(step.expected, step.make(), step.mend) for step in then))


class _Checking:
    """The checks of one environment; each knows what the ones before have found."""

    def __init__(
        self,
        expected: AwsExpectations,
        region: str,
        environ: Mapping[str, str],
        clients: MakeClients,
        profile: str | None,
    ) -> None:
        self._expected = expected
        self._region = region
        self._environ = environ
        self._make_clients = clients
        self._clients = clients(environ)
        self._profile = profile
        self._identity: CallerIdentity | None = None

    async def check_profile(self) -> Prerequisite:
        present = self._profile is None or self._profile in await in_thread(_profiles)
        return self._expected.judge_profile(present)

    async def check_session(self) -> Prerequisite:
        try:
            self._identity = await in_thread(lambda: caller_identity(self._client("sts")))
        except (ClientError, BotoCoreError) as error:
            if error_kind(error) is ErrorType.CREDENTIALS:
                return self._expected.no_session(error_text(error))
            return self._expected.session.failed(error_text(error), self._expected.ask_by_hand())
        return self._expected.session.met(self._identity.arn)

    async def check_role(self, role: str) -> Prerequisite:
        expected = self._expected.role()
        try:
            session = await in_thread(lambda: assume_for_a_look(self._client("sts"), role))
        except (ClientError, BotoCoreError) as error:
            return expected.failed(f"{role}: {error_text(error)}", self._expected.look_at_role(role))
        self._clients, self._profile = self._make_clients({**self._environ, **session.environment()}), None
        self._identity = session.identity
        return expected.met(session.identity.arn)

    async def check_account(self, simulated: str | None) -> Prerequisite:
        assert self._identity is not None
        return self._expected.judge_account(self._identity, simulated)

    async def check_bucket(self, bucket: str) -> Prerequisite:
        assert self._identity is not None
        owner = self._identity.account
        try:
            facts = await in_thread(lambda: read_bucket(self._client("s3"), bucket, owner))
        except (ClientError, BotoCoreError) as error:
            denied = isinstance(error, ClientError) and error_code(error) in _DENIED
            why = "it is another account's, or these credentials may not read it" if denied else error_text(error)
            return self._expected.bucket.failed(f"{bucket}: {why}", self._expected.look_at_bucket())
        return self._expected.judge_bucket(facts)

    async def check_table(self, table: str) -> Prerequisite:
        try:
            facts = await in_thread(lambda: read_table(self._client("dynamodb"), table))
        except (ClientError, BotoCoreError) as error:
            return self._expected.table.failed(f"{table}: {error_text(error)}", self._expected.look_at_table())
        return self._expected.judge_table(facts)

    def _client(self, service: str) -> Any:  # boto3's clients have no type
        return self._clients(service, self._profile, self._region)


def read_bucket(s3: Any, bucket: str, owner: str) -> BucketFacts | None:  # boto3's clients have no type
    """None where there is none; raises ClientError where it is of another account than `owner`."""
    of_owner = {"Bucket": bucket, "ExpectedBucketOwner": owner}
    try:
        s3.head_bucket(**of_owner)
    except ClientError as error:
        if error_code(error) in _ABSENT:
            return None
        raise
    block = _or_nothing(s3.get_public_access_block, of_owner, "NoSuchPublicAccessBlockConfiguration")
    encryption = _or_nothing(s3.get_bucket_encryption, of_owner, "ServerSideEncryptionConfigurationNotFoundError")
    blocked = block.get("PublicAccessBlockConfiguration", {})
    return BucketFacts(
        versioned=s3.get_bucket_versioning(**of_owner).get("Status") == "Enabled",
        encrypted=bool(encryption.get("ServerSideEncryptionConfiguration", {}).get("Rules")),
        blocks_public_access=all(blocked.get(kind) for kind in _BLOCKS),
    )


def read_table(dynamodb: Any, table: str) -> TableFacts | None:
    """None where there is none."""
    try:
        found = dynamodb.describe_table(TableName=table)["Table"]
    except ClientError as error:
        if error_code(error) in _ABSENT:
            return None
        raise
    keys = [key["AttributeName"] for key in found["KeySchema"]]
    return TableFacts(active=found["TableStatus"] == "ACTIVE", key=", ".join(keys))


def _or_nothing(call: Any, arguments: Mapping[str, str], nothing: str) -> Any:
    """What S3 answers, or an empty answer where it says that there is no such setting."""
    try:
        return call(**arguments)
    except ClientError as error:
        if error_code(error) == nothing:
            return {}
        raise


def _profiles() -> list[str]:
    return list(botocore.session.Session().available_profiles)
