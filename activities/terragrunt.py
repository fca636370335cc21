"""The activities that run Terragrunt: plan a unit, apply its saved plan, compare plans, look at outputs and locks."""

import os
from collections.abc import Awaitable, Callable, Mapping
from datetime import timedelta
from pathlib import Path

from temporalio import activity

from activities.apply_results import ApplyResults
from activities.applying import Applying
from activities.artifacts import ArtifactStore
from activities.aws_accounts import Accounts
from activities.aws_clients import StsClients, sts_clients
from activities.dependency_outputs import UnitReader
from activities.disclosure import Disclosure
from activities.open_units import OpenUnits
from activities.owned_resources import look_at_state
from activities.planning import Planning
from activities.role_sessions import RoleSessions
from activities.state_locks import StateLocks
from activities.terragrunt_command import TerragruntCommand
from activities.terragrunt_messages import (
    ApplyAnswer,
    ApplyRequest,
    AttendApply,
    CheckAccount,
    CoverageAnswer,
    CoverageRequest,
    FreeStateLock,
    OutputsAnswer,
    PlanAnswer,
    PlanRequest,
    StateLockAnswer,
    UnitRequest,
)
from activities.unit_outputs import ReadUnitOutputs
from activities.unit_work import WorkTrees, heartbeating
from activities.unwritten_states import UnwrittenStates
from docustack.model import Nothing
from docustack.state_document import OwnedResources
from docustack.unit_outputs import UnitOutputs


class Terragrunt:
    """One operation on one unit; every error is an `ApplicationError` whose type is an `ErrorType`.

    Of `environ` only what a child process needs is passed on. `renew` is a cheap call to Temporal that fails when
    Temporal can't be reached: while it succeeds a running apply keeps its lease. `simulated_account` is the one account
    of a simulator that stands for those of all environments.
    """

    def __init__(
        self,
        *,
        work_trees: WorkTrees,
        artifacts: ArtifactStore,
        data_dir: Path,
        host: str,
        command: TerragruntCommand,
        lease: timedelta = timedelta(minutes=15),
        cancel_grace: timedelta = timedelta(minutes=5),
        environ: Mapping[str, str] | None = None,
        renew: Callable[[], Awaitable[None]] | None = None,
        sts: StsClients | None = None,
        simulated_account: str | None = None,
    ) -> None:
        data_dir = data_dir.absolute()
        scratch = data_dir / "scratch"
        scratch.mkdir(parents=True, exist_ok=True, mode=0o700)
        self._command = command
        self.reader = UnitReader(command, scratch)
        disclosure = Disclosure(command, artifacts, self.reader, scratch)
        unwritten = UnwrittenStates(command, artifacts, self.reader, data_dir, host)
        self._planning = Planning(command, artifacts, self.reader, disclosure, scratch, unwritten)
        environ = dict(os.environ if environ is None else environ)
        sts = sts or sts_clients(environ)
        accounts = Accounts(sts, environ, simulated_account)
        self.units = OpenUnits(work_trees, command, environ, RoleSessions(sts), accounts, cancel_grace)
        results = ApplyResults(self._planning, disclosure, artifacts, unwritten)
        self._applying = Applying(command, artifacts, results, unwritten, data_dir, host, lease, cancel_grace, renew)
        self._outputs = ReadUnitOutputs(command, self._planning, disclosure)
        self._state_locks = StateLocks(command, artifacts, disclosure, data_dir, host, lease, cancel_grace)

    @activity.defn
    async def check_account(self, question: CheckAccount) -> Nothing:
        """Raises CREDENTIALS where they are of another account than the environment's, or nobody's."""
        await self.units.identify(question, changes=question.changes)
        return Nothing()

    @activity.defn
    async def plan_unit(self, request: PlanRequest) -> PlanAnswer:
        """Make and save a plan; a unit whose dependency has neither outputs nor mocks is deferred."""
        async with heartbeating(lambda: "planning"):
            return await self._planning.plan(await self.units.open(request, changes=False))

    @activity.defn
    async def dependency_outputs(self, request: UnitRequest) -> OutputsAnswer:
        """Digests of what the unit's dependencies give now; asked right before a saved plan is applied."""
        async with heartbeating(lambda: "reading outputs"):
            unit = await self.units.open(request, changes=False)
            return OutputsAnswer(dependencies=await self._planning.present_outputs(unit))

    @activity.defn
    async def list_resources(self, request: UnitRequest) -> OwnedResources:
        """What a unit owns, by its state; of one that a pull request deletes in the tree that still has it."""
        async with heartbeating(lambda: "reading state"):
            return await look_at_state(self._command, self.reader, await self.units.open(request, changes=False))

    @activity.defn
    async def read_outputs(self, request: UnitRequest) -> UnitOutputs:
        """What a unit gives to others, for people: without what is sensitive."""
        async with heartbeating(lambda: "reading outputs"):
            return await self._outputs.read(await self.units.open(request, changes=False))

    @activity.defn
    async def plan_coverage(self, request: CoverageRequest) -> CoverageAnswer:
        """Does the approval of one plan cover another: the same or fewer changes, whatever their values?"""
        async with heartbeating(lambda: "comparing plans"):
            return await self._planning.coverage(request)

    @activity.defn
    async def apply_unit(self, request: ApplyRequest) -> ApplyAnswer:
        """Apply a saved plan through Terragrunt; a retry never applies again, it attends or reads what was begun."""
        return await self._applying.apply(request, self.units)

    @activity.defn
    async def attend_apply(self, request: AttendApply) -> ApplyAnswer:
        """How an apply ended that was begun and then lost sight of; nothing is begun."""
        return await self._applying.attend(request, self.units)

    @activity.defn
    async def free_state_lock(self, request: FreeStateLock) -> StateLockAnswer:
        """Guide, "State Lock Issues": free what a dead process of ours has left; else say who holds it since when."""
        async with heartbeating(lambda: "looking at the state lock"):
            return await self._state_locks.free(await self.units.open(request, changes=True))
