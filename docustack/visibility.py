"""What Temporal's visibility can be asked about our workflows: the names of their attributes, and questions in them."""

from collections.abc import Sequence
from datetime import datetime

from docustack.repository import Repository

REPOSITORY = "DocustackRepository"
ENVIRONMENT = "DocustackEnvironment"
UNITS = "DocustackUnits"
PULL_REQUEST = "DocustackPullRequest"
BASE_BRANCH = "DocustackBaseBranch"
ACTOR = "DocustackActor"
STATUS = "DocustackStatus"

AND_MORE = "…"
"""A last value in the place of the units that don't fit: no unit is named so, and it can be asked for."""

UNITS_BYTES = 1_600
"""A value has at most 2,048 bytes: more refuses a start, and an upsert terminates the workflow."""

_NAMED_AT_ONCE = 50


def quoted(value: str) -> str:
    """A value within a query."""
    return "'" + value.replace("\\", "\\\\").replace("'", "\\'") + "'"


def capped(units: Sequence[str]) -> list[str]:
    """As many as fit into one attribute."""
    fitting: list[str] = []
    size = 0
    for unit in units:
        size += len(unit.encode()) + 8
        if size > UNITS_BYTES:
            break
        fitting.append(unit)
    return fitting


def capped_and_marked(units: Sequence[str]) -> list[str]:
    """As many as fit, and where some don't, a sign by which whoever looks for one of those finds this too."""
    fitting = capped(units)
    return fitting if len(fitting) == len(units) else [*fitting, AND_MORE]


def open_pull_requests(repository: Repository, units: Sequence[str] | None = None, base_ref: str = "") -> str:
    """The workflows of open pull requests; with `units` those that have a plan for one of them, or may have.

    A pull request of very many units is found by every unit: it knows itself which it has. With `base_ref`: those into
    that branch.
    """
    query = (
        "WorkflowType = 'PullRequestWorkflow' AND ExecutionStatus = 'Running' "
        f"AND {REPOSITORY} = {quoted(repository.full_name)}"
    )
    if base_ref:
        query += f" AND {BASE_BRANCH} = {quoted(base_ref)}"
    if units is None or len(units) > _NAMED_AT_ONCE:
        return query
    named = ", ".join(quoted(unit) for unit in [*units, AND_MORE])
    return f"{query} AND {UNITS} IN ({named})"


def lock_holders(repository: Repository) -> str:
    """Everything that may hold or want units: open pull requests, and their runs."""
    return (
        "WorkflowType IN ('PullRequestWorkflow', 'RunWorkflow') AND ExecutionStatus = 'Running' "
        f"AND {REPOSITORY} = {quoted(repository.full_name)}"
    )


def runs_since(repository: Repository, pull_request: int, since: datetime) -> str:
    """Runs of a pull request that work, or have ended only now."""
    return (
        f"WorkflowType = 'RunWorkflow' AND {REPOSITORY} = {quoted(repository.full_name)} AND {PULL_REQUEST} = "
        f"{pull_request} AND (ExecutionStatus = 'Running' OR CloseTime > '{since:%Y-%m-%dT%H:%M:%SZ}')"
    )


def finished_runs(repository: Repository, environment: str) -> str:
    """Runs of an environment that came to an end of their own, the newest first."""
    return (
        f"WorkflowType = 'RunWorkflow' AND ExecutionStatus = 'Completed' AND {REPOSITORY} = "
        f"{quoted(repository.full_name)} AND {ENVIRONMENT} = {quoted(environment)}"
    )
