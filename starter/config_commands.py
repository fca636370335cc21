"""`docustack config`: checks the configuration files of a live repository, and prints the schema for editors."""

import json
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console
from rich.text import Text

from docustack.configuration_file import CONFIGURATION_PATH, configuration_schema, read_configuration_files
from docustack.configuration_rules import check_folders
from docustack.errors import Problem
from docustack.terrateam import CONFIGURATION_PATHS
from docustack.yaml_source import YamlSource

app = typer.Typer(name="config", help="Check docustack.yaml and .terrateam/config.yml.", no_args_is_help=True)

EXIT_PROBLEMS = 1
EXIT_UNREADABLE = 2


@app.command()
def check(
    path: Annotated[Path, typer.Argument(help="A live repository, or its docustack.yaml.")] = Path(),
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
) -> None:
    """Say everything that is wrong with the configuration, each with its line and what to do.

    Exit codes: 0 all is well (there may be warnings), 1 there are problems, 2 there is nothing to read at PATH.
    """
    main = _main_file(path)
    root = main.parent
    try:
        texts = _read(main)
    except OSError as error:
        typer.echo(f"{error.filename or path}: can't be read: {error.strerror or error}", err=True)
        typer.echo("Name the folder of a live repository with a docustack.yaml, or that file.", err=True)
        raise typer.Exit(EXIT_UNREADABLE) from None
    files = read_configuration_files(texts, where=str(root))
    problems = [*files.problems, *check_folders(_source(texts), lambda folder: (root / folder).is_dir())]
    problems.sort(key=lambda problem: (problem.file != CONFIGURATION_PATH, problem.line, problem.column))
    places = {name: str(root / name) for name in texts} | {CONFIGURATION_PATH: str(main)}
    if as_json:
        found = [problem.model_copy(update={"file": places[problem.file]}) for problem in problems]
        answer = {"problems": [problem.model_dump() for problem in found], "warnings": list(files.warnings)}
        typer.echo(json.dumps(answer, indent=2, ensure_ascii=False))
    else:
        _print(problems, files.warnings, texts, places)
    if problems:
        raise typer.Exit(EXIT_PROBLEMS)


@app.command()
def schema() -> None:
    """Print the JSON Schema of docustack.yaml."""
    typer.echo(configuration_schema())


def _main_file(path: Path) -> Path:
    """The docustack.yaml that is meant: by its folder, by itself, or by the Terrateam file beside it."""
    absolute = path.absolute()
    for beside in CONFIGURATION_PATHS:
        if absolute.as_posix().endswith(f"/{beside}"):
            return absolute.parents[len(Path(beside).parts) - 1] / CONFIGURATION_PATH
    return path / CONFIGURATION_PATH if path.is_dir() else path


def _read(main: Path) -> dict[str, str]:
    """The texts of the files that there are, by the paths that they have in a repository."""
    beside = {name: main.parent / name for name in CONFIGURATION_PATHS}
    return {CONFIGURATION_PATH: _text(main)} | {name: _text(path) for name, path in beside.items() if path.is_file()}


def _text(path: Path) -> str:
    # What isn't UTF-8 shows as a replaced character, where the problem then points.
    return path.read_text(encoding="utf-8", errors="replace")


def _source(texts: dict[str, str]) -> YamlSource:
    return YamlSource(texts[CONFIGURATION_PATH], CONFIGURATION_PATH)


def _print(problems: list[Problem], warnings: tuple[str, ...], texts: dict[str, str], places: dict[str, str]) -> None:
    console = Console(highlight=False, soft_wrap=True)
    for problem in problems:
        console.print(_pointed_out(problem, places[problem.file], texts[problem.file]))
    for warning in warnings:
        console.print(Text.assemble(("warning: ", "yellow"), warning))
    if problems:
        number = "1 problem" if len(problems) == 1 else f"{len(problems)} problems"
        console.print(Text(f"{number}; nothing starts with this configuration.", "bold"))
    else:
        console.print(Text(f"{' and '.join(places[name] for name in texts)}: no problems.", "green"))


def _pointed_out(problem: Problem, file: str, text: str) -> Text:
    """As compilers do: place and message, the line, and a mark below its place."""
    place = ":".join([file, *(str(number) for number in (problem.line, problem.column) if number)])
    where = f"{problem.where}: " if problem.where else ""
    shown = Text.assemble((f"{place}: ", "bold"), ("error: ", "red"), f"{where}{problem.what}")
    lines = text.splitlines()
    if 0 < problem.line <= len(lines):
        number = f"{problem.line:>5} | "
        line = lines[problem.line - 1].replace("\t", " ")
        shown.append(f"\n{number}{line}\n", "dim")
        shown.append(" " * (len(number) + max(problem.column - 1, 0)) + "^", "red")
    if problem.suggestion:
        shown.append(f"\n      = {problem.suggestion}", "cyan")
    return shown
