"""Shows the logs and texts of runs, which comments link to; never a saved plan or its JSON."""

import asyncio
from pathlib import PurePosixPath

from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response

from activities.artifacts import ArtifactMissing, Blobs
from starter.artifact_blobs import open_blobs
from worker.settings import Settings

_SHOWN = (".log", ".txt")
_HEADERS = {
    "X-Content-Type-Options": "nosniff",
    "Content-Security-Policy": "default-src 'none'; sandbox",
    "Cache-Control": "private, no-store",
    "Referrer-Policy": "no-referrer",
}


class Logs:
    """The endpoint `/logs/<key>`.

    There is no sign-in: who has the link may read. A key holds its run's id, which can't be guessed, and stands only
    where the plan itself stands too, in the pull request; what lies under it was redacted before it was stored. Whoever
    wants more puts the server's `/logs/` behind a proxy that asks who comes.
    """

    def __init__(self, blobs: Blobs) -> None:
        self._blobs = blobs

    async def show(self, request: Request) -> Response:
        """One text, or 404 for everything that is none."""
        key = request.path_params["key"]
        try:
            if not is_shown(key):
                raise ArtifactMissing(key)
            text = await asyncio.to_thread(self._blobs.read, key)
        except (ArtifactMissing, OSError):
            return PlainTextResponse("There is no such log; it may have been removed.\n", 404, headers=_HEADERS)
        return PlainTextResponse(text, headers=_HEADERS)


def is_shown(key: str) -> bool:
    """Whether a key is that of a run's log or text, and can't lead anywhere else."""
    parts = key.split("/")
    plain = all(part and part.isprintable() and not part.startswith(".") and "\\" not in part for part in parts)
    return plain and len(parts) >= 3 and parts[0] == "runs" and PurePosixPath(key).suffix in _SHOWN


def open_logs(settings: Settings) -> Logs:
    """The logs of the configured artifact store."""
    return Logs(open_blobs(settings))
