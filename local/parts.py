"""The parts of a local world: what command each is, what it is told, and when it is ready."""

import json
import os
import sys
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import httpx

from local import aws, plain_http, temporal_server
from local.places import ROOT, TERRAFORM_SETTINGS, Places, tool
from local.state import HOST, PORTS, WorldError, WorldState

BOT = "docustack[bot]"
CONTROL_QUEUE = "docustack"

OUTSIDE = ("temporal", "moto", "github", "slack")
"""What DocuStack needs before it can start."""


def worker_names(count: int) -> tuple[str, ...]:
    """`worker`, `worker-2`, …: each as if on a host of its own."""
    return "worker", *(f"worker-{number}" for number in range(2, count + 1))


def waves(workers: int) -> tuple[tuple[str, ...], ...]:
    """The parts of a world in the order in which they start; within a wave none needs another."""
    return OUTSIDE, (*worker_names(workers), "server")


PARTS = tuple(name for wave in waves(1) for name in wave)
"""Those of a world with one worker."""


def ports_of(part: str) -> tuple[str, ...]:
    """The names of the ports that a part listens on."""
    return tuple(port for port in PORTS if port.partition("-")[0] == part)


_FOREIGN = ("AWS_", "DOCUSTACK_", "GIT_", "GITHUB_", "SLACK_", "TEMPORAL_", "TERRAGRUNT_", "TF_", "TG_")
"""Settings by these prefixes would change what the tools do, or let them reach somebody's real account."""

PASSED_ON = ("DOCUSTACK_LOG_LEVEL", "DOCUSTACK_APPLY_LEASE", "DOCUSTACK_CANCEL_GRACE")
"""Settings of the person who makes a world that its worker and server get."""


@dataclass(frozen=True)
class Part:
    """One process of a world; `is_ready` is asked, with its process id, until it says yes."""

    name: str
    command: list[str]
    environment: dict[str, str]
    is_ready: Callable[[int], bool]
    seconds: float = 120.0  # on a busy machine


def make_part(name: str, places: Places, state: WorldState) -> Part:
    """A part as it is to be started now.

    Raises:
        WorldError: a tool is missing, or a part that it needs has never been ready.
    """
    makers: dict[str, Callable[[Places, WorldState], Part]] = {
        "temporal": _temporal,
        "moto": _moto,
        "github": _github,
        "slack": _slack,
        "server": _server,
        **{each: partial(_worker, each) for each in worker_names(state.workers)},
    }
    return makers[name](places, state)


def mark(places: Places) -> str:
    """What tells processes of this world from all others, also those that outlive the one that started them."""
    return f"AWS_CONFIG_FILE={places.aws / 'config'}"


def github_tokens(places: Places) -> dict[str, str]:
    """Token by login, the bot's too; empty before GitHub's first start."""
    return _tokens(places.github)


def slack_token(places: Places) -> str:
    return _tokens(places.slack).get("docustack", "")


def _temporal(places: Places, state: WorldState) -> Part:
    executable = _tool("temporal")
    return Part(
        "temporal",
        temporal_server.command(executable, HOST, state.ports, places.temporal),
        _environment(places, state),
        lambda _: _keeps_histories(state.url("temporal-http")) and _answers(state.url("temporal-ui")),
    )


def _keeps_histories(url: str) -> bool:
    return temporal_server.is_ready(url) and temporal_server.keep_for_good(url)


def _moto(places: Places, state: WorldState) -> Part:
    port = str(state.ports["moto"])
    url = state.url("moto")
    return Part(
        "moto",
        [sys.executable, "-m", "moto.server", "-H", HOST, "-p", port],
        _environment(places, state),
        lambda _: _answers(f"{url}/moto-api/data.json"),
    )


def _github(places: Places, state: WorldState) -> Part:
    places.github.mkdir(parents=True, exist_ok=True)
    settings = {
        "data_dir": str(places.github),
        "git_dir": str(places.bare(state.repository.owner, state.repository.name)),
        "owner": state.repository.owner,
        "repository": state.repository.name,
        "host": HOST,
        "port": state.ports["github"],
        "webhook_url": f"{state.url('server')}/webhooks/github",
        "webhook_secret": state.webhook_secret,
    }
    # A file: the secret must not show in the list of processes.
    path = places.github / "settings.json"
    with os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "w") as file:
        json.dump(settings, file, indent=2)
    command = [sys.executable, "-m", "local.github", "--config", str(path)]
    return Part("github", command, _environment(places, state), lambda _: _is_up(state.url("github")))


def _slack(places: Places, state: WorldState) -> Part:
    where = ["--data-dir", str(places.slack), "--host", HOST, "--port", str(state.ports["slack"])]
    command = [sys.executable, "-m", "local.slack", *where, "--channel", state.repository.channel.removeprefix("#")]
    return Part("slack", command, _environment(places, state), lambda _: _is_up(state.url("slack")))


def worker_environment(name: str, places: Places, state: WorldState) -> dict[str, str]:
    """What a worker of a world is told, and whoever looks at the world as it does.

    Raises:
        WorldError: GitHub or Slack has never been ready.
    """
    return _environment(places, state) | _engine(places, state) | _as_host(name, places)


def _worker(name: str, places: Places, state: WorldState) -> Part:
    queues = [CONTROL_QUEUE, *(f"{CONTROL_QUEUE}-{name}" for name in state.repository.environments)]
    return Part(
        name,
        [sys.executable, "-m", "starter.cli", "worker"],
        worker_environment(name, places, state),
        lambda pid: temporal_server.is_polled_by(state.url("temporal-http"), pid, queues),
    )


def _as_host(worker: str, places: Places) -> dict[str, str]:
    """Its own name and folder; artifacts are what workers share, as they would in S3."""
    return {
        "DOCUSTACK_HOST": worker.replace("worker", "local"),
        "DOCUSTACK_DATA_DIR": str(places.data_dir / worker),
        "DOCUSTACK_ARTIFACTS": str(places.worker / "artifacts"),
    }


def _server(places: Places, state: WorldState) -> Part:
    return Part(
        "server",
        [sys.executable, "-m", "starter.cli", "serve"],
        _environment(places, state) | _engine(places, state),
        lambda _: _answers(f"{state.url('server')}/readyz"),
    )


def _engine(places: Places, state: WorldState) -> dict[str, str]:
    """What DocuStack's own processes are told; `docs/` names every variable."""
    tokens, slack = github_tokens(places), slack_token(places)
    if BOT not in tokens or not slack:
        raise WorldError("The tokens of the stand-ins are missing: start github and slack first.")
    return {
        "DOCUSTACK_TEMPORAL_ADDRESS": f"{HOST}:{state.ports['temporal']}",
        "DOCUSTACK_TEMPORAL_NAMESPACE": temporal_server.NAMESPACE,
        "DOCUSTACK_TEMPORAL_UI_URL": state.url("temporal-ui"),
        "DOCUSTACK_GITHUB_API_URL": state.url("github"),
        "DOCUSTACK_GITHUB_TOKEN": tokens[BOT],
        "DOCUSTACK_BOT_LOGIN": BOT,
        "DOCUSTACK_WEBHOOK_SECRET": state.webhook_secret,
        "DOCUSTACK_REPOSITORIES": f"{state.repository.owner}/{state.repository.name}",
        "DOCUSTACK_GIT_URL": str(places.git / "{owner}" / "{name}.git"),
        "DOCUSTACK_SLACK_API_URL": f"{state.url('slack')}/api/",
        "DOCUSTACK_SLACK_TOKEN": slack,
        "DOCUSTACK_DATA_DIR": str(places.worker),
        "DOCUSTACK_SHUTDOWN_GRACE": "20s",  # within what `local down` gives a part to end
        "DOCUSTACK_ENVIRONMENTS": ",".join(state.repository.environments),
        "DOCUSTACK_TERRAGRUNT": state.terragrunt,
        "DOCUSTACK_TERRAFORM": str(_tool("terraform")),
        "DOCUSTACK_TERRAFORM_CLI_CONFIG": str(_terraform_settings()),
        "DOCUSTACK_SIMULATED_ACCOUNT": aws.ACCOUNT,
        "DOCUSTACK_ARTIFACT_KEYS": state.artifact_key,
        "DOCUSTACK_APPROVAL_KEYS": state.approval_key,
        "DOCUSTACK_BIND_HOST": HOST,
        "DOCUSTACK_BIND_PORT": str(state.ports["server"]),
        "DOCUSTACK_PUBLIC_URL": state.url("server"),
        **state.settings,
    }


def _environment(places: Places, state: WorldState) -> dict[str, str]:
    """What every part gets: this machine's environment without settings of its person, and AWS as it is here."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith(_FOREIGN)}
    paths = [str(ROOT / ".tools" / "bin"), str(Path(sys.executable).parent), kept.get("PATH", os.defpath)]
    name, _, value = mark(places).partition("=")
    return {
        **kept,
        "PATH": os.pathsep.join(paths),
        "PYTHONUNBUFFERED": "1",
        "NO_PROXY": "localhost,127.0.0.1",
        "no_proxy": "localhost,127.0.0.1",
        "AWS_ENDPOINT_URL": state.url("moto"),
        "AWS_REGION": aws.REGION,
        "AWS_DEFAULT_REGION": aws.REGION,
        "AWS_SHARED_CREDENTIALS_FILE": str(places.aws / "credentials"),
        "AWS_EC2_METADATA_DISABLED": "true",
        **aws.CREDENTIALS,
        name: value,
    }


def _terraform_settings() -> Path:
    if not TERRAFORM_SETTINGS.is_file():
        raise WorldError(f"{TERRAFORM_SETTINGS} is missing: run `make setup`.")
    return TERRAFORM_SETTINGS


def _tool(name: str) -> Path:
    found = tool(name)
    if found is None:
        raise WorldError(f"There is no {name}: run `make setup`.")
    return found


def _tokens(folder: Path) -> dict[str, str]:
    path = folder / "tokens.json"
    tokens: dict[str, str] = json.loads(path.read_text()) if path.is_file() else {}
    return tokens


def _is_up(stand_in: str) -> bool:
    return _answers(f"{stand_in}/_stand_in/health")


def _answers(url: str) -> bool:
    try:
        return plain_http.get(url).is_success
    except httpx.TransportError:
        return False
