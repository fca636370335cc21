"""Keeps a stand-in's records in one SQLite file, so that a killed one goes on with the same data."""

import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from threading import RLock
from typing import TypeVar

from pydantic import BaseModel

SCHEMA = """
CREATE TABLE IF NOT EXISTS record (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    kind TEXT NOT NULL,
    within TEXT NOT NULL,
    body TEXT NOT NULL
);
CREATE INDEX IF NOT EXISTS record_within ON record (kind, within, id);
"""


class Record(BaseModel):
    """One stored thing. An id of 0 means that it has not been stored yet."""

    id: int = 0

    @property
    def within(self) -> str:
        """What the record belongs to: the store can list by it."""
        return ""


R = TypeVar("R", bound=Record)


class Store:
    """All records of one stand-in; one transaction at a time, whichever thread asks."""

    def __init__(self, path: Path) -> None:
        self._lock = RLock()
        self._depth = 0
        self._database = sqlite3.connect(path, check_same_thread=False, isolation_level=None)
        self._database.execute("PRAGMA journal_mode = WAL")
        # Safe against a killed process; only a power cut can take the last transactions.
        self._database.execute("PRAGMA synchronous = NORMAL")
        self._database.executescript(SCHEMA)

    @contextmanager
    def transaction(self) -> Iterator[None]:
        """All or nothing, and nobody else in between. May be nested: an inner one fails alone if it is caught."""
        with self._lock:
            begin, commit, rollback = _statements(self._depth)
            self._run(begin)
            self._depth += 1
            try:
                yield
            except BaseException:
                self._run(rollback)
                raise
            else:
                self._run(commit)
            finally:
                self._depth -= 1

    def _run(self, statements: str) -> None:
        for statement in statements.split(";"):
            self._database.execute(statement)

    def add(self, record: R) -> R:
        """Store a new record and give it its id."""
        with self.transaction():
            cursor = self._database.execute(
                "INSERT INTO record (kind, within, body) VALUES (?, ?, '')", (type(record).__name__, record.within)
            )
            stored = record.model_copy(update={"id": cursor.lastrowid})
            self.save(stored)
        return stored

    def save(self, record: Record) -> None:
        """Store what has changed in a record."""
        with self.transaction():
            self._database.execute(
                "UPDATE record SET within = ?, body = ? WHERE id = ? AND kind = ?",
                (record.within, record.model_dump_json(), record.id, type(record).__name__),
            )

    def remove(self, record: Record) -> None:
        with self.transaction():
            self._database.execute("DELETE FROM record WHERE id = ?", (record.id,))

    def find(self, kind: type[R], record_id: int) -> R | None:
        with self._lock:
            row = self._database.execute(
                "SELECT body FROM record WHERE id = ? AND kind = ?", (record_id, kind.__name__)
            ).fetchone()
        return kind.model_validate_json(row[0]) if row else None

    def all(self, kind: type[R], within: str | None = None) -> list[R]:
        """The records of one kind, oldest first; with `within`, only those that belong to it."""
        query, values = "SELECT body FROM record WHERE kind = ?", [kind.__name__]
        if within is not None:
            query, values = query + " AND within = ?", [*values, within]
        with self._lock:
            rows = self._database.execute(query + " ORDER BY id", values).fetchall()
        return [kind.model_validate_json(body) for (body,) in rows]

    def first(self, kind: type[R], within: str) -> R | None:
        with self._lock:
            row = self._database.execute(
                "SELECT body FROM record WHERE kind = ? AND within = ? ORDER BY id LIMIT 1", (kind.__name__, within)
            ).fetchone()
        return kind.model_validate_json(row[0]) if row else None

    def close(self) -> None:
        with self._lock:
            self._database.close()


def _statements(depth: int) -> tuple[str, str, str]:
    """Begin, commit and roll back a transaction that lies in `depth` others."""
    if depth == 0:
        return "BEGIN IMMEDIATE", "COMMIT", "ROLLBACK"
    name = f"inner{depth}"
    return f"SAVEPOINT {name}", f"RELEASE {name}", f"ROLLBACK TO {name};RELEASE {name}"
