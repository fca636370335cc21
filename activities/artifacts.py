"""Keeps plans, texts and logs under keys, in a folder or in S3; saved plans are encrypted, since they hold secrets."""

import asyncio
import contextlib
import copy
import os
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path, PurePosixPath
from typing import Any, Protocol, TypeVar
from urllib.parse import urlsplit

import boto3
from botocore.exceptions import ClientError
from cryptography.fernet import Fernet, InvalidToken, MultiFernet

from docustack.plans import ArtifactRef

T = TypeVar("T")


class ArtifactMissing(LookupError):
    """There is no artifact under this key, or it can't be opened with this worker's keys."""


class Blobs(Protocol):
    """Where bytes lie under keys; blocking, called off the event loop."""

    def write(self, key: str, data: bytes, content_type: str) -> None: ...
    def create(self, key: str, data: bytes) -> bool:
        """Write only where nothing is; False where something is already."""
        ...

    def read(self, key: str) -> bytes:
        """Raises `ArtifactMissing`."""
        ...

    def list(self, prefix: str) -> list[str]: ...


class ArtifactStore:
    """What the activities use: texts as they are (redacted before they come here), saved plans sealed.

    `keys` are Fernet keys, the newest first: that one seals, all of them open, so that a key can be replaced. Workers
    that work on the same units share them.
    """

    def __init__(self, blobs: Blobs, *keys: str | bytes) -> None:
        if not keys:
            raise ValueError("an artifact store needs at least one key to seal saved plans with")
        self._blobs = blobs
        self._seal = MultiFernet([Fernet(key) for key in keys])
        self.digest_key = keys[0] if isinstance(keys[0], bytes) else keys[0].encode()

    def in_place_of(self, blobs: Blobs) -> "ArtifactStore":
        """The same keys over another place."""
        other = copy.copy(self)
        vars(other)["_blobs"] = blobs
        return other

    async def put_text(self, key: ArtifactRef, text: str) -> ArtifactRef:
        kind = "application/json" if key.endswith(".json") else "text/plain; charset=utf-8"
        await self._do(lambda: self._blobs.write(key, text.encode(errors="replace"), kind))
        return key

    async def get_text(self, key: ArtifactRef) -> str:
        """Raises `ArtifactMissing`."""
        return (await self._do(lambda: self._blobs.read(key))).decode(errors="replace")

    async def put_sealed(self, key: ArtifactRef, data: bytes) -> ArtifactRef:
        await self._do(lambda: self._blobs.write(key, self._seal.encrypt(data), "application/octet-stream"))
        return key

    async def get_sealed(self, key: ArtifactRef) -> bytes:
        """Raises `ArtifactMissing`, also where none of the keys opens it."""
        sealed = await self._do(lambda: self._blobs.read(key))
        try:
            return await self._do(lambda: self._seal.decrypt(sealed))
        except InvalidToken:
            raise ArtifactMissing(f"{key} can't be opened with the artifact keys of this worker") from None

    async def create_text(self, key: ArtifactRef, text: str) -> bool:
        """Writes only where nothing is yet, for whoever comes first; False for everybody else."""
        return await self._do(lambda: self._blobs.create(key, text.encode()))

    async def list(self, prefix: str) -> list[ArtifactRef]:
        """The keys that begin with a prefix, in order."""
        return await self._do(lambda: sorted(self._blobs.list(prefix)))

    async def _do(self, call: Callable[[], T]) -> T:
        return await asyncio.to_thread(call)


def open_store(location: str, *keys: str | bytes, client: Any = None) -> ArtifactStore:  # boto3's clients have no type
    """`s3://bucket/prefix`, or a folder (a path, or `file:///path`)."""
    return ArtifactStore(open_blobs(location, client), *keys)


def open_blobs(location: str, client: Any = None) -> Blobs:  # boto3's clients have no type
    """The same without keys, for who neither seals nor opens anything."""
    address = urlsplit(location)
    if address.scheme == "s3":
        return S3Blobs(address.netloc, address.path.strip("/"), client or boto3.client("s3"))
    return FolderBlobs(Path(address.path if address.scheme == "file" else location))


class FolderBlobs:
    """Keys are paths below one folder; a file appears whole or not at all."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def write(self, key: str, data: bytes, content_type: str) -> None:
        path = self._path(key)
        with _beside(path, data) as written:
            written.replace(path)

    def create(self, key: str, data: bytes) -> bool:
        path = self._path(key)
        with _beside(path, data) as written:
            try:
                os.link(written, path)
            except FileExistsError:
                return False
        return True

    def read(self, key: str) -> bytes:
        try:
            return self._path(key).read_bytes()
        except FileNotFoundError:
            raise ArtifactMissing(key) from None

    def list(self, prefix: str) -> list[str]:
        start = self._path(prefix)
        top = start if prefix.endswith("/") else start.parent
        keys = (path.relative_to(self._folder).as_posix() for path in top.rglob("*") if path.is_file())
        return [key for key in keys if key.startswith(prefix) and not PurePosixPath(key).name.startswith(".")]

    def _path(self, key: str) -> Path:
        if PurePosixPath(key).is_absolute() or ".." in PurePosixPath(key).parts:
            raise ArtifactMissing(f"{key} is no key of an artifact")
        return self._folder / key


@contextlib.contextmanager
def _beside(path: Path, data: bytes) -> Iterator[Path]:
    path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    descriptor, name = tempfile.mkstemp(prefix=".writing-", dir=path.parent)
    try:
        with os.fdopen(descriptor, "wb") as file:
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
        yield Path(name)
    finally:
        Path(name).unlink(missing_ok=True)


class S3Blobs:
    """Keys are objects of one bucket, below a prefix."""

    def __init__(self, bucket: str, prefix: str, client: Any) -> None:  # boto3's clients have no type
        self._bucket = bucket
        self._prefix = f"{prefix}/" if prefix else ""
        self._client = client

    def write(self, key: str, data: bytes, content_type: str) -> None:
        self._client.put_object(Bucket=self._bucket, Key=self._prefix + key, Body=data, ContentType=content_type)

    def create(self, key: str, data: bytes) -> bool:
        try:
            self._client.put_object(Bucket=self._bucket, Key=self._prefix + key, Body=data, IfNoneMatch="*")
        except ClientError as error:
            if error.response["Error"]["Code"] in ("PreconditionFailed", "ConditionalRequestConflict", "412", "409"):
                return False
            raise
        return True

    def read(self, key: str) -> bytes:
        try:
            body: bytes = self._client.get_object(Bucket=self._bucket, Key=self._prefix + key)["Body"].read()
        except ClientError as error:
            if error.response["Error"]["Code"] in ("NoSuchKey", "404"):
                raise ArtifactMissing(key) from None
            raise
        return body

    def list(self, prefix: str) -> list[str]:
        pages = self._client.get_paginator("list_objects_v2").paginate(
            Bucket=self._bucket, Prefix=self._prefix + prefix
        )
        return [entry["Key"].removeprefix(self._prefix) for page in pages for entry in page.get("Contents", ())]
