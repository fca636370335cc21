"""How runs look on a terminal: a table of many, one with its units, one that changes while it is watched."""

from collections.abc import Iterable, Mapping, Sequence

from rich.console import Group, RenderableType
from rich.spinner import Spinner
from rich.table import Table
from rich.text import Text

from docustack.gate_facts import Door
from docustack.runs import RunStatus, UnitPhase
from starter.answers import DecisionLine, RunDetail, RunLine, UnitLine
from starter.standalone.surrounding import standalone
from starter.times import ago, at, duration

_STATUS_STYLES: Mapping[str, str] = {
    RunStatus.RUNNING: "cyan",
    RunStatus.WAITING: "yellow",
    RunStatus.IN_LINE: "yellow",
    RunStatus.SUCCEEDED: "green",
    RunStatus.REFUSED: "yellow",
    RunStatus.CANCELLED: "dim",
}
_PHASE_STYLES: Mapping[UnitPhase, str] = {
    UnitPhase.WAITING: "dim",
    UnitPhase.PLANNING: "cyan",
    UnitPhase.APPLYING: "cyan",
    UnitPhase.DEFERRED: "yellow",
    UnitPhase.FAILED: "bold red",
    UnitPhase.UNKNOWN: "bold red",
    UnitPhase.SKIPPED: "yellow",
}
_MARKS: Mapping[UnitPhase, str] = {
    UnitPhase.WAITING: "·",
    UnitPhase.PLANNING: "»",
    UnitPhase.APPLYING: "»",
    UnitPhase.DEFERRED: "…",
    UnitPhase.FAILED: "✗",
    UnitPhase.UNKNOWN: "?",
    UnitPhase.SKIPPED: "-",
}
BUSY = (UnitPhase.PLANNING, UnitPhase.APPLYING)
_NOT_DONE = (UnitPhase.WAITING, *BUSY)
_IN_SIGHT = (*BUSY, UnitPhase.FAILED, UnitPhase.UNKNOWN)
_TAIL = 8
_WHOLE_WAVES = 30
"""Up to so many units each has its line while watched; of more, waves with nothing going on become one line."""


def status_text(status: str) -> Text:
    return Text(status, _STATUS_STYLES.get(status, "bold red"))


def plain_table(*columns: str) -> Table:
    """Without lines: it can be read, copied and cut."""
    table = Table(box=None, pad_edge=False, header_style="dim", padding=(0, 2, 0, 0))
    for column in columns:
        table.add_column(column, overflow="fold")
    return table


def runs_table(runs: Iterable[RunLine]) -> Table:
    table = plain_table("RUN", "OPERATION", "PR", "ACTOR", "STATUS", "UNITS", "STARTED", "TOOK")
    for run in runs:
        table.add_row(
            run.run_id,
            run.operation.value if run.operation else "?",
            f"#{run.pull_request}" if run.pull_request is not None else "",
            run.actor + (" (automatic)" if run.automatic else ""),
            status_text(run.status).append(", imported" if run.imported else "", "dim"),
            _some(run.units),
            ago(run.started_at),
            duration(run.seconds),
        )
    return table


def run_page(detail: RunDetail) -> RenderableType:
    """`runs show`."""
    parts: list[RenderableType] = [_title(detail), _facts(detail)]
    if detail.message:
        parts += ["", Text(standalone.told(detail.message))]
    parts += [Text(note, "yellow") for note in detail.notes]
    if not detail.complete:
        why = "It had not ended when it was exported" if detail.run.imported else "No worker answers"
        parts += ["", Text(f"{why}, so how far its units are is not known now.", "yellow")]
    if detail.units:
        parts += ["", units_table(detail)]
    for unit in detail.units:
        if "\n" in unit.message.strip():
            parts += ["", Text(unit.unit, "bold"), Text(standalone.told(unit.message.strip()))]
    parts += [_decision_text(decision) for decision in detail.decisions]
    return Group(*parts)


def _decision_text(given: DecisionLine) -> Text:
    claimed = " (claimed, unverified)" if given.door is Door.TEMPORAL else ""
    said = f"{given.decision} by {given.login or 'nobody named'}{claimed}"
    return Text(f"{said}: {given.reason}\n  {given.told}" if given.reason else f"{said}\n  {given.told}", "yellow")


def live_page(
    detail: RunDetail, since: Mapping[str, float], elapsed: float, trouble: str, lines: Sequence[str] = ()
) -> RenderableType:
    """`runs watch` at one moment; `since` has the seconds that units have been in the phase they are in.

    `lines` are what Terraform says in the unit in focus.
    """
    parts: list[RenderableType] = [_title(detail)]
    if detail.message:
        parts.append(Text(standalone.told(detail.message)))
    if detail.units:
        parts.append(units_table(detail, since))
    parts += [Text(f"  {line}", "dim", overflow="ellipsis", no_wrap=True) for line in lines[-_TAIL:]]
    done = sum(unit.phase not in _NOT_DONE for unit in detail.units)
    parts.append(Text(f"{done} of {len(detail.units)} units done, {duration(elapsed)} elapsed", "dim"))
    if trouble:
        parts.append(Text(trouble, "yellow"))
    elif detail.run.status == RunStatus.WAITING:
        parts.append(Text("Waits for an approval; Ctrl-C stops watching, not the run.", "dim"))
    elif detail.run.status == RunStatus.IN_LINE:
        parts.append(Text("Waits for its units; Ctrl-C stops watching, not the run.", "dim"))
    return Group(*parts)


def units_table(detail: RunDetail, since: Mapping[str, float] | None = None) -> Table:
    """The units, wave by wave where they are applied; `since` is given while they are watched."""
    table = Table(box=None, show_header=False, pad_edge=False, padding=(0, 2, 0, 0))
    table.add_column(style="bold", no_wrap=True)
    table.add_column(overflow="fold")
    table.add_column(no_wrap=True)
    table.add_column(no_wrap=True)
    table.add_column(overflow="fold")
    folded = since is not None and len(detail.units) > _WHOLE_WAVES
    for name, units in _groups(detail):
        shown = [unit for unit in units if unit.phase in _IN_SIGHT] if folded else units
        if folded:
            table.add_row(name, Text(_tally(units), "dim"))
        for number, unit in enumerate(shown):
            title = name if number == 0 and not folded else ""
            table.add_row(
                title, unit.unit, _phase_cell(unit, watched=since is not None), counts(unit), _note(unit, since)
            )
    return table


def _groups(detail: RunDetail) -> list[tuple[str, list[UnitLine]]]:
    lines = {unit.unit: unit for unit in detail.units}
    waves = detail.waves if detail.run.operation and detail.run.operation.changes else ()
    groups = [
        (f"wave {number}", [lines.pop(unit) for unit in wave if unit in lines]) for number, wave in enumerate(waves, 1)
    ]
    return [(name, units) for name, units in [*groups, ("", list(lines.values()))] if units]


def _phase_cell(unit: UnitLine, *, watched: bool) -> RenderableType:
    if watched and unit.phase in BUSY:
        return Spinner("dots", unit.phase.value, style="cyan")
    return phase_text(unit)


def _note(unit: UnitLine, since: Mapping[str, float] | None) -> str:
    if unit.message:
        return unit.message.splitlines()[0]
    return duration(since[unit.unit]) if since and unit.phase in BUSY and unit.unit in since else ""


def counts(unit: UnitLine) -> str:
    """`+1 ~0 -2`; empty where nothing is known."""
    if unit.add is None and unit.change is None and unit.destroy is None:
        return ""
    return f"+{unit.add or 0} ~{unit.change or 0} -{unit.destroy or 0}"


def phase_text(unit: UnitLine) -> Text:
    mark = _MARKS.get(unit.phase, "✓")
    preview = " (preview)" if unit.preview else ""
    return Text(f"{mark} {unit.phase.value}{preview}", _PHASE_STYLES.get(unit.phase, "green"))


def _tally(units: Sequence[UnitLine]) -> str:
    phases = [unit.phase for unit in units]
    return ", ".join(f"{phases.count(phase)} {phase.value}" for phase in dict.fromkeys(phases))


def _title(detail: RunDetail) -> Text:
    run = detail.run
    what = run.operation.value if run.operation else "run"
    of = f" of #{run.pull_request}" if run.pull_request is not None else ""
    return Text.assemble((run.run_id, "bold"), f"  {what}{of} by {run.actor}  ", status_text(run.status))


def _facts(detail: RunDetail) -> Table:
    run = detail.run
    table = Table(box=None, show_header=False, pad_edge=False, padding=(0, 2, 0, 0))
    table.add_column(style="dim")
    table.add_column(overflow="fold")
    rows = {
        "repository": run.repository,
        "commit": _commit(detail),
        "directories": ", ".join(run.directories),
        "environments": ", ".join(run.environments),
        "started": f"{at(run.started_at)} ({ago(run.started_at)}){' by itself' if run.automatic else ''}",
        "took" if run.ended_at else "runs for": duration(run.seconds),
        "temporal": "not here: imported" if run.imported else run.url,
    }
    for name, value in rows.items():
        if value:
            table.add_row(name, value)
    return table


def _commit(detail: RunDetail) -> str:
    if not detail.head_commit:
        return ""
    joins = "into" if detail.run.pull_request is not None else "by the rules of"
    return f"{detail.head_commit[:12]} {joins} {detail.base_ref}" if detail.base_ref else detail.head_commit[:12]


def _some(units: Sequence[str]) -> str:
    return ", ".join(units[:2]) + (f" and {len(units) - 2} more" if len(units) > 2 else "")
