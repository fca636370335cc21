"""Where a run's comments, its check and its Slack messages point to."""

from urllib.parse import quote

from temporalio import workflow

from workflows.run_state import Run

with workflow.unsafe.imports_passed_through():
    from docustack.comments import Links
    from docustack.temporal_pages import workflow_page


def links_of(run: Run) -> Links:
    """The pull request, the run in Temporal's own UI, and each unit's log at our server: as far as they are known."""
    installation, info = run.state.installation, workflow.info()
    public = installation.public_url.rstrip("/")
    return Links(
        pull_request=run.start.pull_request.url if run.start.pull_request else "",
        run=workflow_page(installation.temporal_ui_url, info.namespace, info.workflow_id, info.run_id),
        log=lambda reference: f"{public}/logs/{quote(reference)}" if public else None,
    )
