"""The artifact store as commands and the server see it: bytes under keys, without the keys that open saved plans."""

import boto3

from activities.artifacts import Blobs, FolderBlobs, S3Blobs
from worker.settings import Settings


def open_blobs(settings: Settings) -> Blobs:
    """The configured store: a folder, or a bucket."""
    folder = settings.artifacts_folder
    if folder is not None:
        return FolderBlobs(folder)
    bucket, _, prefix = settings.artifacts.removeprefix("s3://").partition("/")
    return S3Blobs(bucket, prefix.strip("/"), boto3.client("s3"))
