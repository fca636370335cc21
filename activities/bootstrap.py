"""The guide's "Bootstrap State Backend" on one unit: with local state, then with its state in the bucket it made."""

import asyncio
import json
import shutil
import tempfile
from contextlib import AbstractAsyncContextManager
from dataclasses import replace
from pathlib import Path

from temporalio import activity
from temporalio.exceptions import ApplicationError

from activities.apply_folder import ApplyFolder
from activities.artifacts import ArtifactStore
from activities.bootstrap_messages import (
    Adopt,
    Adopted,
    BootstrapApply,
    BootstrapPlan,
    BootstrapUnit,
    KeptState,
    KeptStateAnswer,
    MigratedState,
    MigrateState,
)
from activities.dependency_outputs import TerragruntFailed
from activities.failures import failure
from activities.file_lock import file_lock
from activities.git import Git
from activities.kept_states import KeptDocument, KeptStates
from activities.processes import run_process
from activities.state_backend import Aws, read_state
from activities.terragrunt import Terragrunt
from activities.terragrunt_command import TerragruntCommand
from activities.terragrunt_messages import ApplyAnswer, ApplyRequest, PlanAnswer, PlanRequest
from activities.unit_work import Unit, heartbeats, unit_failure
from docustack.bootstrap_file import FILE, edited
from docustack.errors import ConfigurationError, ErrorType
from docustack.plan_document import Json
from docustack.state_backend import BackendPlace, adoptions
from docustack.state_document import StateFacts, state_facts
from docustack.terragrunt_errors import classify, clean_output

_STATE = "terraform.tfstate"


class Bootstrap:
    """Plans and applies by the same `Terragrunt` as every run; what is its own is where the state lies.

    Each activity puts `terragrunt.hcl` and the local state in place first, so it can be done on any host, after any
    crash. A file lock, which Terraform's process holds with us, keeps a retry from meeting the attempt before it.
    """

    def __init__(
        self,
        *,
        git: Git,
        terragrunt: Terragrunt,
        command: TerragruntCommand,
        artifacts: ArtifactStore,
        data_dir: Path,
    ) -> None:
        self._git = git
        self._terragrunt = terragrunt
        self._units = terragrunt.units
        self._reader = terragrunt.reader
        self._command = command
        self._artifacts = artifacts
        self._kept = KeptStates(artifacts)
        self._data_dir = data_dir.absolute()

    @activity.defn
    @heartbeats
    async def read_backend(self, request: BootstrapUnit) -> BackendPlace:
        """Where the unit's state is to lie, as Terragrunt reads it with the account of the environment.

        The first to touch the unit: what a bootstrap that was terminated has left here is kept, and cleared away.

        Raises:
            ApplicationError: CONFIGURATION, `remote_state` names no bucket; UNAVAILABLE (retried), an apply of an
                earlier bootstrap still works here.
        """
        with_state = request.model_copy(update={"remote_state": True})
        async with self._alone(request) as lock:
            await self._clear(await self._units.open(request, changes=True))
            unit = await self._open(with_state, lock)
            try:
                rendered = await self._reader.render(unit.folder, unit.environ)
            except TerragruntFailed as error:
                raise self._failed(request, error.command, error.output) from None
        return _place(rendered.remote_state or {}, rendered.inputs, request, unit)

    @activity.defn
    @heartbeats
    async def plan_bootstrap(self, request: BootstrapPlan) -> PlanAnswer:
        """As any plan; with the local state where there is one."""
        async with self._alone(request) as lock:
            await self._open(request, lock)
        return await self._terragrunt.plan_unit(PlanRequest.model_validate(request.model_dump()))

    @activity.defn
    async def apply_bootstrap(self, request: BootstrapApply) -> ApplyAnswer:
        """As any apply: under a runner that outlives the worker, once."""
        return await self._terragrunt.apply_unit(ApplyRequest.model_validate(request.model_dump()))

    @activity.defn
    @heartbeats
    async def adopt(self, request: Adopt) -> Adopted:
        """Import what the plan would create although it is there; what the state has by now is not imported again."""
        document: dict[str, Json] = json.loads(await self._artifacts.get_text(request.plan.json_document))
        wanted = adoptions(document, request.place, request.facts)
        async with self._alone(request) as lock:
            unit = await self._open(request, lock)
            for adoption in wanted:
                local = await asyncio.to_thread(_local_state, unit)
                if local is None or adoption.address not in state_facts(local).addresses:
                    await self._run(unit, self._command.adopt(adoption.address, adoption.id), lock)
            await self._keep(unit)
        return Adopted(adoptions=tuple(wanted))

    @activity.defn
    @heartbeats
    async def keep_local_state(self, request: BootstrapUnit) -> KeptStateAnswer:
        """Put the local state into the artifact store, as it lies in Terragrunt's cache folder."""
        async with self._alone(request):
            unit = await self._units.open(request, changes=True)
            return KeptStateAnswer(kept=await self._keep(unit))

    @activity.defn
    @heartbeats
    async def migrate_state(self, request: MigrateState) -> MigratedState:
        """`terragrunt init -migrate-state`, if the bucket has no state yet; then both states are read.

        Terraform gives a state that comes into an empty place another lineage and the serial 1 (seen with 1.11.4). The
        local one is written over it, so that the state keeps its identity.
        """
        async with self._alone(request) as lock:
            local = await self._kept.newest(request.environment.account_id)
            if local is None:
                raise failure(ErrorType.NOT_FOUND, "There is no local state that could be migrated.")
            unit = await self._units.open(request, changes=True)
            aws = Aws(unit.environ, request.place.region)
            if not await asyncio.to_thread(read_state, aws, request.place):
                await self._open(request.model_copy(update={"remote_state": False}), lock)
                await self._write_file(unit, request)
                await self._run(unit, self._command.migrate_state(), lock)
            else:
                await self._open(request, lock)
            remote = await self._facts(aws, request.place)
            if remote.holds_the_same(local.kept.facts) and remote.lineage != local.kept.facts.lineage:
                await self._give_identity(unit, local, lock)
                remote = await self._facts(aws, request.place)
            return MigratedState(local=local.kept.facts, remote=remote)

    @activity.defn
    @heartbeats
    async def restore_local_state(self, request: BootstrapUnit) -> KeptStateAnswer:
        """Undo of a migration: the unit has its local state again, as it was kept; in AWS nothing is touched."""
        without = request.model_copy(update={"remote_state": False})
        async with self._alone(request) as lock:
            await self._clear(await self._units.open(request, changes=True))
            unit = await self._open(without, lock)
            local = await asyncio.to_thread(_local_state, unit)
            kept = await self._kept.newest(request.environment.account_id)
        if kept is not None and (local is None or state_facts(local) != kept.kept.facts):
            raise failure(ErrorType.FAILED, f"The local state could not be restored from {kept.kept.artifact}.")
        return KeptStateAnswer(kept=kept.kept if kept is not None else None)

    @activity.defn
    @heartbeats
    async def newest_local_state(self, request: BootstrapUnit) -> KeptStateAnswer:
        """What an earlier bootstrap of the account has kept."""
        kept = await self._kept.newest(request.environment.account_id)
        return KeptStateAnswer(kept=kept.kept if kept is not None else None)

    def _alone(self, request: BootstrapUnit) -> AbstractAsyncContextManager[int]:
        return file_lock(self._data_dir / f"bootstrap-{request.environment.account_id}.lock")

    async def _open(self, request: BootstrapUnit, lock: int) -> Unit:
        """The unit with its file as this step needs it, and with the local state if that is where its state is."""
        unit = await self._units.open(request, changes=True)
        await self._write_file(unit, request)
        if not request.remote_state:
            await self._put_local_state(unit, lock)
        return unit

    async def _write_file(self, unit: Unit, request: BootstrapUnit) -> None:
        mirror = self._git.mirror(request.tree.repository)
        text = (await mirror.read_files(request.tree.tree_commit, [FILE])).get(FILE, "")
        try:
            wanted = edited(text, remote_state=request.remote_state, account_id=request.account_id)
        except ConfigurationError as error:
            raise failure(ErrorType.CONFIGURATION, str(error)) from None
        path = unit.root / FILE
        if await asyncio.to_thread(path.read_text) != wanted:
            await asyncio.to_thread(path.write_text, wanted)

    async def _put_local_state(self, unit: Unit, lock: int) -> None:
        """Whichever is newer, the one that lies here or the one that was kept."""
        kept = await self._kept.newest(unit.request.environment.account_id)
        if kept is None or _is_newer(await asyncio.to_thread(_local_state, unit), kept.kept.facts):
            return
        if not await asyncio.to_thread(unit.prepared):
            await self._run(unit, self._command.init(), lock)
        await asyncio.to_thread(_write_state, unit.prepared()[0] / _STATE, kept.document)

    async def _clear(self, unit: Unit) -> None:
        """The unit as it was checked out: no state, no pointer to a bucket; what bootstraps have left here is kept."""
        trees = self._git.work_trees_of(unit.request.tree.folder)
        if await asyncio.to_thread(self._is_applied_in, trees):
            raise failure(
                ErrorType.UNAVAILABLE,
                "An apply of an earlier bootstrap of this account still works. It is waited for; if nobody attends it, "
                "it ends by itself (DOCUSTACK_APPLY_LEASE).",
            )
        for root in sorted(trees, key=lambda tree: tree.stat().st_mtime):
            await self._keep(replace(unit, root=root, folder=root / unit.request.unit))
        await asyncio.to_thread(_forget_preparation, unit)

    def _is_applied_in(self, trees: list[Path]) -> bool:
        folders = [ApplyFolder(path) for path in (self._data_dir / "applies").glob("*")]
        return any(folder.works_in(tree) for tree in trees for folder in folders)

    async def _keep(self, unit: Unit) -> KeptState | None:
        document = await asyncio.to_thread(_local_state, unit)
        if document is None:
            return None
        return await self._kept.keep(unit.request.environment.account_id, document)

    async def _facts(self, aws: Aws, place: BackendPlace) -> StateFacts:
        document = await asyncio.to_thread(read_state, aws, place)
        if not document:
            raise failure(
                ErrorType.FAILED, f"After the migration there is no state at s3://{place.bucket}/{place.key}."
            )
        return state_facts(document)

    async def _give_identity(self, unit: Unit, local: KeptDocument, lock: int) -> None:
        """Terraform writes what is pushed with the next serial."""
        document = json.loads(local.document) | {"serial": max(local.kept.facts.serial - 1, 0)}
        with tempfile.TemporaryDirectory(dir=self._data_dir) as folder:
            path = Path(folder) / _STATE
            await asyncio.to_thread(_write_state, path, json.dumps(document))
            await self._run(unit, self._command.push_state(path), lock)

    async def _run(self, unit: Unit, argv: list[str], lock: int) -> None:
        done = await run_process(argv, cwd=unit.folder, environ=unit.environ, lock=lock)
        if done.code != 0:
            raise self._failed(unit.request, " ".join(["terragrunt", *argv[1:3]]), done.stdout + done.stderr)

    def _failed(self, request: object, command: str, output: str) -> ApplicationError:
        found = classify(clean_output(output), command, "bootstrap")
        return unit_failure(found.type, found.message)


def _place(remote_state: dict[str, Json], inputs: dict[str, Json], request: BootstrapUnit, unit: Unit) -> BackendPlace:
    config = remote_state.get("config")
    found = config if isinstance(config, dict) else {}
    place = BackendPlace(
        bucket=str(found.get("bucket", "")),
        key=str(found.get("key", "")),
        lock_table=str(found.get("dynamodb_table", "")),
        region=str(found.get("region") or request.environment.region),
        over_tls=not unit.environ.get("AWS_ENDPOINT_URL", "").startswith("http://"),
    )
    if not (place.bucket and place.key and place.lock_table):
        raise failure(
            ErrorType.CONFIGURATION,
            f"`remote_state` in {FILE} has to be of the backend `s3`, with `bucket`, `key` and `dynamodb_table`.",
        )
    return place


def _local_state(unit: Unit) -> str | None:
    """The local state where Terragrunt has put it: beside the module in its cache; None where there is none.

    A migration leaves an empty file.
    """
    for folder in unit.prepared():
        path = folder / _STATE
        if path.is_file() and path.stat().st_size:
            return path.read_text()
    return None


def _is_newer(local: str | None, kept: StateFacts) -> bool:
    return local is not None and state_facts(local).is_later_of_same(kept)


def _write_state(path: Path, document: str) -> None:
    path.touch(mode=0o600)
    path.write_text(document)


def _forget_preparation(unit: Unit) -> None:
    """What `init` has made here, the pointer to the bucket in it; the states that lie here were kept before."""
    for name in (".terragrunt-cache", ".terraform"):
        shutil.rmtree(unit.folder / name, ignore_errors=True)
