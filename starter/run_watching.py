"""`docustack runs watch`: follows one run to its end, on a terminal, line by line, or as lines of JSON."""

import asyncio
import time
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass, replace
from typing import Protocol

from rich.live import Live
from temporalio.client import WorkflowExecutionDescription
from temporalio.service import RPCError

from starter.answers import RunDetail, RunLine
from starter.client import Connection, failure_of, is_away
from starter.console import output, print_json_line
from starter.found_runs import read_run
from starter.live_tails import Focus, Tails, new_lines
from starter.run_display import live_page, run_page
from starter.run_lines import ENDED
from starter.standalone.surrounding import standalone
from starter.times import duration, now

_EVERY = 0.5
_AWAY_AT_MOST = 120.0
"""Seconds that Temporal may be away before watching gives up; a restart takes less."""

_NO_WORKER = "No worker answers; the run goes on when one does."


@dataclass(frozen=True)
class Look:
    """What was seen at one moment; `detail` is that of before where `trouble` says why there is no newer one."""

    detail: RunDetail
    trouble: str = ""
    focus: Focus | None = None


class Display(Protocol):
    """One way to show what is seen."""

    def show(self, look: Look) -> None: ...

    def end(self, detail: RunDetail) -> None: ...


async def watch(
    connection: Connection,
    described: WorkflowExecutionDescription,
    display: Display,
    *,
    tails: Tails | None = None,
    until: Callable[[Look], bool] = lambda _: False,
) -> RunDetail:
    """Show every change until the run has ended, and how it ended; or until a look is as `until` wants it."""
    last: RunDetail | None = None
    async for look in _follow(connection, described):
        last = look.detail
        display.show(replace(look, focus=await tails.look(last)) if tails else look)
        if last.run.status not in ENDED and until(look):
            return last
    assert last is not None
    await standalone.until_closed(connection.client.get_workflow_handle(described.id))
    display.end(last)
    return last


async def _follow(connection: Connection, described: WorkflowExecutionDescription) -> AsyncIterator[Look]:
    """Looks again and again; a worker or a server that is away for a while is told, not an end."""
    handle = connection.client.get_workflow_handle(described.id)
    detail = await read_run(connection, described)
    away_since: float | None = None
    while True:
        if away_since is None:
            yield Look(detail, "" if detail.complete else _NO_WORKER)
        if detail.run.status in ENDED:
            return
        await asyncio.sleep(_EVERY)
        try:
            newer = await read_run(connection, await handle.describe())
            # Without a worker there is less to see than before, but whether it has ended is always known.
            known = newer.complete or newer.run.status in ENDED or not detail.complete
            detail = newer if known else detail.model_copy(update={"complete": False})
            away_since = None
        except RPCError as error:
            if not is_away(error):
                raise
            away_since = away_since or time.monotonic()
            away = time.monotonic() - away_since
            if away > _AWAY_AT_MOST:
                raise failure_of(error, connection.settings) from error
            yield Look(detail, f"Temporal at {connection.settings.temporal_address} doesn't answer; trying again.")


def elapsed(run: RunLine) -> float:
    """Seconds since the run began; of one that has ended, how long it took."""
    return run.seconds if run.status in ENDED else (now() - run.started_at).total_seconds()


class LiveDisplay:
    """Redraws itself in place; phases that began before are timed from the first look."""

    def __init__(self, live: Live) -> None:
        self._live = live
        self._phases: dict[str, tuple[str, float]] = {}

    def show(self, look: Look) -> None:
        moment = time.monotonic()
        for unit in look.detail.units:
            if self._phases.get(unit.unit, ("", 0.0))[0] != unit.phase:
                self._phases[unit.unit] = (unit.phase, moment)
        since = {unit: moment - began for unit, (_, began) in self._phases.items()}
        lines = look.focus.lines if look.focus else ()
        page = live_page(look.detail, since, elapsed(look.detail.run), look.trouble, lines)
        self._live.update(page, refresh=True)

    def end(self, detail: RunDetail) -> None:
        self._live.update(run_page(detail), refresh=True)


class LineDisplay:
    """One line a change, for logs and pipes."""

    def __init__(self) -> None:
        self._changes = Changes()
        self._seen: dict[str, tuple[str, ...]] = {}

    def show(self, look: Look) -> None:
        for change in self._changes.since_last(look):
            output().print(f"[{duration(elapsed(look.detail.run))}] {_words(change)}")
        if focus := look.focus:
            for line in new_lines(self._seen.get(focus.unit, ()), focus.lines):
                output().print(f"{focus.unit} | {line}")
            self._seen[focus.unit] = focus.lines

    def end(self, detail: RunDetail) -> None:
        output().print(f"run {detail.run.run_id}: {detail.run.status} after {duration(detail.run.seconds)}")


class JsonDisplay:
    """The same as lines of JSON; the last one is the whole run, as `runs show --json` prints it."""

    def __init__(self) -> None:
        self._changes = Changes()

    def show(self, look: Look) -> None:
        for change in self._changes.since_last(look):
            print_json_line({"at": now().isoformat(), **change})

    def end(self, detail: RunDetail) -> None:
        print_json_line({"at": now().isoformat(), "kind": "end", **detail.model_dump(mode="json")})


class Changes:
    """What is different from look to look."""

    def __init__(self) -> None:
        self._status = ("", "")
        self._phases: dict[str, str] = {}
        self._trouble = ""

    def since_last(self, look: Look) -> list[dict[str, object]]:
        detail = look.detail
        run: list[dict[str, object]] = []
        if self._status != (detail.run.status, detail.message):
            self._status = (detail.run.status, detail.message)
            run.append({"kind": "run", "status": detail.run.status, "message": detail.message})
        units: list[dict[str, object]] = []
        for unit in detail.units:
            if self._phases.get(unit.unit) != unit.phase:
                self._phases[unit.unit] = unit.phase
                units.append({"kind": "unit", **unit.model_dump(mode="json")})
        # A run begins before its units do, and ends after them.
        changes = [*units, *run] if detail.run.status in ENDED else [*run, *units]
        if self._trouble != look.trouble:
            self._trouble = look.trouble
            changes.append({"kind": "trouble", "message": look.trouble or "It answers again."})
        return changes


def _words(change: dict[str, object]) -> str:
    message = f": {change['message']}" if change["message"] else ""
    match change["kind"]:
        case "run":
            return f"run {change['status']}{message}"
        case "unit":
            shown = [change[key] for key in ("add", "change", "destroy")]
            numbers = f" (+{shown[0]} ~{shown[1]} -{shown[2]})" if shown[0] is not None else ""
            return f"{change['unit']} {change['phase']}{numbers}{message}"
    return str(change["message"])
