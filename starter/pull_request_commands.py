"""`docustack pr`: what is known of pull requests: plans, what runs, what waits, what ran."""

from typing import Annotated

import typer
from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from docustack.pull_request_state import PullRequestState, RunToStart
from docustack.pull_request_status import status_of
from docustack.repository import Repository
from starter.answers import PlannedUnit, PullRequestLine
from starter.client import Connection, with_temporal
from starter.console import errors, output, print_json
from starter.found_pull_requests import list_pull_requests, planned_units, read_pull_request
from starter.options import JsonOption, RepositoryOption
from starter.run_display import plain_table, status_text
from starter.surroundings import repository_named, repository_wanted

app = typer.Typer(name="pr", help="Show pull requests as DocuStack knows them.", no_args_is_help=True)

_UNIT_STYLES = {"preview": "yellow", "deferred": "yellow", "applied": "green", "no-changes": "dim"}


def _number(typed: str) -> int:
    """As people write it: `12`, or `#12`."""
    digits = typed.removeprefix("#")
    if not (digits.isascii() and digits.isdigit() and int(digits)):
        raise typer.BadParameter(f"{typed!r} is no number of a pull request")
    return int(digits)


@app.command("list")
def list_(
    everything: Annotated[bool, typer.Option("--all", help="Closed ones too.")] = False,
    repository: RepositoryOption = None,
    limit: Annotated[int, typer.Option("--limit", "-n", min=1, max=1_000, help="At most so many.")] = 20,
    as_json: JsonOption = False,
) -> None:
    """List the open pull requests, the newest first."""
    chosen = repository_named(repository)
    lines = with_temporal(
        lambda connection: list_pull_requests(connection, chosen, everything=everything, limit=limit),
        waiting="Asking for pull requests…",
    )
    if as_json:
        print_json({"pull_requests": [line.model_dump(mode="json") for line in lines]})
    elif lines:
        output().print(_list_table(lines))
    else:
        errors().print("No pull request is known." if everything else "No open pull request is known.")


@app.command()
def show(
    number: Annotated[int, typer.Argument(metavar="N", parser=_number, help="The pull request's number.")],
    repository: RepositoryOption = None,
    as_json: JsonOption = False,
) -> None:
    """Show one pull request: what runs, what waits, the plan of each unit, what was applied, the runs before."""
    chosen = repository_wanted(repository)

    async def read(connection: Connection) -> tuple[PullRequestState, str]:
        state = await read_pull_request(connection, chosen, number)
        return state, connection.url(f"pr:{chosen.full_name}#{number}")

    state, url = with_temporal(read, waiting=f"Asking for pull request #{number}…")
    if as_json:
        print_json(_json(chosen, number, state, url))
    else:
        output().print(_page(chosen, number, state, url))


def _json(repository: Repository, number: int, state: PullRequestState, url: str) -> dict[str, object]:
    return {
        "repository": repository.full_name,
        "number": number,
        "status": status_of(state),
        "temporal_url": url,
        "facts": state.facts.model_dump(mode="json") if state.facts else None,
        "active": state.active.model_dump(mode="json") if state.active else None,
        "queue": [run.model_dump(mode="json") for run in state.queue],
        "units": [unit.model_dump(mode="json") for unit in planned_units(state)],
        "runs": [run.model_dump(mode="json") for run in state.runs],
        "rejected": state.rejected,
    }


def _list_table(lines: list[PullRequestLine]) -> Table:
    several = len({line.repository for line in lines}) > 1
    table = plain_table(
        "PR", *(["REPOSITORY"] if several else []), "TITLE", "AUTHOR", "STATUS", "RUN", "PLANS", "APPLIED"
    )
    for line in lines:
        table.add_row(
            f"#{line.number}",
            *([line.repository] if several else []),
            Text(line.title or "(no worker answers)" if line.plans is None else line.title),
            line.author,
            status_text(line.status) if line.status != "idle" else Text("idle", "dim"),
            line.active_run or "",
            "?" if line.plans is None else str(line.plans),
            "?" if line.applied is None else str(line.applied),
        )
    return table


def _page(repository: Repository, number: int, state: PullRequestState, url: str) -> RenderableType:
    parts: list[RenderableType] = [_title(number, state), *_facts(repository, state, url), "", *_now(state)]
    units = planned_units(state)
    if units:
        parts += ["", Text("Units", "bold"), _units_table(units)]
    if state.runs:
        parts += ["", Text("Runs before", "bold"), _runs_table(state)]
    if state.rejected:
        parts += ["", Text("Not understood", "bold"), *(Text(f"  {what}", "yellow") for what in state.rejected)]
    return Group(*parts)


def _title(number: int, state: PullRequestState) -> Text:
    facts = state.facts
    if facts is None:
        return Text.assemble((f"#{number}", "bold"), "  (GitHub has not been asked yet)")
    how = "merged" if facts.merged else "draft" if facts.draft and facts.state == "open" else facts.state
    return Text.assemble((f"#{number} {facts.title}", "bold"), "  ", (how, "green" if how == "open" else "magenta"))


def _facts(repository: Repository, state: PullRequestState, url: str) -> list[RenderableType]:
    facts = state.facts
    lines = [f"{repository.full_name}"]
    if facts is not None:
        fork = " (from a fork: never planned by itself)" if facts.from_fork else ""
        lines.append(f"{facts.author}: {facts.head_ref} into {facts.base_ref}, head {facts.head_commit[:12]}{fork}")
        lines.append(facts.url)
    return [Text(line, "dim") for line in [*lines, url] if line]


def _now(state: PullRequestState) -> list[RenderableType]:
    active = state.active
    if active is None:
        lines = [Text("Nothing runs.", "dim")]
    else:
        on = f" of {', '.join(active.directories)}" if active.directories else ""
        stands = "waits" if active.waiting else "runs"
        head = Text(
            f"{active.operation.value}{on} by {active.actor} {stands}: ", "yellow" if active.waiting else "cyan"
        )
        lines = [head.append(f"docustack runs watch {active.run_id}", "bold")]
    lines += [Text(f"{place}. in the queue: {_asked(run)}") for place, run in enumerate(state.queue, 1)]
    if state.plan_again:
        lines.append(Text("Then the new head is planned.", "dim"))
    return list(lines)


def _asked(run: RunToStart) -> str:
    on = f" of {', '.join(run.directories)}" if run.directories else ""
    return f"{run.operation.value}{on} by {run.actor}"


def _units_table(units: tuple[PlannedUnit, ...]) -> Table:
    table = plain_table("UNIT", "STATE", "CHANGES", "COMMIT", "RUN", "")
    for unit in units:
        counts = "" if unit.add is None else f"+{unit.add} ~{unit.change} -{unit.destroy}"
        note = f"planned again after {', '.join(unit.waits_for)}" if unit.waits_for else ""
        state = Text(unit.state, _UNIT_STYLES.get(unit.state, "cyan"))
        table.add_row(unit.unit, state, counts, unit.commit[:12], unit.run_id or "", note)
    return table


def _runs_table(state: PullRequestState) -> Table:
    table = plain_table("RUN", "OPERATION", "ACTOR", "STATUS", "COMMIT")
    for run in reversed(state.runs):
        table.add_row(run.run_id, run.operation.value, run.actor, status_text(run.status.value), run.head_commit[:12])
    return table
