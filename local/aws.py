"""AWS on this machine: moto, with the state buckets and the lock table that bootstrap would have made."""

import os
from functools import cache
from typing import Any

REGION = "us-east-1"
ACCOUNT = "123456789012"
"""The one account that moto has; it stands for those of all environments."""

CREDENTIALS = {"AWS_ACCESS_KEY_ID": "testing", "AWS_SECRET_ACCESS_KEY": "testing"}


@cache
def client(service: str, endpoint_url: str) -> Any:  # boto3 makes its clients' types at run time
    """A boto3 client of the simulated account; nothing of this machine's AWS settings is used."""
    # Here, because every command of ours imports this module and few need boto3, which takes a while to load.
    import boto3  # noqa: PLC0415
    import botocore.session  # noqa: PLC0415
    from botocore.config import Config  # noqa: PLC0415

    nothing = {
        "profile": (None, None, None, None),
        "config_file": (None, None, os.devnull, None),
        "credentials_file": (None, None, os.devnull, None),
    }
    session = boto3.Session(
        botocore_session=botocore.session.Session(session_vars=nothing),
        aws_access_key_id=CREDENTIALS["AWS_ACCESS_KEY_ID"],
        aws_secret_access_key=CREDENTIALS["AWS_SECRET_ACCESS_KEY"],
        region_name=REGION,
    )
    config = Config(
        connect_timeout=5, read_timeout=30, retries={"max_attempts": 3}, proxies={}, s3={"addressing_style": "path"}
    )
    make: Any = session.client  # its type knows only services by literal names
    return make(service, endpoint_url=endpoint_url, config=config)


def prepare_state_backend(endpoint_url: str, buckets: list[str], lock_table: str) -> list[str]:
    """Make what is missing of the state backend (guide, "Bootstrap State Backend"); gives the names of what it made."""
    s3, dynamodb = client("s3", endpoint_url), client("dynamodb", endpoint_url)
    present = {bucket["Name"] for bucket in s3.list_buckets()["Buckets"]}
    missing = [bucket for bucket in buckets if bucket not in present]
    for bucket in missing:
        _make_bucket(s3, bucket)
    if lock_table in dynamodb.list_tables()["TableNames"]:
        return missing
    dynamodb.create_table(
        TableName=lock_table,
        AttributeDefinitions=[{"AttributeName": "LockID", "AttributeType": "S"}],
        KeySchema=[{"AttributeName": "LockID", "KeyType": "HASH"}],
        BillingMode="PAY_PER_REQUEST",
    )
    return [*missing, lock_table]


def _make_bucket(s3: Any, bucket: str) -> None:
    s3.create_bucket(Bucket=bucket)
    s3.put_bucket_versioning(Bucket=bucket, VersioningConfiguration={"Status": "Enabled"})
    rule = {"ApplyServerSideEncryptionByDefault": {"SSEAlgorithm": "AES256"}}
    s3.put_bucket_encryption(Bucket=bucket, ServerSideEncryptionConfiguration={"Rules": [rule]})
    blocked = ("BlockPublicAcls", "IgnorePublicAcls", "BlockPublicPolicy", "RestrictPublicBuckets")
    s3.put_public_access_block(Bucket=bucket, PublicAccessBlockConfiguration=dict.fromkeys(blocked, True))
