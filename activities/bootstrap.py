"""The guide's "Bootstrap State Backend" on one unit, up to the migration: with local state, which is kept."""

import asyncio
import json

from temporalio import activity

from activities.artifacts import ArtifactStore
from activities.bootstrap_messages import (
    Adopt,
    Adopted,
    BootstrapApply,
    BootstrapPlan,
    BootstrapUnit,
    KeptStateAnswer,
)
from activities.bootstrap_unit import BootstrapUnits, failed, local_state
from activities.dependency_outputs import TerragruntFailed
from activities.failures import failure
from activities.kept_states import KeptStates
from activities.migration_locks import MigrationLocks
from activities.terragrunt import Terragrunt
from activities.terragrunt_command import TerragruntCommand
from activities.terragrunt_messages import ApplyAnswer, ApplyRequest, PlanAnswer, PlanRequest
from activities.unit_work import Unit, heartbeats
from docustack.bootstrap_file import FILE
from docustack.errors import ErrorType
from docustack.plan_document import Json
from docustack.state_backend import BackendPlace, adoptions
from docustack.state_document import state_facts


class Bootstrap:
    """Plans and applies by the same `Terragrunt` as every run; what is its own is where the state lies."""

    def __init__(
        self,
        *,
        units: BootstrapUnits,
        locks: MigrationLocks,
        terragrunt: Terragrunt,
        command: TerragruntCommand,
        artifacts: ArtifactStore,
    ) -> None:
        self._units = units
        self._locks = locks
        self._terragrunt = terragrunt
        self._command = command
        self._artifacts = artifacts
        self._kept = KeptStates(artifacts)

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
        async with self._units.alone(request) as lock:
            await self._units.clear(await self._units.check_out(request))
            unit = await self._units.open(with_state, lock)
            try:
                rendered = await self._terragrunt.reader.render(unit.folder, unit.environ)
            except TerragruntFailed as error:
                raise failed(error.command, error.output) from None
        return _place(rendered.remote_state or {}, request, unit)

    @activity.defn
    @heartbeats
    async def plan_bootstrap(self, request: BootstrapPlan) -> PlanAnswer:
        """As any plan; with the local state where there is one.

        With the state in the bucket it is the last step, and leaves no lock of ours there; anybody else's is theirs.
        """
        async with self._units.alone(request) as lock:
            if request.remote_state:
                await self._locks.free(request, lock)
            await self._units.open(request, lock)
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
        async with self._units.alone(request) as lock:
            unit = await self._units.open(request, lock)
            for adoption in wanted:
                local = await asyncio.to_thread(local_state, unit)
                if local is None or adoption.address not in state_facts(local).addresses:
                    await self._units.run(unit, self._command.adopt(adoption.address, adoption.id), lock)
            if request.keeps:
                await self._units.keep(unit)
        return Adopted(adoptions=tuple(wanted))

    @activity.defn
    @heartbeats
    async def keep_local_state(self, request: BootstrapUnit) -> KeptStateAnswer:
        """Put the local state into the artifact store, as it lies in Terragrunt's cache folder."""
        async with self._units.alone(request):
            return KeptStateAnswer(kept=await self._units.keep(await self._units.check_out(request)))

    @activity.defn
    @heartbeats
    async def newest_local_state(self, request: BootstrapUnit) -> KeptStateAnswer:
        """What an earlier bootstrap of the account has kept."""
        kept = await self._kept.newest(request.environment.account_id)
        return KeptStateAnswer(kept=kept.kept if kept is not None else None)


def _place(remote_state: dict[str, Json], request: BootstrapUnit, unit: Unit) -> BackendPlace:
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
