"""The server's door for uncommitted changes that are to be planned: kept as an artifact, under what they are."""

import asyncio
import hashlib

from starter.api import Call
from starter.api_messages import WorkingCopy, WorkingCopyKept
from starter.artifact_blobs import open_blobs

WORKING_COPY_LIMIT = 3 * 1024 * 1024
"""Bytes of a body; the patch in it is a quarter smaller."""


async def keep_working_copy(call: Call, sent: WorkingCopy) -> WorkingCopyKept:
    """Keep them for the worker; no log of the server shows them, and `/logs/` shows nothing that lies there."""
    await call.require_served(sent.repository)
    key = working_copy_key(sent.patch)
    blobs = open_blobs(call.connection.settings)
    await asyncio.to_thread(blobs.write, key, sent.patch, "text/x-patch")
    return WorkingCopyKept(key=key)


def working_copy_key(patch: bytes) -> str:
    return f"working-copies/{hashlib.sha256(patch).hexdigest()}.patch"
