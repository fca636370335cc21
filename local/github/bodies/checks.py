"""Check runs, as GitHub shows them."""

from local.github.bodies import Body, people
from local.github.bodies.pulls import moment
from local.github.hub import Hub
from local.github.people import BOT
from local.github.records import CheckRun, PullRequest


def check_run(hub: Hub, run: CheckRun) -> Body:
    api = f"{hub.api_url}/check-runs/{run.id}"
    pulls = [pull for pull in hub.store.all(PullRequest) if pull.head_sha == run.head_sha and pull.state == "open"]
    return {
        "id": run.id,
        "name": run.name,
        "node_id": f"CR_{run.id}",
        "head_sha": run.head_sha,
        "external_id": run.external_id,
        "url": api,
        "html_url": page(hub, run, pulls),
        "details_url": run.details_url,
        "status": run.status,
        "conclusion": run.conclusion,
        "started_at": moment(run.started_at),
        "completed_at": moment(run.completed_at),
        "output": {
            "title": run.title,
            "summary": run.summary,
            "text": run.text,
            "annotations_count": 0,
            "annotations_url": f"{api}/annotations",
        },
        "check_suite": None,
        "app": _app(hub),
        "pull_requests": [_minimal(hub, pull) for pull in pulls],
    }


def page(hub: Hub, run: CheckRun, pulls: list[PullRequest]) -> str | None:
    return f"{hub.repository_url}/pull/{pulls[0].number}/checks#check-{run.id}" if pulls else None


def _minimal(hub: Hub, pull: PullRequest) -> Body:
    repo = {"id": 1, "url": hub.api_url, "name": hub.settings.repository}
    return {
        "id": pull.id,
        "number": pull.number,
        "url": f"{hub.api_url}/pulls/{pull.number}",
        "head": {"ref": pull.head_ref, "sha": pull.head_sha, "repo": repo},
        "base": {"ref": pull.base_ref, "sha": pull.base_sha, "repo": repo},
    }


def _app(hub: Hub) -> Body:
    return {
        "id": 1,
        "slug": "docustack",
        "node_id": "A_1",
        "client_id": "Iv1.docustack",
        "owner": people.user(hub, hub.user(BOT)),
        "name": "DocuStack",
        "description": None,
        "external_url": hub.url,
        "html_url": f"{hub.url}/apps/docustack",
        "created_at": "2024-01-01T00:00:00Z",
        "updated_at": "2024-01-01T00:00:00Z",
        "permissions": {"checks": "write", "contents": "write", "pull_requests": "write", "members": "read"},
        "events": [],
    }
