"""Removes the work trees that runs have left on this host: terminated ones, and those that have moved to another."""

import asyncio
import logging
from collections.abc import Awaitable, Callable
from datetime import timedelta
from pathlib import Path

from temporalio.client import Client, WorkflowExecutionStatus
from temporalio.service import RPCError, RPCStatusCode

from activities.apply_folder import ApplyFolder
from activities.git import Git
from docustack.bootstrap import account_of_folder, bootstrap_workflow_id

log = logging.getLogger("docustack.work_trees")

EVERY = timedelta(hours=1)


class LeftWorkTrees:
    """A run removes its own trees at its end, where it can; what is left after that nobody will ask for again."""

    def __init__(
        self,
        git: Git,
        is_running: Callable[[str], Awaitable[bool]],
        data_dir: Path,
        bring_home: Callable[[], Awaitable[None]] | None = None,
    ) -> None:
        """`bring_home`: what else had to stay on this host for a while."""
        self._bring_home = bring_home
        self._git = git
        self._is_running = is_running
        self._applies = data_dir.absolute() / "applies"

    async def sweep_for_good(self) -> None:
        """At once, and then every hour."""
        while True:
            try:
                if swept := await self.sweep():
                    log.info("Removed work trees of runs that have ended: %s", ", ".join(swept))
                if self._bring_home is not None:
                    await self._bring_home()
            except Exception as error:
                log.warning("What is left on this host could not be swept: %s", error)
            await asyncio.sleep(EVERY.total_seconds())

    async def sweep(self) -> list[str]:
        """The folders that were removed."""
        left = [folder for folder in sorted(await self._git.kept_folders()) if not await self._is_needed(folder)]
        for folder in left:
            await self._git.drop(folder)
        return left

    async def _is_needed(self, folder: str) -> bool:
        run = folder.removesuffix("-base").removesuffix("-now")
        return await self._is_running(run) or await asyncio.to_thread(self._is_applied_in, folder)

    def _is_applied_in(self, folder: str) -> bool:
        """A run that was terminated doesn't take its Terraform with it: that has its lease."""
        folders = [ApplyFolder(path) for path in self._applies.glob("*")]
        return any(apply.works_in(tree) for tree in self._git.work_trees_of(folder) for apply in folders)


async def is_running(client: Client, folder: str) -> bool:
    """Asked of Temporal itself, not of its visibility, which comes late."""
    account_id = account_of_folder(folder)
    workflow_id = bootstrap_workflow_id(account_id) if account_id else f"run:{folder}"
    try:
        described = await client.get_workflow_handle(workflow_id).describe()
    except RPCError as error:
        if error.status is RPCStatusCode.NOT_FOUND:
            return False
        raise
    return described.status is WorkflowExecutionStatus.RUNNING
