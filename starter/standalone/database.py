"""The file in which a standalone Temporal keeps everything: whether it can be used, told before anything starts."""

import os
import sqlite3
from pathlib import Path

from starter.exit_codes import CommandFailed

_FOR_A_LOCK = 2.0


def check_database(path: Path) -> None:
    """Nothing to check where there is none yet.

    Raises:
        CommandFailed: it can't be read or written, it is no database, or another process has it.
    """
    if not path.exists():
        return
    if holders := _holders(path):
        raise CommandFailed(
            f"{path} is in use by {', '.join(holders)}.",
            "Two Temporal servers on one database damage it: end that one first.",
        )
    try:
        connection = sqlite3.connect(path.absolute().as_uri() + "?mode=rw", uri=True, timeout=_FOR_A_LOCK)
        try:
            connection.execute("BEGIN IMMEDIATE")
            connection.execute("SELECT count(*) FROM sqlite_master").fetchone()
            connection.rollback()
        finally:
            connection.close()
    except sqlite3.Error as error:
        raise _unusable(path, str(error)) from error


def _unusable(path: Path, why: str) -> CommandFailed:
    if "locked" in why:
        return CommandFailed(f"{path} is locked by another process.", "End it, or wait, and try again.")
    if "not a database" in why or "malformed" in why:
        return CommandFailed(
            f"{path} is damaged: {why}.",
            "It holds the history of what was deployed: bring it back from a backup, or move it away and begin anew.",
        )
    return CommandFailed(f"{path} can't be used: {why}.", f"Who may read and write it: ls -l {path}")


def _holders(path: Path) -> list[str]:
    """The processes of this person that have the file open."""
    wanted = path.resolve()
    return [
        f"process {pid} ({_command(pid)})"
        for pid in (int(entry.name) for entry in Path("/proc").iterdir() if entry.name.isdigit())
        if pid != os.getpid() and _has_open(pid, wanted)
    ]


def _has_open(pid: int, wanted: Path) -> bool:
    try:
        return any(entry.readlink() == wanted for entry in (Path("/proc") / str(pid) / "fd").iterdir())
    except OSError:  # gone, or of somebody else
        return False


def _command(pid: int) -> str:
    try:
        words = (Path("/proc") / str(pid) / "cmdline").read_bytes().decode(errors="replace").split("\0")
    except OSError:
        return "ended"
    return " ".join([Path(words[0]).name, *words[1:3]])[:80]
