"""What a terminal shows of a run that was ordered there: waves, units, and Terraform's lines of the unit in focus."""

from rich.text import Text

from docustack.runs import Operation, RunStatus, UnitPhase
from starter.answers import RunDetail, UnitLine
from starter.console import errors, output
from starter.live_tails import Focus, new_lines
from starter.run_display import counts, phase_text, status_text
from starter.run_watching import Look, elapsed
from starter.standalone.surrounding import standalone
from starter.times import duration


class OrderDisplay:
    """Scrolls, as Terraform's own output does: what was shown can be read again above."""

    def __init__(self, run_id: str) -> None:
        self._run_id = run_id
        self._status = ("", "")
        self._phases: dict[str, UnitPhase] = {}
        self._wave = 0
        self._focus = ""
        self._seen: dict[str, tuple[str, ...]] = {}
        self._trouble = ""
        self._notes = 0

    def show(self, look: Look) -> None:
        detail = look.detail
        if look.trouble != self._trouble:
            self._trouble = look.trouble
            errors().print(Text(look.trouble or "It answers again.", "yellow"))
        for note in detail.notes[self._notes :]:
            output().print(Text(note, "yellow"))
        self._notes = len(detail.notes)
        self._show_status(detail)
        for unit in detail.units:
            if self._phases.get(unit.unit) is not unit.phase:
                self._show_wave(detail, unit)
                known = unit.unit in self._phases
                self._phases[unit.unit] = unit.phase
                if known or unit.phase is not UnitPhase.WAITING:
                    self._show_unit(detail, unit)
        if look.focus is not None:
            self._show_lines(look.focus)

    def end(self, detail: RunDetail) -> None:
        """What is left to say is said by who follows the run."""

    def _show_status(self, detail: RunDetail) -> None:
        status = (detail.run.status, detail.message)
        if status == self._status:
            return
        before, self._status = self._status, status
        if detail.run.status in (RunStatus.WAITING, RunStatus.IN_LINE):
            output().print(
                Text.assemble(_at(detail), status_text(detail.run.status), f": {standalone.told(detail.message)}")
            )
        elif before[0] in (RunStatus.WAITING, RunStatus.IN_LINE) and detail.run.status == RunStatus.RUNNING:
            output().print(Text.assemble(_at(detail), ("goes on", "cyan")))

    def _show_wave(self, detail: RunDetail, unit: UnitLine) -> None:
        if detail.run.operation is Operation.PLAN or unit.phase is not UnitPhase.APPLYING:
            return
        number = next((place for place, wave in enumerate(detail.waves, 1) if unit.unit in wave), 0)
        if number and number != self._wave:
            self._wave = number
            units = ", ".join(detail.waves[number - 1])
            output().print(Text(f"wave {number} of {len(detail.waves)}: {units}", "bold"))

    def _show_unit(self, detail: RunDetail, unit: UnitLine) -> None:
        said = standalone.told(unit.message.strip()).splitlines()
        note = f": {said[0]}" if said else ""
        number = f" {counts(unit)}" if counts(unit) else ""
        output().print(Text.assemble(_at(detail), f"{unit.unit} ", phase_text(unit), f"{number}{note}"))

    def _show_lines(self, focus: Focus) -> None:
        lines = new_lines(self._seen.get(focus.unit, ()), focus.lines)
        if lines and focus.unit != self._focus:
            self._focus = focus.unit
            output().print(Text(f"  {focus.unit}:", "dim"))
        for line in lines:
            output().print(Text(f"  │ {line}", "dim"))
        self._seen[focus.unit] = focus.lines


def _at(detail: RunDetail) -> tuple[str, str]:
    return (f"[{duration(elapsed(detail.run))}] ", "dim")
