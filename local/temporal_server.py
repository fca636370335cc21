"""The real Temporal dev server with its UI, on a file that survives it, tuned so that its defaults rule no figure."""

from datetime import timedelta
from pathlib import Path
from typing import Any

import httpx

from local import plain_http

NAMESPACE = "default"

_DYNAMIC_CONFIG = (
    # By default a queue is polled twenty times a second, which makes one activity take 55 ms instead of 13.
    "history.transferProcessorMaxPollRPS=2000",
    "history.timerProcessorMaxPollRPS=2000",
    "history.visibilityProcessorMaxPollRPS=2000",
    'history.timerProcessorMaxTimeShift="20ms"',
)
_FOR_GOOD = timedelta(days=100 * 365) / timedelta(seconds=1)
_SQLITE = ("journal_mode=WAL", "synchronous=NORMAL")


def command(executable: Path, host: str, ports: dict[str, int], folder: Path) -> list[str]:
    """The command line; `ports` names temporal, temporal-http, temporal-metrics and temporal-ui."""
    folder.mkdir(parents=True, exist_ok=True)
    arguments = {
        "--ip": host,
        "--port": str(ports["temporal"]),
        "--http-port": str(ports["temporal-http"]),
        "--metrics-port": str(ports["temporal-metrics"]),
        "--ui-port": str(ports["temporal-ui"]),
        "--db-filename": str(folder / "temporal.sqlite"),
        "--log-level": "warn",
    }
    return [
        *(str(executable), "server", "start-dev", "--ui-disable-news-fetch"),
        *(word for pair in arguments.items() for word in pair),
        *dynamic_config(),
        *(word for value in _SQLITE for word in ("--sqlite-pragma", value)),
    ]


def dynamic_config(*more: str) -> list[str]:
    """The part of a command line that sets what makes a dev server quick, and more as `KEY=VALUE`."""
    return [word for value in (*_DYNAMIC_CONFIG, *more) for word in ("--dynamic-config-value", value)]


def is_ready(url: str) -> bool:
    """Whether the server, whose HTTP API is at `url`, answers for its namespace: later than its port is open."""
    return _ask(url, f"namespaces/{NAMESPACE}") is not None


def keep_for_good(url: str) -> bool:
    """Let no history be deleted: by default the dev server does so a day after a workflow's end. False: not yet.

    It counts for what ends from then on.
    """
    wanted = {"config": {"workflowExecutionRetentionTtl": f"{_FOR_GOOD:.0f}s"}}
    try:
        return plain_http.post(f"{url}/api/v1/namespaces/{NAMESPACE}/update", wanted).is_success
    except httpx.TransportError:
        return False


def is_polled_by(url: str, pid: int, queues: list[str]) -> bool:
    """Whether a worker process polls all its task queues for activities; the SDK names a poller by its process id."""
    wanted = f"{pid}@"
    for queue in queues:
        described = (
            _ask(url, f"namespaces/{NAMESPACE}/task-queues/{queue}?taskQueueType=TASK_QUEUE_TYPE_ACTIVITY") or {}
        )
        if not any(poller.get("identity", "").startswith(wanted) for poller in described.get("pollers", ())):
            return False
    return True


def _ask(url: str, path: str) -> dict[str, Any] | None:
    """What the server says over HTTP; None where it doesn't answer."""
    try:
        answer = plain_http.get(f"{url}/api/v1/{path}")
        return answer.json() if answer.is_success else None
    except (httpx.TransportError, ValueError):
        return None
