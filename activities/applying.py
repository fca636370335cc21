"""Applies one saved plan, once, in a process that outlives this worker; a retry attends it or reads how it ended."""

import asyncio
import contextlib
import shutil
import time
from collections.abc import Awaitable, Callable, Coroutine
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TypeVar

from temporalio import activity
from temporalio.exceptions import ApplicationError

from activities import runner
from activities.apply_folder import ApplyFolder, folder_name
from activities.apply_records import RENEWED_EVERY, ApplyRecord, ApplyRecords, whoami
from activities.apply_results import ApplyResults
from activities.artifacts import ArtifactMissing, ArtifactStore
from activities.file_lock import file_lock
from activities.live_logs import LiveLogs
from activities.open_units import OpenUnits
from activities.terragrunt_command import TerragruntCommand
from activities.terragrunt_messages import ApplyAnswer, ApplyRequest, AttendApply
from activities.unit_work import Unit, heartbeating, unit_failure, was_cancelled, worker_stops
from activities.unwritten_states import UnwrittenStates
from docustack.errors import ErrorType
from docustack.model import Model

T = TypeVar("T")

_POLL = 0.1
_EXIT_POLL = 0.02
_RENEW_EVERY = 5.0
_STARTS_WITHIN = 30.0
_LOOK_EVERY = 2.0
_KEPT = timedelta(days=7)


class ApplyHeartbeat(Model):
    """What an attempt tells while it attends an apply: a hint for people; the folder and the record are the truth."""

    host: str
    folder: str
    phase: str  # preparing, applying, cancelling, reading
    pid: int | None = None


class Applying:
    """Applies saved plans on one host."""

    def __init__(
        self,
        command: TerragruntCommand,
        artifacts: ArtifactStore,
        results: ApplyResults,
        unwritten: UnwrittenStates,
        data_dir: Path,
        host: str,
        lease: timedelta,
        grace: timedelta,
        renew: Callable[[], Awaitable[None]] | None,
    ) -> None:
        self._command = command
        self._artifacts = artifacts
        self._records = ApplyRecords(artifacts)
        self._live_logs = LiveLogs(artifacts)
        self._results = results
        self._unwritten = unwritten
        self._folders = data_dir / "applies"
        self._lock = data_dir / "applies.lock"
        self._host = host
        self._lease = lease
        self._grace = grace
        self._renew = renew

    async def apply(self, request: ApplyRequest, units: OpenUnits) -> ApplyAnswer:
        """Raises an `ApplicationError` where the apply failed, was interrupted, or must not be started."""
        info = activity.info()
        folder = ApplyFolder(
            self._folders / folder_name(info.workflow_id or "", info.workflow_run_id or "", info.activity_id)
        )
        attempt = _Attempt(self._host, folder)
        async with heartbeating(attempt.heartbeat):
            if (known := await asyncio.to_thread(self._results.known, folder)) is not None:
                return known.model_copy(update={"reattached": True})
            reattached = folder.claim() is not None
            unit = await (units.attend(request) if reattached else units.open(request, changes=True))
            if not reattached:
                await self._begin_unless_cancelled(unit, request, folder)
            answer = await self._to_end(unit, folder, attempt, request)
            return answer.model_copy(update={"reattached": reattached})

    async def attend(self, request: AttendApply, units: OpenUnits) -> ApplyAnswer:
        """How an apply ended of which Temporal has lost sight; one that works is attended, and nothing is begun.

        Raises an `ApplicationError`: as `apply`; STALE_PLAN, or CANCELLED where it is to end, where nothing was begun;
        INTERRUPTED where its host is gone, once nothing of it can live any more.
        """
        record = await self._records.of_plan(request.plan)
        if record is None:
            raise _not_begun(request)
        folder = ApplyFolder(self._folders / record.folder)
        attempt = _Attempt(self._host, folder)
        async with heartbeating(attempt.heartbeat):
            if record.host != self._host or not folder.exists():
                if not request.end:
                    record = await self._wait_out(request, record)
                raise _begun_elsewhere(request, record)
            if request.end:
                folder.cancel()
            if (known := await asyncio.to_thread(self._results.known, folder)) is None:
                if await asyncio.to_thread(folder.keep_from_starting):
                    raise _not_begun(request)
                known = await self._to_end(await units.attend(request), folder, attempt, request)
            return known.model_copy(update={"reattached": True})

    async def _to_end(self, unit: Unit, folder: ApplyFolder, attempt: "_Attempt", request: ApplyRequest) -> ApplyAnswer:
        secrets = asyncio.create_task(self._results.secrets(unit))
        try:
            attempt.phase = "applying"
            exit_ = await self._attend(folder, attempt, request)
            attempt.phase = "reading"
            return await _to_its_end(self._results.read(unit, folder, exit_, secrets))
        except OSError as error:
            # A full disk is no end of an apply that has begun: the next attempt attends or reads it.
            message = f"How the apply of {request.unit} goes on can't be seen at the moment: {error}."
            raise unit_failure(ErrorType.UNAVAILABLE, message) from None
        finally:
            secrets.cancel()

    async def _begin_unless_cancelled(self, unit: Unit, request: ApplyRequest, folder: ApplyFolder) -> None:
        """A cancellation while the runner starts reaches it through the folder; none is left behind unattended."""
        begin = asyncio.create_task(self._begin(unit, request, folder))
        try:
            await asyncio.shield(begin)
        except asyncio.CancelledError:
            if not folder.was_started() or not _ends(folder):
                begin.cancel()
                raise
            await begin

    async def _begin(self, unit: Unit, request: ApplyRequest, folder: ApplyFolder) -> None:
        """Start the runner, where it is sure that this plan was never begun to be applied by anybody else."""
        await self._unwritten.settle(unit)
        await self._register(request, folder)
        try:
            plan = await self._artifacts.get_sealed(request.plan.binary)
        except ArtifactMissing as error:
            raise unit_failure(ErrorType.NOT_FOUND, f"The saved plan of {request.unit} is gone: {error}") from None
        await asyncio.to_thread(_write_private, folder.plan, plan)
        command: runner.Command = {
            "argv": self._command.apply(folder.plan),
            "cwd": str(unit.folder),
            "interrupt": sorted({"terraform", "tofu", Path(self._command.terraform).name[:15]}),
            "timeout_seconds": request.timeout_minutes * 60,
            "lease_seconds": self._lease.total_seconds(),
            "grace_seconds": self._grace.total_seconds(),
        }
        if unit.credentials_until is not None:
            left = unit.credentials_until - datetime.now(UTC)
            command["credentials_until"] = (unit.credentials_until - min(self._grace, left / 4)).timestamp()
        await folder.start(command, unit.environ)
        await self._wait_for_claim(folder, request)
        await asyncio.to_thread(self._purge)

    async def _register(self, request: ApplyRequest, folder: ApplyFolder) -> None:
        now = datetime.now(UTC)
        mine = ApplyRecord(
            unit=request.unit,
            plan=request.plan.binary,
            folder=folder.path.name,
            run_id=request.tree.run_id,
            host=self._host,
            who=whoami(),
            started_at=now,
            renewed_at=now,
        )
        # Folder and record are made together: of two attempts at once the second finds both, or else it would take the
        # record of the first for one that has outlived its folder.
        async with file_lock(self._lock):
            is_new = await asyncio.to_thread(folder.make)
            first = await self._records.begin(mine)
        ours = first.folder == mine.folder and first.host == mine.host
        if first == mine or (ours and not is_new):
            return  # begun now, or by an earlier attempt that ended before it started a runner
        raise _begun_elsewhere(request, await self._wait_out(request, first))

    async def _wait_out(self, request: ApplyRequest, other: ApplyRecord) -> ApplyRecord:
        """Until the other apply has ended or can't go on any more: its runner has fenced itself by then."""
        while other.ended_at is None and await asyncio.to_thread(self._may_live, other):
            await asyncio.sleep(_LOOK_EVERY)
            other = await self._records.of_plan(request.plan) or other
        return other

    def _may_live(self, record: ApplyRecord) -> bool:
        folder = ApplyFolder(self._folders / record.folder)
        if record.host == self._host and folder.claim() is not None:
            return folder.is_alive()
        return datetime.now(UTC) < record.may_live_until(self._lease, self._grace)

    async def _wait_for_claim(self, folder: ApplyFolder, request: ApplyRequest) -> None:
        give_up = time.monotonic() + _STARTS_WITHIN
        while folder.claim() is None:
            if time.monotonic() > give_up and folder.keep_from_starting():
                raise unit_failure(
                    ErrorType.FAILED, f"The apply of {request.unit} could not be started on {self._host}; nothing ran."
                )
            await asyncio.sleep(_POLL / 4)

    async def _attend(self, folder: ApplyFolder, attempt: "_Attempt", request: ApplyRequest) -> runner.Exit:
        try:
            return await self._wait_for_exit(folder, attempt, request)
        except asyncio.CancelledError:
            if not _ends(folder):
                raise  # Temporal has lost sight of this attempt: the apply goes on, and the next one attends it
        attempt.phase = "cancelling"
        return await self._wait_for_exit(folder, attempt, request)

    async def _wait_for_exit(self, folder: ApplyFolder, attempt: "_Attempt", request: ApplyRequest) -> runner.Exit:
        renewed = 0.0
        keeping = asyncio.create_task(self._keep_record(request))
        telling = asyncio.create_task(self._live_logs.keep(request, folder.log))
        try:
            while True:
                alive = await asyncio.to_thread(folder.is_alive)
                if (exit_ := folder.exit()) is not None:
                    return exit_
                if not alive:
                    raise self._vanished(request)
                if time.monotonic() - renewed > _RENEW_EVERY and await self._may_renew():
                    renewed = time.monotonic()
                    await asyncio.to_thread(folder.renew_lease)
                attempt.see(folder)
                await _exit_within(folder, _POLL)
        finally:
            keeping.cancel()
            telling.cancel()

    def _vanished(self, request: ApplyRequest) -> ApplicationError:
        return unit_failure(
            ErrorType.INTERRUPTED,
            f"The apply of {request.unit} on {self._host} ended without telling how: the machine was restarted, or the "
            "process was killed. State may have been written in part; a new plan shows what remains.",
        )

    async def _may_renew(self) -> bool:
        """The lease is renewed only while Temporal answers: a host that is cut off must stop by itself."""
        if self._renew is None:
            return True
        try:
            await asyncio.wait_for(self._renew(), _RENEW_EVERY)
        except Exception as error:
            activity.logger.warning("the lease of an apply was not renewed: %s", error)
            return False
        return True

    async def _keep_record(self, request: ApplyRequest) -> None:
        while True:
            with contextlib.suppress(Exception):
                record = await self._records.of_plan(request.plan)
                if record is not None and record.ended_at is None and await self._may_renew():
                    await self._records.update(record.model_copy(update={"renewed_at": datetime.now(UTC)}))
            await asyncio.sleep(RENEWED_EVERY.total_seconds())

    def _purge(self) -> None:
        """Folders of applies that ended long ago: nobody will ask for them again."""
        for path in self._folders.iterdir():
            if ApplyFolder(path).is_older_than(_KEPT.total_seconds()):
                shutil.rmtree(path, ignore_errors=True)


async def _exit_within(folder: ApplyFolder, seconds: float) -> None:
    """Until the exit is there, which others wait for, or until everything else has to be looked at again."""
    give_up = time.monotonic() + seconds
    while folder.exit() is None and time.monotonic() < give_up:  # noqa: ASYNC110 - another process tells no event of ours
        await asyncio.sleep(_EXIT_POLL)


def _not_begun(request: AttendApply) -> ApplicationError:
    error_type = ErrorType.CANCELLED if request.end else ErrorType.STALE_PLAN
    return unit_failure(error_type, f"The apply of {request.unit} was not begun.", retry=False)


def _begun_elsewhere(request: ApplyRequest, record: ApplyRecord) -> ApplicationError:
    if record.ended_at is not None:
        return unit_failure(
            ErrorType.STALE_PLAN,
            f"This plan of {request.unit} has been applied before (run {record.run_id}); it is never applied twice. "
            "Comment `terrateam plan`, and apply the new plan.",
        )
    return unit_failure(
        ErrorType.INTERRUPTED,
        f"An apply of this plan of {request.unit} was begun on {record.host} at {record.started_at:%Y-%m-%d %H:%M} "
        "UTC, and how it ended is not known: that host or its data are gone. State may have been written in part, "
        "so this plan is not applied again; a new plan shows what remains.",
    )


def _ends(folder: ApplyFolder) -> bool:
    """Have the apply interrupted, if that is what this attempt was cancelled for."""
    if was_cancelled():
        folder.cancel()
    elif worker_stops():
        folder.drain()
    else:
        return False
    return True


async def _to_its_end(work: Coroutine[object, object, T]) -> T:
    """The apply has ended: how, is told even to somebody who has asked to cancel it, or to stop the worker."""
    task = asyncio.create_task(work)
    try:
        return await asyncio.shield(task)
    except asyncio.CancelledError:
        if not was_cancelled() and not worker_stops():
            task.cancel()
            raise
        return await task


class _Attempt:
    """What this attempt tells in its heartbeats."""

    def __init__(self, host: str, folder: ApplyFolder) -> None:
        self._host = host
        self._folder = folder
        self.phase = "preparing"
        self._pid: int | None = None

    def see(self, folder: ApplyFolder) -> None:
        if self._pid is None and (claim := folder.claim()) is not None:
            self._pid = claim["pid"]

    def heartbeat(self) -> ApplyHeartbeat:
        return ApplyHeartbeat(host=self._host, folder=self._folder.path.name, phase=self.phase, pid=self._pid)


def _write_private(path: Path, data: bytes) -> None:
    path.touch(mode=0o600)
    path.write_bytes(data)
