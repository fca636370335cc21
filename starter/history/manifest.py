"""The folder of exported histories: a manifest, and beside it each history as Temporal's own JSON."""

import hashlib
import os
from collections.abc import Iterable
from datetime import datetime
from pathlib import Path
from typing import Any
from urllib.parse import quote

from pydantic import ValidationError

from docustack.model import Model
from starter.exit_codes import CommandFailed, ExitCode

MANIFEST = "manifest.json"
FORMAT = 1
OPEN = "RUNNING"
_LONGEST_NAME = 200


class HistoryEntry(Model):
    """One run of a workflow, as it was when it was exported."""

    workflow_id: str
    run_id: str
    workflow_type: str
    status: str  # as Temporal names it: COMPLETED, FAILED, RUNNING, …
    task_queue: str = ""
    started_at: datetime
    closed_at: datetime | None = None
    events: int
    search_attributes: dict[str, Any] = {}
    memo: dict[str, Any] = {}  # payloads as Temporal holds them: a codec may have encrypted them
    file: str  # below the folder
    sha256: str

    @property
    def key(self) -> tuple[str, str]:
        return self.workflow_id, self.run_id


class Manifest(Model):
    format: int = FORMAT
    namespace: str = ""
    histories: tuple[HistoryEntry, ...] = ()


def file_of(workflow_id: str, run_id: str) -> str:
    """Where a history lies; whatever a workflow's id holds, it is one name of a folder."""
    name = quote(workflow_id, safe="").replace(".", "%2E")
    if len(name) > _LONGEST_NAME:
        name = f"{name[:100]}-{hashlib.sha256(workflow_id.encode()).hexdigest()}"
    return f"histories/{name}/{run_id}.json"


def digest(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()


def read_manifest(folder: Path) -> Manifest | None:
    """None where there is none.

    Raises:
        CommandFailed: USAGE, it can't be read, or a later version has written it.
    """
    path = folder / MANIFEST
    try:
        manifest = Manifest.model_validate_json(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        return None
    except (OSError, UnicodeDecodeError, ValidationError) as error:
        raise CommandFailed(
            f"{path} can't be read: it is damaged, or no manifest of exported histories ({type(error).__name__}).",
            "Bring it back, or export into an empty folder.",
            code=ExitCode.USAGE,
        ) from error
    if manifest.format > FORMAT:
        raise CommandFailed(
            f"{path} has the format {manifest.format}; this version knows {FORMAT}.",
            "Use the version of docustack that exported it, or a later one.",
            code=ExitCode.USAGE,
        )
    return manifest


def write_manifest(folder: Path, namespace: str, entries: Iterable[HistoryEntry]) -> None:
    """In the order of their start; the same entries give the same bytes."""
    ordered = sorted(entries, key=lambda entry: (entry.started_at, entry.key))
    manifest = Manifest(namespace=namespace, histories=tuple(ordered))
    write_whole(folder / MANIFEST, manifest.model_dump_json(indent=2) + "\n")


def write_whole(path: Path, text: str) -> None:
    """A file appears whole or not at all."""
    path.parent.mkdir(parents=True, exist_ok=True)
    draft = path.with_name(f".{path.name}.new")
    with os.fdopen(os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "w", encoding="utf-8") as file:
        file.write(text)
        file.flush()
        os.fsync(file.fileno())
    draft.replace(path)
