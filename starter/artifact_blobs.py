"""The artifact store as commands and the server see it: bytes under keys, without the keys that open saved plans."""

from activities import artifacts
from activities.artifacts import Blobs
from worker.settings import Settings


def open_blobs(settings: Settings) -> Blobs:
    """The configured store: a folder, or a bucket."""
    return artifacts.open_blobs(str(settings.artifacts_folder or settings.artifacts))
