"""`docustack local`: the outside world on this machine, with DocuStack in it, to look at, to click and to script."""

import os
import signal
import sys
import time
from pathlib import Path
from types import FrameType
from typing import Annotated

import typer
from rich.console import Console
from rich.table import Table
from rich.text import Text

from local import processes
from local.demo.scenarios import ALL, DEFAULT, SCENARIOS
from local.parts import PASSED_ON
from local.places import DEFAULT_DATA_DIR
from local.progress import Progress
from local.state import WorldError
from local.status import Status
from local.world import World
from starter.committed_rules import refuse_wrong_rules
from starter.console import errors, output, print_json
from starter.exit_codes import CommandFailed, ExitCode

app = typer.Typer(name="local", help="Run the whole outside world on this machine.", no_args_is_help=True)

WIDTH = 140

Detach = Annotated[bool, typer.Option("--detach", "-d", help="Return once all is ready, and leave it running.")]
Fresh = Annotated[bool, typer.Option("--fresh", help="Stop and remove an earlier world of this folder first.")]
DataDir = Annotated[
    Path, typer.Option("--data-dir", help="Where the world keeps everything; each folder is a world of its own.")
]
LiveRepository = Annotated[
    Path | None,
    typer.Option("--live-repository", help="Another than the example: its HEAD becomes main."),
]
Terragrunt = Annotated[str | None, typer.Option("--terragrunt", help="Another than the one of `make setup`.")]
Workers = Annotated[
    int | None, typer.Option("--workers", min=1, max=9, help="As many, each as if on a host of its own; 1 at first.")
]


@app.command()
def up(
    detach: Detach = False,
    fresh: Fresh = False,
    live_repository: LiveRepository = None,
    terragrunt: Terragrunt = None,
    workers: Workers = None,
    data_dir: DataDir = DEFAULT_DATA_DIR,
) -> None:
    """Start Temporal, AWS, GitHub, Slack, a worker and the webhook server, on free ports; Ctrl-C stops them.

    Started again, a world goes on with the data it had, except for AWS, of which nothing is kept.
    Exit codes: 0 it is up, 1 a part did not come up, 130 interrupted while starting.
    """
    _interrupt_on_signals()
    progress = Progress(errors())
    world = World(data_dir, progress.tell)
    began = time.monotonic()
    settings = {name: os.environ[name] for name in PASSED_ON if os.environ.get(name)}
    if live_repository is not None:
        refuse_wrong_rules(live_repository)
    with progress.waiting("Starting the world"):
        made = world.up(source=live_repository, terragrunt=terragrunt, fresh=fresh, settings=settings, workers=workers)
    status = world.status()
    errors().print(f"Up in {time.monotonic() - began:.0f} s." if made else "It is up already.")
    output().print(addresses(status))
    if not detach and made:
        _keep_running(world, progress)


@app.command()
def down(data_dir: DataDir = DEFAULT_DATA_DIR) -> None:
    """Stop everything; the data stays, except for that of AWS. Exit code 0 also where nothing ran."""
    progress = Progress(errors())
    with progress.waiting("Stopping the world"):
        stopped = World(data_dir, progress.tell).down()
    errors().print("Down." if stopped else f"Nothing of a world runs in {data_dir}.")


@app.command()
def status(
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON, for scripts.")] = False,
    data_dir: DataDir = DEFAULT_DATA_DIR,
) -> None:
    """Show the addresses, and which parts run.

    Exit codes: 0 the world is up (a part may be missing: `processes` has those that run), 4 there is none, or it is
    down.
    """
    world = World(data_dir)
    try:
        found = world.status()
    except WorldError as error:
        raise CommandFailed(str(error), code=ExitCode.NOT_FOUND) from error
    if as_json:
        print_json(found.model_dump())
    else:
        output().print(addresses(found))
        output().print(_parts(world, found))
    if not found.processes:
        raise typer.Exit(ExitCode.NOT_FOUND)


@app.command()
def token(
    login: Annotated[str, typer.Argument(help="One of the people of the local world, as `lead`.")],
    data_dir: DataDir = DEFAULT_DATA_DIR,
) -> None:
    """Print the GitHub token of one of its people, for commands that ask who you are.

    DOCUSTACK_GITHUB_USER_TOKEN=$(docustack local token lead) docustack approve RUN
    """
    try:
        tokens = World(data_dir).status().github.tokens
    except WorldError as error:
        raise CommandFailed(str(error), code=ExitCode.NOT_FOUND) from error
    if login not in tokens:
        raise CommandFailed(
            f"There is nobody called {login!r}.", f"There are {', '.join(sorted(tokens))}.", code=ExitCode.NOT_FOUND
        )
    sys.stdout.write(f"{tokens[login]}\n")


@app.command()
def restart(
    name: Annotated[str, typer.Argument(help="A part, as `docustack local status` names it.")],
    data_dir: DataDir = DEFAULT_DATA_DIR,
) -> None:
    """Start a part again on the same data; one that still runs is stopped first. AWS has no data: it starts empty.

    Exit codes: 0 it is ready, 1 it is not, 2 there is no such part.
    """
    progress = Progress(errors())
    world = World(data_dir, progress.tell)
    if name not in (known := world.part_names()):
        raise CommandFailed(f"There is no part {name!r}.", f"The parts are: {', '.join(known)}.", code=ExitCode.USAGE)
    with progress.waiting(f"Starting {name}"):
        world.restart(name)
    if name == "moto":
        errors().print("AWS was empty when it started: what Terraform's states described before is gone with them.")


@app.command()
def demo(
    scenario: Annotated[str, typer.Argument(help=f"One of {', '.join(SCENARIOS)}; {ALL} for each.")] = DEFAULT,
    keep: Annotated[bool, typer.Option("--keep", help="Leave the world running at the end.")] = False,
    terragrunt: Terragrunt = None,
    data_dir: DataDir = DEFAULT_DATA_DIR,
) -> None:
    """Play a scenario on a world made anew, and check all that it claims; an earlier world of this folder is removed.

    Exit codes: 0 every step was as it should be, 1 one was not, 2 there is no such scenario.
    """
    if scenario not in (*SCENARIOS, ALL):
        known = [f"{name}: {one.summary}" for name, one in SCENARIOS.items()]
        raise CommandFailed(f"There is no scenario {scenario!r}. There are:", *known, code=ExitCode.USAGE)
    from local.demo.performance import perform  # noqa: PLC0415  # takes a second that no other command has to wait for

    _interrupt_on_signals()
    # Where nobody looks the lines are as long as on a wide screen.
    console = Console(highlight=False, width=None if sys.stdout.isatty() else WIDTH)
    names = list(SCENARIOS) if scenario == ALL else [scenario]
    # Of all only the last one's world can be kept: they share the folder.
    played = [
        perform(name, data_dir, console, keep=keep and name == names[-1], terragrunt=terragrunt) for name in names
    ]
    if not all(played):
        raise typer.Exit(ExitCode.FAILED)


def addresses(status: Status) -> Table:
    """Where to look and to click."""
    table = Table.grid(padding=(0, 2))
    github = status.github
    rows = {
        "GitHub": f"{github.url}/{github.owner}/{github.repository}",
        "Slack": f"{status.slack.url}  {status.slack.channel}",
        "Temporal": f"{status.temporal.ui_url}  (gRPC {status.temporal.address})",
        "AWS": f"{status.aws.endpoint_url}  {status.aws.region}",
        "git": status.git.url,
        "webhooks": status.webhook.url,
        "logs": f"{status.data_dir}/logs",
    }
    for name, address in rows.items():
        table.add_row(Text(name, "bold"), address)
    return table


def _parts(world: World, status: Status) -> Table:
    table = Table("part", "process", "log", box=None, padding=(0, 2, 0, 0))
    for name in world.part_names():
        pid = status.processes.get(name)
        table.add_row(name, str(pid) if pid else Text("doesn't run", "red"), str(world.places.log(name)))
    return table


def _keep_running(world: World, progress: Progress) -> None:
    """Until Ctrl-C, or somebody else's `down`; a part that ends is told of, once, and left for `restart`."""
    console = errors()
    console.print("Ctrl-C stops it.")
    ended: set[str] = set()
    try:
        while world.is_up():
            missing = set(world.missing())
            for name in sorted(missing - ended):
                _tell_of_end(console, world, name)
            ended = missing
            time.sleep(1)
        console.print("Everything has been stopped.")
    except KeyboardInterrupt:
        with progress.waiting("Stopping the world"):
            world.down()
        console.print("Down.")


def _tell_of_end(console: Console, world: World, name: str) -> None:
    log = world.places.log(name)
    advice = f" `docustack local restart {name}` starts it again. {log} ends with:"
    console.print(Text.assemble((f"{name} has ended.", "red"), advice))
    console.print(processes.tail(log, 5), style="dim")


def _interrupt_on_signals() -> None:
    """A world is taken down also when its terminal is closed."""
    for number in (signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, _as_interrupt)


def _as_interrupt(_number: int, _frame: FrameType | None) -> None:
    raise KeyboardInterrupt
