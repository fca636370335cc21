"""Options that several commands have."""

from typing import Annotated

import typer

JsonOption = Annotated[bool, typer.Option("--json", help="Print JSON (docs/cli.md has its shape), and nothing else.")]

WaitOption = Annotated[bool, typer.Option("--wait", "-w", help="Stay until it has ended, and show how.")]

RepositoryOption = Annotated[
    str | None,
    typer.Option(
        "--repository",
        "-r",
        metavar="OWNER/NAME",
        help="The live repository; else that of DOCUSTACK_REPOSITORIES, of docustack.yaml here, of the local world.",
    ),
]
