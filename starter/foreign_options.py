"""Options of Terraform and Terragrunt that a run doesn't have: why not, and what there is instead."""

from collections.abc import Sequence
from typing import Any

from typer.core import TyperCommand

from starter.exit_codes import CommandFailed, ExitCode

_STATE = (
    "The state is where the unit's terragrunt.hcl says, for everybody.",
    "Change its `remote_state` there.",
)
_LOCKS = (
    "Every run takes the locks that it needs, waits for them, and nothing goes past them.",
    "Who holds what: docustack locks list; to free a unit: docustack locks release UNIT.",
)
_UNITS = (
    "Paths say what a run is of, and the order follows from the dependencies.",
    "Name units or folders with units: docustack plan dev, docustack plan dev/us-east-1/vpc.",
)
_WORKER = (
    "Terragrunt is called by the worker, for everybody in one way.",
    "What a unit needs stands in its terragrunt.hcl, what all need in docustack.yaml.",
)
_QUESTIONS = (
    "Nothing but your yes to the plans is asked for.",
    "--auto-approve says it beforehand.",
)
_VARIABLES = (
    "A run takes no variables from a command line: nobody could see later with which it was applied.",
    "Inputs stand in the unit's terragrunt.hcl: change them there, and say --ref with your branch.",
)
_PRINTED = (
    "Values are printed by Terraform's rules, and whole as JSON.",
    "Say --json.",
)

_INSTEAD: dict[str, tuple[str, str]] = {
    "var": _VARIABLES,
    "var-file": _VARIABLES,
    "replace": (
        "A run replaces nothing for its own sake.",
        "Destroy it, then apply: docustack destroy UNIT --target ADDRESS, docustack apply UNIT.",
    ),
    "refresh": (
        "A plan is always made from what is in AWS now, or the yes would be to something else than what happens.",
        "To take that into the state alone: docustack refresh PATH.",
    ),
    "refresh-only": ("That is a run of its own.", "docustack refresh PATH"),
    "destroy": ("That is a run of its own.", "docustack destroy PATH"),
    "parallelism": (
        "How much is done at once is a rule of the repository.",
        "It is plan.parallelism and apply.parallelism in docustack.yaml.",
    ),
    "lock": _LOCKS,
    "lock-timeout": _LOCKS,
    "out": (
        "Every plan is kept, and what you say yes to is what is applied.",
        "Leave it out; docustack runs show ID has the plans of a run.",
    ),
    "state": _STATE,
    "state-out": _STATE,
    "backup": _STATE,
    "backend-config": _STATE,
    "input": _QUESTIONS,
    "non-interactive": _QUESTIONS,
    "no-color": ("Colours are left out where nobody looks.", "Set NO_COLOR=1."),
    "compact-warnings": ("Plans are shown as Terraform makes them.", "Leave it out."),
    "detailed-exitcode": (
        "Exit codes tell how a run ended, not what its plans have.",
        "Say --json: it has the counts.",
    ),
    "chdir": _UNITS,
    "working-dir": _UNITS,
    "all": _UNITS,
    "filter": _UNITS,
    "raw": _PRINTED,
    "source": _WORKER,
    "config": _WORKER,
    "iam-assume-role": _WORKER,
    "feature": _WORKER,
}
_BY_BEGINNING = {"queue-": _UNITS, "terragrunt-": _WORKER}


class OrderCommand(TyperCommand):
    """A command whose like in Terraform has options that this one hasn't."""

    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:  # of typer's own click, which names it nowhere
        if not ctx.resilient_parsing:  # a shell completes it
            refuse_foreign_options(args)
        return super().parse_args(ctx, args)


def refuse_foreign_options(arguments: Sequence[str]) -> None:
    """Before they are read as ours: `-replace=…` would be `-r`, the repository.

    Raises:
        CommandFailed: one of them is among the arguments, by one dash or two.
    """
    for argument in arguments:
        if argument == "--":
            return
        if not argument.startswith("-"):
            continue
        found = _instead_of(argument.lstrip("-").partition("=")[0])
        if argument == "-json":
            found = ("It is written with two dashes.", "--json")
        if found is not None:
            typed = argument.partition("=")[0]
            raise CommandFailed(f"There is no {typed}. {found[0]}", found[1], code=ExitCode.USAGE)


def _instead_of(name: str) -> tuple[str, str] | None:
    return _INSTEAD.get(name) or next((how for start, how in _BY_BEGINNING.items() if name.startswith(start)), None)
