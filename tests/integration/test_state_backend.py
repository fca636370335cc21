"""What of a state backend is there by AWS' own word, and that an undo removes only what is this run's and empty."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import boto3
import httpx
import pytest

from activities.bootstrap_messages import LookAtBackend, RemoveBackend
from activities.kept_states import KeptStates
from activities.state_backend import Aws, StateBackend, read_lock
from docustack.state_backend import BackendPlace, Presence
from local import aws
from tests.integration.aws_server import moto_server
from tests.integration.units import Worker, new_worker

ACCOUNT = "111111111111"
PLACE = BackendPlace(bucket="states", key="bootstrap/terraform.tfstate", lock_table="locks", region="us-east-1")
STATE = json.dumps(
    {
        "version": 4,
        "lineage": "l",
        "serial": 1,
        "outputs": {},
        "resources": [
            {
                "mode": "managed",
                "type": kind,
                "name": "x",
                "instances": [{"attributes": {attribute: name}}],
            }
            for kind, attribute, name in (
                ("aws_s3_bucket", "bucket", "states"),
                ("aws_dynamodb_table", "name", "locks"),
            )
        ],
    }
)


@pytest.fixture
def endpoint() -> Iterator[str]:
    with moto_server() as url:
        httpx.post(f"{url}/moto-api/reset")
        yield url


@pytest.fixture
async def backend(tmp_path: Path, endpoint: str) -> tuple[Worker, StateBackend]:
    environ = {**aws.CREDENTIALS, "AWS_ENDPOINT_URL": endpoint, "PATH": "/usr/bin"}
    worker = await new_worker(tmp_path, environ)
    worker.repository.unit("bootstrap", backend=False)
    return worker, StateBackend(worker.terragrunt.units, worker.artifacts)


def asked(worker: Worker, kind: type[Any], **more: Any) -> Any:
    known = dict(worker.unit_request("bootstrap")) | {"remote_state": False} | more
    return kind(**known)


async def look(backend: tuple[Worker, StateBackend]) -> Any:
    worker, activities = backend
    return await worker.run(activities.look_at_backend, asked(worker, LookAtBackend, place=PLACE))


async def remove(backend: tuple[Worker, StateBackend], *names: str) -> Any:
    worker, activities = backend
    return await worker.run(activities.remove_backend, asked(worker, RemoveBackend, place=PLACE, names=names))


async def test_an_empty_account_has_neither(backend: tuple[Worker, StateBackend]) -> None:
    facts = await look(backend)
    assert (facts.bucket.presence, facts.table.presence, facts.state) == (Presence.ABSENT, Presence.ABSENT, None)


async def test_settings_are_read_one_by_one(backend: tuple[Worker, StateBackend], endpoint: str) -> None:
    aws.prepare_state_backend(endpoint, ["states"], "locks")
    facts = await look(backend)
    assert facts.bucket.versioned
    assert facts.bucket.encrypted
    assert facts.bucket.public_access_blocked
    assert not facts.bucket.tls_only
    assert not facts.bucket.expires_old_versions
    assert facts.table.keyed_by_lock_id
    aws.client("s3", endpoint).put_object(Bucket="states", Key=PLACE.key, Body=STATE.encode())
    assert (await look(backend)).state.lineage == "l"


async def test_a_bucket_of_another_account_is_foreign(backend: tuple[Worker, StateBackend], endpoint: str) -> None:
    sts = aws.client("sts", endpoint)
    role = sts.assume_role(RoleArn="arn:aws:iam::999999999999:role/other", RoleSessionName="other")["Credentials"]
    other = boto3.client(
        "s3",
        endpoint_url=endpoint,
        region_name=aws.REGION,
        aws_access_key_id=role["AccessKeyId"],
        aws_secret_access_key=role["SecretAccessKey"],
        aws_session_token=role["SessionToken"],
    )
    other.create_bucket(Bucket="states")
    assert (await look(backend)).bucket.presence is Presence.FOREIGN


async def test_a_bucket_without_versions_is_seen_as_such(backend: tuple[Worker, StateBackend], endpoint: str) -> None:
    aws.client("s3", endpoint).create_bucket(Bucket="states")
    facts = await look(backend)
    assert (facts.bucket.presence, facts.bucket.versioned) == (Presence.PRESENT, False)


async def test_what_this_run_made_and_is_empty_is_removed_and_twice_is_harmless(
    backend: tuple[Worker, StateBackend], endpoint: str
) -> None:
    aws.prepare_state_backend(endpoint, ["states"], "locks")
    await KeptStates(backend[0].artifacts).keep(ACCOUNT, STATE)
    for _ in range(2):
        answer = await remove(backend, "states", "locks")
        assert (set(answer.removed), answer.left) == ({"states", "locks"}, ())
    facts = await look(backend)
    assert (facts.bucket.presence, facts.table.presence) == (Presence.ABSENT, Presence.ABSENT)


async def test_what_was_there_before_is_not_asked_for_and_stays(
    backend: tuple[Worker, StateBackend], endpoint: str
) -> None:
    aws.prepare_state_backend(endpoint, ["states"], "locks")
    await KeptStates(backend[0].artifacts).keep(ACCOUNT, STATE)
    await remove(backend, "locks")
    assert (await look(backend)).bucket.presence is Presence.PRESENT


async def test_what_the_kept_state_does_not_have_is_left(backend: tuple[Worker, StateBackend], endpoint: str) -> None:
    aws.prepare_state_backend(endpoint, ["states"], "locks")
    answer = await remove(backend, "states", "locks")
    assert answer.removed == ()
    assert len(answer.left) == 2
    assert (await look(backend)).bucket.presence is Presence.PRESENT


async def test_what_is_not_empty_is_left(backend: tuple[Worker, StateBackend], endpoint: str) -> None:
    aws.prepare_state_backend(endpoint, ["states"], "locks")
    await KeptStates(backend[0].artifacts).keep(ACCOUNT, STATE)
    s3 = aws.client("s3", endpoint)
    s3.put_object(Bucket="states", Key="x", Body=b"x")
    s3.delete_object(Bucket="states", Key="x")  # an older version and a mark are left of it
    aws.client("dynamodb", endpoint).put_item(TableName="locks", Item={"LockID": {"S": "x"}})
    answer = await remove(backend, "states", "locks")
    assert answer.removed == ()
    assert all("not empty" in left for left in answer.left)
    facts = await look(backend)
    assert (facts.bucket.presence, facts.table.presence) == (Presence.PRESENT, Presence.PRESENT)


async def test_the_newest_state_is_kept_beside_the_older_ones_and_none_twice(
    backend: tuple[Worker, StateBackend],
) -> None:
    kept = KeptStates(backend[0].artifacts)
    first = await kept.keep(ACCOUNT, STATE)
    assert await kept.keep(ACCOUNT, STATE) == first
    second = await kept.keep(ACCOUNT, STATE.replace('"serial": 1', '"serial": 2'))
    newest = await kept.newest(ACCOUNT)
    assert newest is not None
    assert newest.kept == second
    assert await kept.newest("222222222222") is None
    assert len(await backend[0].artifacts.list("bootstrap/")) == 2
    assert "aws_s3_bucket" not in (await backend[0].artifacts.get_text(second.artifact)), "it is sealed"


async def test_a_lock_is_found_in_the_table_and_beside_the_state(endpoint: str) -> None:
    aws.prepare_state_backend(endpoint, ["states"], "locks")
    theirs = Aws({**aws.CREDENTIALS, "AWS_ENDPOINT_URL": endpoint}, "us-east-1")
    assert read_lock(theirs, PLACE) is None
    info = json.dumps({"ID": "1f2e", "Operation": "state-push", "Who": "me@here", "Created": "2026-11-28T10:00:00Z"})
    aws.client("s3", endpoint).put_object(Bucket="states", Key=f"{PLACE.key}.tflock", Body=info)
    beside = read_lock(theirs, PLACE)
    aws.client("dynamodb", endpoint).put_item(
        TableName="locks", Item={"LockID": {"S": "states/bootstrap/terraform.tfstate"}, "Info": {"S": info}}
    )
    in_table = read_lock(theirs, PLACE)
    assert beside is not None
    assert in_table is not None
    assert beside.path == "bootstrap/terraform.tfstate.tflock"
    assert in_table.path == PLACE.lock_id
    assert (in_table.lock_id, in_table.operation, in_table.who) == ("1f2e", "state-push", "me@here")
