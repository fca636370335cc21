"""Follows a run that was ordered at a terminal: its plans are shown, its yes is asked for there, its end is told."""

import sys
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from urllib.parse import quote

from rich.text import Text
from temporalio.client import WorkflowExecutionDescription

from docustack.plan_text import apply_text
from docustack.runs import Operation, RunStatus, UnitPhase
from docustack.signed_approvals import Refusal
from starter.answers import RunDetail, UnitLine
from starter.api_messages import ApproveOrder, CancelOrder, DecisionAnswer
from starter.client import Connection, with_temporal
from starter.console import errors, output
from starter.exit_codes import CommandFailed, ExitCode
from starter.found_runs import find_run
from starter.live_tails import Tails
from starter.order_display import OrderDisplay
from starter.plan_colours import coloured
from starter.run_display import counts
from starter.run_lines import ENDED
from starter.run_watching import JsonDisplay, Look, watch
from starter.server_client import Server, ServerRefused
from starter.standalone.surrounding import standalone

_LOOK_AGAIN = (Refusal.OTHER_PLANS, Refusal.NOT_WAITING, Refusal.UNAVAILABLE)
_ASKED = (UnitPhase.WAITING, UnitPhase.PLANNING, UnitPhase.APPLYING)
_HAS_TEXT = (UnitPhase.APPLIED, UnitPhase.FAILED, UnitPhase.UNKNOWN)


@dataclass
class OrderFollowing:
    """One run and the person at the terminal; `ask` gives their yes or no once they have read the plans.

    Without `ask` nobody is there to be asked: the run has its yes already, or needs none.
    """

    server: Server
    run_id: str
    operation: Operation
    as_json: bool = False
    ask: Callable[[], bool] | None = None
    answered: set[str] = field(default_factory=set)  # digests of the plans that were said yes to

    def to_its_end(self) -> RunDetail:
        """Ctrl-C stops following, and the run goes on."""
        display = JsonDisplay() if self.as_json else OrderDisplay(self.run_id)
        tails = None if self.as_json else Tails(self.server.text)

        async def look(connection: Connection) -> RunDetail:
            return await watch(connection, await self._described(connection), display, tails=tails, until=self._asks)

        try:
            while (detail := with_temporal(look)).run.status not in ENDED:
                self._decide(detail)
        except KeyboardInterrupt:
            self._say_how_to_go_on()
            raise
        if not self.as_json:
            self._tell_end(detail)
        return detail

    async def _described(self, connection: Connection) -> WorkflowExecutionDescription:
        return await find_run(connection, self.run_id)

    def _asks(self, look: Look) -> bool:
        detail = look.detail
        waits = detail.complete and detail.run.status == RunStatus.WAITING
        return self.ask is not None and waits and detail.plans not in self.answered

    def _decide(self, detail: RunDetail) -> None:
        """Show exactly the plans that the yes will be of."""
        assert self.ask is not None
        unread = [unit.unit for unit in detail.units if unit.phase in _ASKED and not self._show_plan(unit)]
        if unread:
            raise CommandFailed(
                f"The plans of {', '.join(unread)} can't be read from the server, and nobody says yes to what "
                "nobody can read.",
                f"The run waits: docustack approve {self.run_id}",
                code=ExitCode.UNREACHABLE,
            )
        if not self.ask():
            order = CancelOrder(reason="no, at the terminal that has started it")
            self.server.post(f"{self._path}/cancel", order, DecisionAnswer)
            self.answered.add(detail.plans)
            return
        try:
            yes = ApproveOrder(commit=detail.head_commit, plans=detail.plans)
            answer = self.server.post(f"{self._path}/approve", yes, DecisionAnswer)
        except ServerRefused as refused:
            if refused.refusal not in _LOOK_AGAIN:
                raise
            errors().print(Text(refused.message, "yellow"))
            time.sleep(1)
            return
        self.answered.add(detail.plans)
        errors().print(Text(answer.message, "dim"))

    def _show_plan(self, unit: UnitLine) -> bool:
        """False where it has a plan that can't be read."""
        preview = "  (made from mock outputs: it is planned again before it is applied)" if unit.preview else ""
        told = counts(unit) or "has no plan yet, since it waits for what comes before it"
        output().print(Text.assemble("\n", (unit.unit, "bold"), f"  {told}{preview}"))
        text = self.server.text(unit.text) if unit.text else None
        if text is not None:
            output().print(coloured(text))
        elif unit.text:
            errors().print(Text(f"Its text can't be read from the server now: /logs/{unit.text}", "yellow"))
        return text is not None or not unit.text

    def _tell_end(self, detail: RunDetail) -> None:
        if self.operation is Operation.PLAN:
            for unit in detail.units:
                if unit.phase is UnitPhase.PLANNED:
                    self._show_plan(unit)
        for unit in detail.units:
            if unit.phase in _HAS_TEXT and self.operation is not Operation.PLAN:
                self._tell_unit(unit)
        good = detail.run.status == RunStatus.SUCCEEDED
        output().print(Text(f"\n{self.operation.value} {detail.run.status}", "bold green" if good else "bold red"))
        if detail.message:
            output().print(Text(standalone.told(detail.message)))

    def _tell_unit(self, unit: UnitLine) -> None:
        said = standalone.told(unit.message.strip())
        if unit.phase is UnitPhase.APPLIED:
            log = self.server.text(unit.log) if unit.log else None
            said = apply_text(log) if log else said
        if said:
            output().print(Text.assemble("\n", (unit.unit, "bold"), "\n", said))

    def _say_how_to_go_on(self) -> None:
        goes_on = "It rests, and goes on with" if standalone.is_asked else "It goes on. To watch it again"
        errors().print(
            f"\n{goes_on}: {standalone.typed} runs watch {self.run_id}\n"
            f"If it waits for your yes: {standalone.typed} approve {self.run_id}\n"
            f"To end it: {standalone.typed} runs cancel {self.run_id}"
        )

    @property
    def _path(self) -> str:
        return f"/runs/{quote(self.run_id, safe='')}"


def is_terminal() -> bool:
    """Can somebody be asked here?"""
    return sys.stdin.isatty() and sys.stdout.isatty()


def asks_for_yes(operation: Operation) -> bool:
    """As Terraform asks; a refresh takes no actions, as its plan has just said."""
    refreshes = operation is Operation.REFRESH
    done = "take what is described above into the state" if refreshes else "carry out the actions described above"
    output().print(
        f"\nDo you want DocuStack to {done}?\n  Only 'yes' will be accepted to approve; anything else ends the run.\n"
    )
    return _typed("  Enter a value: ") == "yes"


def asks_for_paths(paths: tuple[str, ...]) -> bool:
    """Nothing is destroyed by a yes that is typed out of habit."""
    wanted = " ".join(paths)
    output().print(
        "\nDo you really want to destroy all that is described above? There is no undo.\n"
        f"  Only '{wanted}' will be accepted to confirm; anything else ends the run.\n"
    )
    return _typed("  Enter the path again: ") == wanted


def _typed(prompt: str) -> str:
    try:
        return input(prompt).strip()
    except EOFError:
        return ""


def refuse_without_terminal(operation: Operation) -> None:
    """Raises CommandFailed where nobody can be asked here."""
    if is_terminal():
        return
    raise CommandFailed(
        f"docustack {operation.value} asks for a yes, and there is no terminal to ask at.",
        "--auto-approve says yes beforehand to whatever the plans show; an environment's approvals are asked for all "
        "the same.",
        code=ExitCode.USAGE,
    )
