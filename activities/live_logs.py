"""Keeps how far a running apply is as a text that people may read meanwhile; it never disturbs the apply."""

import asyncio
import contextlib
import json
from pathlib import Path

from temporalio import activity

from activities.artifacts import ArtifactStore
from activities.terragrunt_messages import ApplyRequest
from docustack.plans import Change, PlanRecord, changes_of, live_log
from docustack.progress_lines import progress_lines
from docustack.terragrunt_errors import clean_output

_EVERY = 1.0
_KEPT = 500
"""Lines that are kept: who looks at a running apply looks at its end."""


class LiveLogs:
    """The texts lie where `live_log` says, written anew whenever there is something new to tell."""

    def __init__(self, artifacts: ArtifactStore) -> None:
        self._artifacts = artifacts

    async def keep(self, request: ApplyRequest, log: Path) -> None:
        """Until it is cancelled, which is when the apply has ended and its whole log is there."""
        try:
            known = await self._addresses(request.plan)
            read, rest, told = 0, b"", [""]
            while True:
                new = await asyncio.to_thread(_new_bytes, log, read)
                read += len(new)
                whole, _, rest = (rest + new).rpartition(b"\n")
                more = [*progress_lines(clean_output(whole.decode(errors="replace")).splitlines(), known)]
                if more:
                    told = [*told, *more][-_KEPT:]
                    key = live_log(request.tree.run_id, request.unit)
                    await self._artifacts.put_text(key, "\n".join(told).lstrip("\n") + "\n")
                await asyncio.sleep(_EVERY)
        except Exception as error:
            activity.logger.warning("what %s does at the moment can't be shown: %s", request.unit, error)

    async def _addresses(self, plan: PlanRecord) -> set[str]:
        """As people could read them in the plan; a secret in one of them has been taken out there."""
        with contextlib.suppress(LookupError, ValueError):
            triples = json.loads(await self._artifacts.get_text(changes_of(plan)))
            return {Change.model_validate(each).address for each in triples}
        return set()


def _new_bytes(log: Path, read: int) -> bytes:
    with contextlib.suppress(FileNotFoundError), log.open("rb") as file:
        file.seek(read)
        return file.read()
    return b""
