"""The real Temporal dev server with its UI, on a file that survives it, tuned so that its defaults rule no figure."""

import subprocess
from pathlib import Path

NAMESPACE = "default"

_DYNAMIC_CONFIG = (
    # By default a queue is polled twenty times a second, which makes one activity take 55 ms instead of 13.
    "history.transferProcessorMaxPollRPS=2000",
    "history.timerProcessorMaxPollRPS=2000",
    "history.visibilityProcessorMaxPollRPS=2000",
    'history.timerProcessorMaxTimeShift="20ms"',
)
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
        *(word for value in _DYNAMIC_CONFIG for word in ("--dynamic-config-value", value)),
        *(word for value in _SQLITE for word in ("--sqlite-pragma", value)),
    ]


def is_ready(executable: Path, address: str) -> bool:
    """Whether the server answers for its namespace: that comes after its port is open."""
    return _ask(executable, address, "operator", "namespace", "describe", "--namespace", NAMESPACE) is not None


def is_polled_by(executable: Path, address: str, pid: int, queues: list[str]) -> bool:
    """Whether a worker process polls all its task queues; the SDK names a poller by its process id."""
    wanted = f'"identity": "{pid}@'
    described = ("task-queue", "describe", "--namespace", NAMESPACE, "--output", "json", "--task-queue")
    return all(wanted in (_ask(executable, address, *described, queue) or "") for queue in queues)


def _ask(executable: Path, address: str, *arguments: str) -> str | None:
    """What the server says to a command of its CLI; None where it doesn't answer."""
    line = [str(executable), *arguments, "--address", address, "--command-timeout", "3s"]
    try:
        done = subprocess.run(line, stdin=subprocess.DEVNULL, capture_output=True, text=True, check=False, timeout=10)
    except subprocess.TimeoutExpired:
        return None
    return done.stdout if done.returncode == 0 else None
