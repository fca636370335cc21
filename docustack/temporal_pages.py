"""The addresses of workflows in Temporal's own UI."""

from urllib.parse import quote


def workflow_page(ui: str, namespace: str, workflow_id: str, run_id: str = "") -> str:
    """Of one run of it, or of the newest; empty where no UI is known."""
    if not ui:
        return ""
    page = f"{ui.rstrip('/')}/namespaces/{namespace}/workflows/{quote(workflow_id, safe='')}"
    return f"{page}/{run_id}/history" if run_id else page
