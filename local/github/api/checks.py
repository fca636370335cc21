"""Check runs: https://docs.github.com/rest/checks/runs."""

from local.github import checks
from local.github.api.call import Answer, Call, route
from local.github.api.contents import commit_of
from local.github.bodies.checks import check_run
from local.github.errors import not_found
from local.github.records import CheckRun


class CheckCreate(checks.CheckChange):
    head_sha: str


def create(call: Call) -> Answer:
    wanted = call.read(CheckCreate)
    return Answer(check_run(call.hub, checks.create(call.hub, call.actor, wanted.head_sha, wanted)), 201)


def get(call: Call) -> Answer:
    return Answer(check_run(call.hub, _run(call)))


def update(call: Call) -> Answer:
    changed = checks.update(call.hub, call.actor, _run(call), call.read(checks.CheckChange))
    return Answer(check_run(call.hub, changed))


def list_for_ref(call: Call) -> Answer:
    sha = commit_of(call, call.parameters["ref"])
    superseded = call.query.get("filter") == "all"
    runs = checks.listed(call.hub, sha, call.query.get("check_name"), call.query.get("status"), superseded)
    shown = [check_run(call.hub, run) for run in runs]
    return call.page(shown, lambda page: {"total_count": len(shown), "check_runs": page})


def _run(call: Call) -> CheckRun:
    run = call.hub.store.find(CheckRun, call.number("check"))
    if run is None:
        raise not_found()
    return run


routes = [
    route("POST", "{repo}/check-runs", create),
    route("GET", "{repo}/check-runs/{check}", get),
    route("PATCH", "{repo}/check-runs/{check}", update),
    route("GET", "{repo}/commits/{ref:path}/check-runs", list_for_ref),
]
