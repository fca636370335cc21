"""Artifacts in a folder and in S3: the same rules in both."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import boto3
import pytest
from cryptography.fernet import Fernet

from activities.artifacts import ArtifactMissing, ArtifactStore, FolderBlobs, open_store
from tests.integration.aws_server import moto_server

KEY = Fernet.generate_key()


@pytest.fixture(scope="module")
def s3() -> Iterator[Any]:  # boto3's clients have no type
    with moto_server() as url:
        client = boto3.client("s3", endpoint_url=url, region_name="us-east-1")
        client.create_bucket(Bucket="artifacts")
        yield client


@pytest.fixture(params=["folder", "s3"])
def location(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    return str(tmp_path) if request.param == "folder" else f"s3://artifacts/{tmp_path.name}"


@pytest.fixture
def store(location: str, s3: Any) -> ArtifactStore:
    return open_store(location, KEY, client=s3)


async def test_a_text_comes_back(store: ArtifactStore) -> None:
    assert await store.put_text("runs/r1/dev/vpc/plan.txt", "Plan: ✓\n") == "runs/r1/dev/vpc/plan.txt"
    assert await store.get_text("runs/r1/dev/vpc/plan.txt") == "Plan: ✓\n"
    await store.put_text("runs/r1/dev/vpc/plan.txt", "again")
    assert await store.get_text("runs/r1/dev/vpc/plan.txt") == "again"


async def test_a_saved_plan_lies_encrypted(store: ArtifactStore, tmp_path: Path, location: str, s3: Any) -> None:
    await store.put_sealed("plan.bin", b"planted-secret")
    assert await store.get_sealed("plan.bin") == b"planted-secret"
    if location.startswith("s3:"):
        raw = s3.get_object(Bucket="artifacts", Key=f"{tmp_path.name}/plan.bin")["Body"].read()
    else:
        raw = (tmp_path / "plan.bin").read_bytes()
    assert b"planted" not in raw


async def test_another_key_opens_nothing_and_a_replaced_one_still_does(
    store: ArtifactStore, location: str, s3: Any
) -> None:
    await store.put_sealed("plan.bin", b"plan")
    with pytest.raises(ArtifactMissing):
        await open_store(location, Fernet.generate_key(), client=s3).get_sealed("plan.bin")
    renewed = open_store(location, Fernet.generate_key(), KEY, client=s3)
    assert await renewed.get_sealed("plan.bin") == b"plan"


async def test_what_was_tampered_with_does_not_open(store: ArtifactStore) -> None:
    await store.put_text("plan.bin", "not sealed")
    with pytest.raises(ArtifactMissing):
        await store.get_sealed("plan.bin")


async def test_what_is_not_there_is_missing(store: ArtifactStore) -> None:
    with pytest.raises(ArtifactMissing):
        await store.get_text("runs/none")
    with pytest.raises(ArtifactMissing):
        await store.get_sealed("runs/none")


async def test_only_the_first_may_create(store: ArtifactStore) -> None:
    assert await store.create_text("applies/dev/vpc/x.json", "first")
    assert not await store.create_text("applies/dev/vpc/x.json", "second")
    assert await store.get_text("applies/dev/vpc/x.json") == "first"


async def test_keys_are_listed_by_prefix(store: ArtifactStore) -> None:
    for key in ("applies/dev/vpc/b.json", "applies/dev/vpc/a.json", "applies/dev/vpc-2/c.json"):
        await store.put_text(key, "{}")
    assert await store.list("applies/dev/vpc/") == ["applies/dev/vpc/a.json", "applies/dev/vpc/b.json"]
    assert await store.list("applies/prod/") == []


@pytest.mark.parametrize("key", ["../outside", "/etc/passwd", "runs/../../outside"])
async def test_no_key_leads_out_of_the_folder(tmp_path: Path, key: str) -> None:
    store = ArtifactStore(FolderBlobs(tmp_path / "in"), KEY)
    with pytest.raises(ArtifactMissing):
        await store.put_text(key, "x")
    with pytest.raises(ArtifactMissing):
        await store.get_text(key)


async def test_others_on_the_machine_can_not_read_a_folder(tmp_path: Path) -> None:
    store = open_store(f"file://{tmp_path}/artifacts", KEY)
    await store.put_text("runs/r1/plan.txt", "x")
    written = tmp_path / "artifacts/runs/r1/plan.txt"
    assert written.stat().st_mode & 0o077 == 0


def test_a_store_without_a_key_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="key"):
        open_store(str(tmp_path))
