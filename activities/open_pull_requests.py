"""Finds the workflows of open pull requests, and tells them what happened elsewhere that concerns their plans."""

import asyncio
from collections.abc import Sequence

from temporalio import activity
from temporalio.client import Client
from temporalio.service import RPCError, RPCStatusCode

from docustack.lock_messages import UNITS_FREED_SIGNAL, UnitsFreed
from docustack.model import Model, Nothing
from docustack.repository import Repository
from docustack.visibility import open_pull_requests

_AT_ONCE = 20


class OpenPullRequestWorkflows:
    """Asks Temporal's visibility, not a list in anybody's memory: what runs is found, whoever has been restarted.

    Visibility is a second or so behind: who has just made a plan may not be found by it yet.
    """

    def __init__(self, client: Client) -> None:
        self._client = client

    async def find(
        self, repository: Repository, units: Sequence[str] | None = None, *, base_ref: str = ""
    ) -> list[str]:
        """Workflow ids; with `units` of those that have a plan of one of them, or of more units than can be asked."""
        query = open_pull_requests(repository, units, base_ref)
        return sorted({execution.id async for execution in self._client.list_workflows(query)})

    @activity.defn
    async def tell_freed(self, freed: UnitsFreed) -> Nothing:
        """Tell those that have plans for units which a pull request has given up."""
        await self.tell(freed.repository, UNITS_FREED_SIGNAL, freed, freed.units)
        return Nothing()

    async def tell(
        self,
        repository: Repository,
        signal: str,
        message: Model,
        units: Sequence[str] | None = None,
        *,
        base_ref: str = "",
    ) -> list[str]:
        """Signal each of them; those that are told twice, by a retry, have to know the message again."""
        found = await self.find(repository, units, base_ref=base_ref)
        gate = asyncio.Semaphore(_AT_ONCE)

        async def tell_one(workflow_id: str) -> None:
            async with gate:
                try:
                    await self._client.get_workflow_handle(workflow_id).signal(signal, message)
                except RPCError as error:
                    if error.status is not RPCStatusCode.NOT_FOUND:  # closed since: nobody need hear it
                        raise

        await asyncio.gather(*(tell_one(workflow_id) for workflow_id in found))
        return found
