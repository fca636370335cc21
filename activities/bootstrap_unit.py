"""The bootstrap unit on this host: its file as a step needs it, its local state in place, one process at a time."""

import asyncio
import shutil
import sys
from contextlib import AbstractAsyncContextManager
from dataclasses import replace
from pathlib import Path

from temporalio.exceptions import ApplicationError

from activities import lock_holder
from activities.apply_folder import ApplyFolder
from activities.bootstrap_messages import BootstrapUnit, KeptState
from activities.failures import failure
from activities.file_lock import file_lock
from activities.git import Git
from activities.kept_states import KeptStates
from activities.open_units import OpenUnits
from activities.processes import run_process
from activities.terragrunt_command import TerragruntCommand
from activities.unit_work import Unit, unit_failure
from docustack.bootstrap import bootstrap_folder
from docustack.bootstrap_file import FILE, edited
from docustack.errors import ConfigurationError, ErrorType
from docustack.state_document import StateFacts, state_facts
from docustack.terragrunt_errors import classify, clean_output

STATE = "terraform.tfstate"


class BootstrapUnits:
    """Puts `terragrunt.hcl` and the local state in place for a step: it can be done on any host, after any crash.

    A file lock, which the parent of Terraform's process holds with us, keeps a retry from meeting the one before it.
    """

    def __init__(
        self, *, git: Git, units: OpenUnits, command: TerragruntCommand, kept: KeptStates, data_dir: Path
    ) -> None:
        self._git = git
        self._units = units
        self._command = command
        self._kept = kept
        self._data_dir = data_dir.absolute()

    def alone(self, request: BootstrapUnit) -> AbstractAsyncContextManager[int]:
        """While it is held no Terraform of this account's bootstrap works on this host."""
        return file_lock(self._data_dir / f"bootstrap-{request.environment.account_id}.lock")

    async def check_out(self, request: BootstrapUnit) -> Unit:
        """The unit as it lies here now."""
        return await self._units.open(request, changes=True)

    async def open(self, request: BootstrapUnit, lock: int) -> Unit:
        """The unit with its file as this step needs it, and with the local state if that is where its state is."""
        unit = await self.check_out(request)
        await self.write_file(unit, request, remote_state=request.remote_state)
        if not request.remote_state:
            await self._put_local_state(unit, lock)
        return unit

    async def write_file(self, unit: Unit, request: BootstrapUnit, *, remote_state: bool) -> None:
        mirror = self._git.mirror(request.tree.repository)
        text = (await mirror.read_files(request.tree.tree_commit, [FILE])).get(FILE, "")
        try:
            wanted = edited(text, remote_state=remote_state, account_id=request.account_id)
        except ConfigurationError as error:
            raise failure(ErrorType.CONFIGURATION, str(error)) from None
        path = unit.root / FILE
        if await asyncio.to_thread(path.read_text) != wanted:
            await asyncio.to_thread(path.write_text, wanted)

    async def clear(self, unit: Unit) -> None:
        """The unit as it was checked out: no state, no pointer to a bucket; what bootstraps have left here is kept.

        Nothing of a dry run is: it has work trees of its own.

        Raises:
            ApplicationError: UNAVAILABLE (retried), an apply of an earlier bootstrap still works here.
        """
        trees = self._git.work_trees_of(bootstrap_folder(unit.request.environment.account_id))
        if await asyncio.to_thread(self._is_applied_in, trees):
            raise failure(
                ErrorType.UNAVAILABLE,
                "An apply of an earlier bootstrap of this account still works. It is waited for; if nobody attends it, "
                "it ends by itself (DOCUSTACK_APPLY_LEASE).",
            )
        for root in sorted(trees, key=lambda tree: tree.stat().st_mtime):
            await self.keep(replace(unit, root=root, folder=root / unit.request.unit))
        await asyncio.to_thread(_forget_preparation, unit)

    async def keep(self, unit: Unit) -> KeptState | None:
        """Put the local state into the artifact store; None where there is none."""
        document = await asyncio.to_thread(local_state, unit)
        if document is None:
            return None
        return await self._kept.keep(unit.request.environment.account_id, document)

    async def run(self, unit: Unit, argv: list[str], lock: int) -> None:
        """Raises an `ApplicationError` with what Terraform has said."""
        held = [sys.executable, "-I", lock_holder.__file__, str(lock), *argv]
        done = await run_process(held, cwd=unit.folder, environ=unit.environ, lock=lock)
        if done.code != 0:
            raise failed(" ".join(["terragrunt", *argv[1:3]]), done.stdout + done.stderr)

    async def _put_local_state(self, unit: Unit, lock: int) -> None:
        """Whichever is newer, the one that lies here or the one that was kept."""
        kept = await self._kept.newest(unit.request.environment.account_id)
        if kept is None or _is_newer(await asyncio.to_thread(local_state, unit), kept.kept.facts):
            return
        if not await asyncio.to_thread(unit.prepared):
            await self.run(unit, self._command.init(), lock)
        await asyncio.to_thread(write_state, unit.prepared()[0] / STATE, kept.document)

    def _is_applied_in(self, trees: list[Path]) -> bool:
        folders = [ApplyFolder(path) for path in (self._data_dir / "applies").glob("*")]
        return any(folder.works_in(tree) for tree in trees for folder in folders)


def failed(command: str, output: str) -> ApplicationError:
    found = classify(clean_output(output), command, "bootstrap")
    return unit_failure(found.type, found.message)


def local_state(unit: Unit) -> str | None:
    """The local state where Terragrunt has put it: beside the module in its cache; None where there is none.

    A migration leaves an empty file.
    """
    for folder in unit.prepared():
        path = folder / STATE
        if path.is_file() and path.stat().st_size:
            return path.read_text()
    return None


def write_state(path: Path, document: str) -> None:
    path.touch(mode=0o600)
    path.write_text(document)


def _is_newer(local: str | None, kept: StateFacts) -> bool:
    return local is not None and state_facts(local).is_later_of_same(kept)


def _forget_preparation(unit: Unit) -> None:
    """What `init` has made here, the pointer to the bucket in it; the states that lie here were kept before."""
    for name in (".terragrunt-cache", ".terraform"):
        shutil.rmtree(unit.folder / name, ignore_errors=True)
