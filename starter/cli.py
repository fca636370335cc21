"""The command `docustack`: its subcommands, and how each of them ends."""

import os
import sys
import traceback
from collections.abc import Sequence
from typing import Annotated, NoReturn

import typer

from docustack.errors import ConfigurationError, DocuStackError
from local.state import WorldError
from starter import (
    approval_commands,
    bootstrap_commands,
    config_commands,
    deploy_commands,
    doctor_commands,
    history_commands,
    local_commands,
    lock_commands,
    order_commands,
    orphan_commands,
    output_commands,
    process_commands,
    pull_request_commands,
    run_commands,
    state_commands,
    tool_commands,
    unit_commands,
)
from starter.console import print_failure
from starter.ending import finish
from starter.exit_codes import CommandFailed, ExitCode
from starter.foreign_options import OrderCommand
from starter.standalone.surrounding import standalone

DEBUG = "DOCUSTACK_DEBUG"
_NOT_STANDALONE = ("worker", "serve", "local", "doctor", "states")

app = typer.Typer(
    name="docustack",
    help="Deploy Terragrunt live repositories durably: pull requests planned, approved, applied, watched.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    rich_markup_mode="rich",
    context_settings={"help_option_names": ["-h", "--help"]},
)
for commands in (
    pull_request_commands,
    run_commands,
    deploy_commands,
    lock_commands,
    unit_commands,
    state_commands,
    history_commands,
    config_commands,
    tool_commands,
    local_commands,
):
    app.add_typer(commands.app)
run_commands.app.command()(approval_commands.cancel)
unit_commands.app.command()(orphan_commands.orphans)
unit_commands.app.command()(orphan_commands.dismiss)
app.command()(approval_commands.approve)
app.command()(approval_commands.reject)
app.command(cls=OrderCommand)(order_commands.plan)
app.command(cls=OrderCommand)(order_commands.apply)
app.command(cls=OrderCommand)(order_commands.destroy)
app.command(cls=OrderCommand)(order_commands.refresh)
app.command("import", cls=OrderCommand)(order_commands.import_)
app.command("output", cls=OrderCommand)(output_commands.output_)
app.command()(doctor_commands.doctor)
app.command()(bootstrap_commands.bootstrap)
app.command()(process_commands.worker)
app.command()(process_commands.serve)
app.command()(tool_commands.version)


@app.callback()
def _options(
    context: typer.Context,
    alone: Annotated[
        bool,
        typer.Option(
            "--standalone",
            help="Without an installation: Temporal, a worker and the server on this machine, while the command needs "
            "them; what it began goes on with the next one.",
        ),
    ] = False,
    resume: Annotated[
        bool, typer.Option("--resume", help="With --standalone: go on with whatever else rests, without a question.")
    ] = False,
    debug: Annotated[
        bool, typer.Option("--debug", help=f"Show where in the code it failed (or set {DEBUG}=1).")
    ] = False,
) -> None:
    if debug:
        os.environ[DEBUG] = "1"
    if alone and context.invoked_subcommand in _NOT_STANDALONE:
        raise CommandFailed(
            f"`docustack {context.invoked_subcommand}` has no standalone form.",
            "Standalone, the commands that need a worker and a server start them by themselves.",
            code=ExitCode.USAGE,
        )
    if resume and not alone:
        raise CommandFailed("--resume goes with --standalone: elsewhere nothing rests.", code=ExitCode.USAGE)
    if alone:
        standalone.ask(resume=resume)


def main() -> NoReturn:
    """The entry point of `docustack` and of `python -m starter.cli`."""
    finish(run(sys.argv[1:]))


def run(arguments: Sequence[str]) -> int:
    """Carry out one command line; everything that can go wrong ends as an exit code and a readable message."""
    try:
        app(list(arguments), prog_name="docustack")
    except SystemExit as end:
        return _code(end)
    except KeyboardInterrupt:
        return ExitCode.INTERRUPTED
    except CommandFailed as failure:
        return _failed(failure.message, failure.code, failure.advice)
    except ConfigurationError as error:
        return _failed(str(error), ExitCode.USAGE)
    except (DocuStackError, WorldError) as error:
        return _failed(str(error), ExitCode.FAILED)
    except Exception as error:
        message = f"{type(error).__name__}: {error}"
        return _failed(message, ExitCode.FAILED, ("That was not foreseen; --debug shows where it happened.",))
    finally:
        standalone.leave()
    return ExitCode.OK


def _code(end: SystemExit) -> int:
    if end.code is None:
        return ExitCode.OK
    return end.code if isinstance(end.code, int) else ExitCode.FAILED


def _failed(message: str, code: ExitCode, advice: tuple[str, ...] = ()) -> int:
    if os.environ.get(DEBUG):
        traceback.print_exc()
    print_failure(message, advice)
    return code


if __name__ == "__main__":
    main()
