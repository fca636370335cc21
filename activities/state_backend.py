"""Asks AWS about the bucket and the table of Terraform's state, and removes them where a bootstrap is undone."""

import asyncio
import json
from collections.abc import Callable, Mapping
from typing import Any, TypeVar

from botocore.exceptions import BotoCoreError, ClientError
from temporalio import activity

from activities.artifacts import ArtifactStore
from activities.aws_clients import aws_clients, error_code, error_kind, error_text
from activities.bootstrap_messages import (
    BootstrapUnit,
    LookAtBackend,
    RemoveBackend,
    Removed,
)
from activities.failures import failure
from activities.kept_states import KeptStates
from activities.open_units import OpenUnits
from activities.unit_work import heartbeats
from docustack.aws_accounts import login_command
from docustack.errors import ErrorType
from docustack.state_backend import BackendFacts, BackendPlace, BucketFacts, Presence, TableFacts, refuses_plain_http
from docustack.state_document import StateFacts, state_facts
from docustack.terragrunt_errors import StateLock

T = TypeVar("T")


class StateBackend:
    """With the credentials that an apply of the unit has."""

    def __init__(self, units: OpenUnits, artifacts: ArtifactStore) -> None:
        self._units = units
        self._kept = KeptStates(artifacts)

    @activity.defn
    @heartbeats
    async def look_at_backend(self, request: LookAtBackend) -> BackendFacts:
        """What is there, and how it is set up."""
        unit = await self._units.open(request, changes=True)
        aws = Aws(unit.environ, request.place.region)
        return await ask_aws(request, f"look at the bucket {request.place.bucket}", lambda: _look(aws, request.place))

    @activity.defn
    @heartbeats
    async def remove_backend(self, request: RemoveBackend) -> Removed:
        """Delete what this run made: what wasn't there before (`names`), is in its state, and is empty."""
        unit = await self._units.open(request, changes=True)
        aws = Aws(unit.environ, request.place.region)
        kept = await self._kept.newest(request.environment.account_id)
        document = kept.document if kept is not None else ""
        return await ask_aws(request, "remove what was made", lambda: _remove(aws, request, document))


class Aws:
    """Clients with what a unit's Terragrunt has, and nothing else."""

    def __init__(self, environ: Mapping[str, str], region: str) -> None:
        self._environ = environ
        self._region = region

    def client(self, service: str) -> Any:  # boto3's clients have no type
        return aws_clients(self._environ)(service, self._environ.get("AWS_PROFILE"), self._region)


def read_state(aws: Aws, place: BackendPlace) -> str:
    """The state document in the bucket; empty where there is none."""
    s3 = aws.client("s3")
    answer = _unless(lambda: s3.get_object(Bucket=place.bucket, Key=place.key), "NoSuchKey", "NoSuchBucket")
    return str(answer["Body"].read().decode()) if answer is not None else ""


def read_lock(aws: Aws, place: BackendPlace) -> StateLock | None:
    """Terraform's lock on the state, in the table or beside the state; None where nobody holds it."""
    dynamodb, key = aws.client("dynamodb"), {"LockID": {"S": place.lock_id}}
    answer = _unless(
        lambda: dynamodb.get_item(TableName=place.lock_table, Key=key, ConsistentRead=True),
        "ResourceNotFoundException",
    )
    if answer is not None and (info := answer.get("Item", {}).get("Info")):
        return _lock(info["S"], place.lock_id)
    s3, beside = aws.client("s3"), f"{place.key}.tflock"
    found = _unless(lambda: s3.get_object(Bucket=place.bucket, Key=beside), "NoSuchKey", "NoSuchBucket")
    return _lock(found["Body"].read(), beside) if found is not None else None


def _lock(info: str | bytes, path: str) -> StateLock:
    """As Terraform writes it."""
    known: dict[str, str] = json.loads(info)
    return StateLock(
        lock_id=known.get("ID", ""),
        path=path,
        operation=known.get("Operation", ""),
        who=known.get("Who", ""),
        version=known.get("Version", ""),
        created=known.get("Created", ""),
    )


def _look(aws: Aws, place: BackendPlace) -> BackendFacts:
    bucket = _bucket(aws.client("s3"), place.bucket)
    document = read_state(aws, place) if bucket.presence is Presence.PRESENT else ""
    state: StateFacts | None = state_facts(document) if document else None
    return BackendFacts(bucket=bucket, table=_table(aws.client("dynamodb"), place.lock_table), state=state)


def _bucket(s3: Any, name: str) -> BucketFacts:
    if name not in {bucket["Name"] for bucket in s3.list_buckets()["Buckets"]}:
        return BucketFacts(presence=Presence.FOREIGN if _is_taken(s3, name) else Presence.ABSENT)
    encryption = _unless(
        lambda: s3.get_bucket_encryption(Bucket=name), "ServerSideEncryptionConfigurationNotFoundError"
    )
    block = _unless(lambda: s3.get_public_access_block(Bucket=name), "NoSuchPublicAccessBlockConfiguration")
    policy = _unless(lambda: s3.get_bucket_policy(Bucket=name), "NoSuchBucketPolicy")
    lifecycle = _unless(lambda: s3.get_bucket_lifecycle_configuration(Bucket=name), "NoSuchLifecycleConfiguration")
    settings = block["PublicAccessBlockConfiguration"] if block else {}
    rules = lifecycle["Rules"] if lifecycle else []
    return BucketFacts(
        presence=Presence.PRESENT,
        versioned=s3.get_bucket_versioning(Bucket=name).get("Status") == "Enabled",
        encrypted=bool(encryption and encryption["ServerSideEncryptionConfiguration"]["Rules"]),
        public_access_blocked=bool(settings) and all(settings.values()),
        tls_only=bool(policy) and refuses_plain_http(policy["Policy"]),
        expires_old_versions=any(
            rule["Status"] == "Enabled" and "NoncurrentVersionExpiration" in rule for rule in rules
        ),
    )


def _is_taken(s3: Any, name: str) -> bool:
    """Of a name that this account doesn't have: somebody else's, whom AWS doesn't name, or nobody's."""
    try:
        s3.head_bucket(Bucket=name)
    except ClientError as error:
        if error_code(error) in ("404", "NoSuchBucket", "NotFound"):
            return False
        if error_code(error) not in ("301", "403"):
            raise
    return True


def _table(dynamodb: Any, name: str) -> TableFacts:
    answer = _unless(lambda: dynamodb.describe_table(TableName=name), "ResourceNotFoundException")
    if answer is None:
        return TableFacts(presence=Presence.ABSENT)
    key = answer["Table"]["KeySchema"] == [{"AttributeName": "LockID", "KeyType": "HASH"}]
    kinds = {each["AttributeName"]: each["AttributeType"] for each in answer["Table"]["AttributeDefinitions"]}
    return TableFacts(presence=Presence.PRESENT, keyed_by_lock_id=key and kinds.get("LockID") == "S")


def _remove(aws: Aws, request: RemoveBackend, document: str) -> Removed:
    place = request.place
    removed, left = [], []
    for name, kind, attribute, remove in (
        (place.lock_table, "aws_dynamodb_table", "name", _remove_table),
        (place.bucket, "aws_s3_bucket", "bucket", _remove_bucket),
    ):
        if name not in request.names:
            continue
        if not _is_in_state(document, kind, attribute, name):
            left.append(f"{name}: if it is there, the state doesn't tell that this run has made it")
        elif why := remove(aws, name):
            left.append(f"{name}: {why}")
        else:
            removed.append(name)
    return Removed(removed=tuple(removed), left=tuple(left))


def _remove_bucket(aws: Aws, name: str) -> str:
    """Why it was left; empty where it is gone. S3 itself refuses to delete one that is not empty."""
    s3 = aws.client("s3")
    found = _unless(lambda: s3.list_object_versions(Bucket=name, MaxKeys=1), "NoSuchBucket")
    if found is None:
        return ""
    if found.get("Versions") or found.get("DeleteMarkers"):
        return "it is not empty"
    try:
        _unless(lambda: s3.delete_bucket(Bucket=name), "NoSuchBucket")
    except ClientError as error:
        if error_code(error) == "BucketNotEmpty":
            return "it is not empty"
        raise
    return ""


def _remove_table(aws: Aws, name: str) -> str:
    dynamodb = aws.client("dynamodb")
    found = _unless(lambda: dynamodb.scan(TableName=name, Limit=1, ConsistentRead=True), "ResourceNotFoundException")
    if found is None:
        return ""
    if found["Items"]:
        return "it is not empty"
    _unless(lambda: dynamodb.delete_table(TableName=name), "ResourceNotFoundException", "ResourceInUseException")
    return ""


def _is_in_state(document: str, kind: str, attribute: str, name: str) -> bool:
    resources = json.loads(document).get("resources", []) if document else []
    return any(
        resource.get("type") == kind and instance.get("attributes", {}).get(attribute) == name
        for resource in resources
        for instance in resource.get("instances", [])
    )


def _unless(call: Callable[[], Any], *codes: str) -> Any:
    """None where AWS says that it isn't there."""
    try:
        return call()
    except ClientError as error:
        if error_code(error) in codes:
            return None
        raise


async def ask_aws(request: BootstrapUnit, doing: str, call: Callable[[], T]) -> T:
    """In a thread, since boto3 blocks; what AWS refuses is told in our words."""
    try:
        return await asyncio.to_thread(call)
    except (ClientError, BotoCoreError) as error:
        kind = error_kind(error)
        advice = (
            f" On the worker's host: `{login_command(request.environment.profile)}`."
            if kind is ErrorType.CREDENTIALS
            else ""
        )
        raise failure(kind, f"AWS refused the attempt to {doing}: {error_text(error)}.{advice}") from None
