"""Plays one scenario on a world made anew for it, and says at the end how each step went."""

from pathlib import Path

from rich.console import Console
from rich.table import Column, Table
from rich.text import Text
from temporalio.service import RPCError

from local.demo.scenarios import SCENARIOS, Scenario
from local.demo.screen import Screen
from local.demo.stage import Differs, Stage
from local.histories import Workflow
from local.state import WorldError
from local.world import World


def perform(name: str, data_dir: Path, console: Console, *, keep: bool = False, terragrunt: str | None = None) -> bool:
    """Play a scenario from a clean start; True if all of it was as it should be.

    An earlier world of this folder is stopped and removed. The new one is stopped at the end, unless it is to be kept;
    its data stays for who wants to look.

    Raises:
        KeyError: there is no such scenario.
    """
    scenario = SCENARIOS[name]
    screen = Screen(console)
    stage = Stage(World(data_dir, screen.tell), screen)
    console.print(Text.assemble(("DocuStack", "bold"), f": {scenario.summary}. All of it on this machine, for real."))
    try:
        _bring_up(stage, terragrunt, scenario)
        scenario.play(stage)
    except Differs:
        pass  # on record
    else:
        stage.complete = True
    finally:
        workflows = _workflows(stage)
        if not keep:
            _stop(stage)
    _show_places(stage, workflows, kept=keep)
    _show_steps(stage)
    return stage.complete


def _bring_up(stage: Stage, terragrunt: str | None, scenario: Scenario) -> None:
    with stage.step("The world starts"):
        try:
            stage.world.up(
                fresh=True, terragrunt=terragrunt, workers=scenario.workers, empty_account=scenario.empty_account
            )
        except WorldError as error:
            stage.check("the world is up", False, error)
            return
        status = stage.world.status()
        stage.same("every part runs", sorted(status.processes), sorted(stage.world.part_names()))
        stage.screen.tell("GitHub", f"{status.github.url}/{status.github.owner}/{status.github.repository}", 0)
        stage.screen.tell("Slack", f"{status.slack.url}  {status.slack.channel}", 0)
        stage.screen.tell("Temporal", status.temporal.ui_url, 0)


def _workflows(stage: Stage) -> list[Workflow]:
    try:
        return stage.doors.histories.workflows()
    except (WorldError, RPCError, RuntimeError):
        return []  # the world is not up: that has been told


def _stop(stage: Stage) -> None:
    stage.screen.console.print()
    try:
        stage.world.down()
    except WorldError as error:
        stage.screen.differs("The world could not be stopped", str(error))


def _show_places(stage: Stage, workflows: list[Workflow], *, kept: bool) -> None:
    console = stage.screen.console
    console.print()
    if workflows:
        status = stage.world.status()
        table = Table(Column("workflow", no_wrap=True), "kind", "status", "events", box=None, padding=(0, 2, 0, 0))
        for one in workflows:
            table.add_row(one.id, one.kind, one.status.lower(), str(one.events))
        console.print(table)
        console.print(f"\nTemporal UI  {status.temporal.ui_url}\nGitHub       {status.github.url}", highlight=False)
    if kept:
        console.print("It is still up: `docustack local status` shows where, `make down` stops it.")
    else:
        console.print(
            "It is stopped. `make up` starts it again with what it has written, except for AWS: moto forgets."
        )


def _show_steps(stage: Stage) -> None:
    console, places = stage.screen.console, stage.world.places
    table = Table("", "step", "checks", "time", title="Summary", title_justify="left")
    for step in stage.steps:
        sign = Text("✔", "green") if step.is_well else Text("✘", "red")
        table.add_row(sign, f"{step.number}  {step.title}", str(step.checks), f"{step.seconds:.0f} s")
    console.print()
    console.print(table)
    differences = [difference for step in stage.steps for difference in step.differences]
    if stage.complete:
        console.print(f"All of it was as it should be, in {stage.screen.elapsed:.0f} s.", style="green")
        return
    console.print("Not as it should be:", style="bold red")
    for difference in differences or ["it did not come to its end"]:
        console.print(Text(f"  {difference}"))
    logs = ", ".join(str(places.log(part)) for part in ("worker", "server"))
    console.print(f"Where to look: {logs}. With `--keep` GitHub and Temporal stay up to look at.")
