"""Tells the states that Terraform has left in a work tree from files of that name that somebody has committed."""

import asyncio
import hashlib
from collections.abc import Sequence
from pathlib import Path

from activities.processes import run_process
from docustack.unwritten_states import ERRORED


def digest(document: bytes) -> str:
    return hashlib.sha256(document).hexdigest()[:16]


async def not_committed(root: Path, found: Sequence[Path]) -> list[Path]:
    """Of these files those that no commit has brought: Terragrunt copies what lies beside a module, too."""
    if not found:
        return []
    command = ["git", "-C", str(root), "ls-files", "-z", "--", f":(glob)**/{ERRORED}"]
    listed = await run_process(command)
    committed = [root / name for name in listed.stdout.split("\0") if name]

    def look() -> list[Path]:
        brought = {digest(path.read_bytes()) for path in committed if path.is_file()}
        return [path for path in found if digest(path.read_bytes()) not in brought]

    return await asyncio.to_thread(look)
