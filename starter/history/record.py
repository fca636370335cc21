"""The record of imported histories: in the artifact store of an installation, each under the digest of its content."""

import hashlib
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from temporalio.client import WorkflowHistory

from starter.exit_codes import CommandFailed, ExitCode
from starter.history.manifest import MANIFEST, HistoryEntry, Manifest, digest, read_manifest

if TYPE_CHECKING:  # its libraries take a while to load, and most commands never open a store
    from activities.artifacts import Blobs

_PREFIX = "imported/"
_MANIFESTS = f"{_PREFIX}manifests/"


@dataclass
class Imported:
    new: int = 0
    unchanged: int = 0


class Record:
    """Nothing in it is ever overwritten: who imports more adds a manifest and the histories that it names."""

    def __init__(self, blobs: "Blobs") -> None:
        self._blobs = blobs

    def entries(self) -> dict[tuple[str, str], HistoryEntry]:
        """By workflow and run; of one that was imported twice, the longer history."""
        found: dict[tuple[str, str], HistoryEntry] = {}
        for key in self._blobs.list(_MANIFESTS):
            for entry in Manifest.model_validate_json(self._blobs.read(key)).histories:
                before = found.get(entry.key)
                if before is None or entry.events > before.events:
                    found[entry.key] = entry
        return found

    def history(self, entry: HistoryEntry) -> WorkflowHistory:
        """Raises CommandFailed: what is kept is no longer what was imported."""
        try:
            text = self._blobs.read(_key(entry)).decode()
        except (LookupError, UnicodeDecodeError):  # `ArtifactMissing`
            text = ""
        if digest(text) != entry.sha256:
            raise CommandFailed(
                f"The imported history of {entry.workflow_id} is missing or damaged: {_key(entry)}.",
                "Import its folder once more.",
            )
        return WorkflowHistory.from_json(entry.workflow_id, text)

    def take(self, folder: Path) -> Imported:
        """All histories of a folder, or none: each is verified before the first one is kept.

        Raises:
            CommandFailed: USAGE, it is no folder of exported histories; FAILED with all that is wrong in it.
        """
        manifest = read_manifest(folder)
        if manifest is None:
            raise CommandFailed(
                f"{folder} has no {MANIFEST}.",
                "Name the folder that `history export` has written.",
                code=ExitCode.USAGE,
            )
        known = self.entries()
        texts = {entry.key: _verified(folder, entry) for entry in manifest.histories}
        problems = [text.what for text in texts.values() if isinstance(text, _Problem)]
        problems += [
            f"{entry.file}: another history of this run was imported before"
            for entry in manifest.histories
            if entry.key in known
            and isinstance(text := texts[entry.key], str)
            and not self._continues(known[entry.key], entry, text)
        ]
        if problems:
            raise CommandFailed(
                f"Nothing was imported: {len(problems)} of {len(texts)} histories are wrong.", *problems
            )
        counts = Imported()
        for entry in manifest.histories:
            is_new = entry.key not in known or known[entry.key].events < entry.events
            counts.new, counts.unchanged = counts.new + is_new, counts.unchanged + (not is_new)
            self._blobs.write(_key(entry), str(texts[entry.key]).encode(), "application/json")
        content = manifest.model_dump_json(indent=2).encode()
        self._blobs.create(f"{_MANIFESTS}{hashlib.sha256(content).hexdigest()}.json", content)
        return counts

    def _continues(self, before: HistoryEntry, entry: HistoryEntry, text: str) -> bool:
        """Whether of two histories of one run the shorter is the beginning of the longer."""
        if before.sha256 == entry.sha256:
            return True
        one, other = self.history(before).events, WorkflowHistory.from_json(entry.workflow_id, text).events
        return all(mine == theirs for mine, theirs in zip(one, other, strict=False))


@dataclass(frozen=True)
class _Problem:
    what: str


def _key(entry: HistoryEntry) -> str:
    return f"{_PREFIX}histories/{entry.sha256}.json"


def _verified(folder: Path, entry: HistoryEntry) -> "str | _Problem":
    path = folder / entry.file
    try:
        if not path.resolve().is_relative_to(folder.resolve()):
            return _Problem(f"{entry.file}: lies outside the folder")
        text = path.read_text(encoding="utf-8")
    except FileNotFoundError:
        return _Problem(f"{entry.file}: is missing")
    except (OSError, UnicodeDecodeError) as error:
        return _Problem(f"{entry.file}: can't be read ({type(error).__name__})")
    if digest(text) != entry.sha256:
        return _Problem(f"{entry.file}: isn't what was exported, its checksum is another")
    try:
        events = WorkflowHistory.from_json(entry.workflow_id, text).events
    except Exception as error:
        return _Problem(f"{entry.file}: is no history of Temporal ({type(error).__name__})")
    started = events[0].workflow_execution_started_event_attributes if events else None
    if started is None or started.workflow_type.name != entry.workflow_type:
        return _Problem(f"{entry.file}: is no history of a {entry.workflow_type}")
    if started.workflow_id not in ("", entry.workflow_id) or len(events) != entry.events:
        return _Problem(f"{entry.file}: is the history of another workflow than the manifest says")
    return text
