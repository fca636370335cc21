"""The record of imported histories that this command can reach: that of the artifact store of its settings."""

import os

from pydantic import ValidationError

from starter.console import errors
from starter.exit_codes import CommandFailed, ExitCode
from starter.history.manifest import HistoryEntry
from starter.history.record import Record
from worker.settings import Settings, variable

# The libraries of the store are loaded when it is opened: no other command has to wait for them.


def open_record(settings: Settings) -> Record:
    from starter.artifact_blobs import open_blobs  # noqa: PLC0415

    return Record(open_blobs(settings))


def entries_at_hand(settings: Settings) -> dict[tuple[str, str], HistoryEntry]:
    """None where the store can't be read, which is told: whoever asks for runs gets those of Temporal all the same."""
    folder = settings.artifacts_folder
    if folder is not None and not folder.is_dir():
        return {}
    try:
        return open_record(settings).entries()
    except unreadable_errors() as error:
        errors().print(f"Imported histories aren't shown: {unreadable(settings, error).message}", style="dim")
        return {}


def unreadable_errors() -> tuple[type[Exception], ...]:
    """What a store is unreadable with."""
    from botocore.exceptions import BotoCoreError, ClientError  # noqa: PLC0415

    return (OSError, ValidationError, BotoCoreError, ClientError)


def unreadable(settings: Settings, error: BaseException) -> CommandFailed:
    """An artifact store that can't be used, told with what to do."""
    where = settings.artifacts or str(settings.artifacts_folder)
    why = os.strerror(error.errno) if isinstance(error, OSError) and error.errno else " ".join(str(error).split())
    return CommandFailed(
        f"The artifact store {where} can't be used: {why}.",
        "Call it where the worker or the server runs, with their settings,",
        f"or set {variable('artifacts')} (and credentials, where it is a bucket).",
        code=ExitCode.USAGE,
    )
