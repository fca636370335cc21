"""`docustack states`: states that Terraform could not write to their backends, as a worker's host keeps them."""

import asyncio
import os
from pathlib import Path
from typing import Annotated

import typer

from activities.artifacts import ArtifactMissing, ArtifactStore
from activities.unwritten_states import all_of, close, host_store
from docustack.unwritten_states import UnwrittenState
from starter.console import errors, output, print_json
from starter.exit_codes import CommandFailed, ExitCode
from starter.options import JsonOption
from worker.settings import Process, Settings

app = typer.Typer(
    name="states",
    help="On a worker's host, with its settings: the states that Terraform could not write to their backends.",
    no_args_is_help=True,
)

Artifact = Annotated[str, typer.Argument(help="As the pull request names it, `unwritten-states/…/….tfstate`.")]


@app.command("list")
def list_(as_json: JsonOption = False) -> None:
    """List what waits to be written: it is, by itself, before the next apply of its unit."""
    waiting = [state for _, state in _all() if not state.closed]
    if as_json:
        print_json({"states": [state.model_dump(mode="json") for state in waiting]})
        return
    for state in waiting:
        output().print(f"{state.unit}  run {state.run_id}, {state.found_at:%Y-%m-%d %H:%M} UTC  {state.artifact}")
    if not waiting:
        errors().print("No state waits to be written.")


@app.command()
def save(artifact: Artifact, file: Annotated[Path, typer.Argument(help="Made anew, for you alone.")]) -> None:
    """Write such a state, opened, into a file, for `terragrunt state push FILE`. It holds secrets: remove it then.

    Exit codes: 2 there is such a file already, 4 there is no such state, or this host's keys don't open it.
    """
    store, state = _one(artifact)
    try:
        document = asyncio.run(store.get_sealed(state.artifact))
        descriptor = os.open(file, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    except ArtifactMissing as missing:
        raise CommandFailed(f"{artifact} can't be opened: {missing}", code=ExitCode.NOT_FOUND) from None
    except OSError as error:
        raise CommandFailed(f"{file} can't be written: {error.strerror}.", code=ExitCode.USAGE) from error
    with os.fdopen(descriptor, "wb") as written:
        written.write(document)
    output().print(f"{file}: in `{state.unit}`, `terragrunt state push {file.absolute()}` writes it.")


@app.command()
def dismiss(artifact: Artifact) -> None:
    """Say that a state is not to be written any more: the unit is applied without it. It stays kept.

    Exit codes: 4 there is no such state.
    """
    store, state = _one(artifact)
    asyncio.run(close(store, state, "dismissed"))
    output().print(f"{state.unit} is applied without {artifact} from now on.")


def _one(artifact: str) -> tuple[ArtifactStore, UnwrittenState]:
    for store, state in _all():
        if state.artifact == artifact:
            return store, state
    raise CommandFailed(f"There is no {artifact}.", "`docustack states list` has them.", code=ExitCode.NOT_FOUND)


def _all() -> list[tuple[ArtifactStore, UnwrittenState]]:
    from worker.wiring import artifact_store  # noqa: PLC0415 - with all its clients it takes seconds

    settings = Settings.load(Process.WORKER)
    shared = artifact_store(settings)

    async def read() -> list[tuple[ArtifactStore, UnwrittenState]]:
        stores = (shared, host_store(shared, settings.data_dir))
        return [(store, state) for store in stores for state in await all_of(store)]

    return asyncio.run(read())
