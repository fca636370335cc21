"""Secrets stay within the worker: planted in a variable, an output and stderr, they are found nowhere outside of it."""

import asyncio
import base64
import re
from collections.abc import Iterator

import httpx
from temporalio.client import Client

from tests.e2e.pull_requests.change import Change, open_change
from tests.e2e.pull_requests.live_repository import unit
from tests.e2e.pull_requests.small_world import SmallWorld

IN_VARIABLE = "v4riable-hunter2-k9Qm"
IN_OUTPUT = "0utput-correct-horse-b7Rt"
IN_STDERR = "ghp_" + "s7dErrXq" * 4 + "Ab12"
SECRETS = (IN_VARIABLE, IN_OUTPUT, IN_STDERR)

MODULE = f"""
variable "value" {{ type = string }}

variable "password" {{
  type      = string
  sensitive = true
}}

resource "terraform_data" "this" {{
  input            = {{ name = var.value, password = var.password }}
  triggers_replace = var.value
  provisioner "local-exec" {{
    command = "echo logged in with ${{nonsensitive(var.password)}} and {IN_STDERR} >&2; exit $FAIL"
    environment = {{ FAIL = var.value == "bad" ? 1 : 0 }}
  }}
}}

output "value" {{ value = "NAME-${{var.value}}" }}

output "token" {{
  value     = join("-", ["0utput", "correct", "horse", "b7Rt"])
  sensitive = true
}}
"""


def secretive(path: str, value: str) -> dict[str, str]:
    """The variable's secret isn't in the repository either: it comes from a command, as from a secret store."""
    hcl = f"""
inputs = {{
  value    = "{value}"
  password = run_cmd("--terragrunt-quiet", "sh", "-c", "printf v4riable-%s hunter2-k9Qm")
}}
"""
    return unit(path, hcl, MODULE, value=None)


def test_secrets_are_found_nowhere_outside_of_the_worker(world: SmallWorld) -> None:
    good, bad = "dev/secret/good", "dev/secret/bad"
    change = open_change(world, "secret", secretive(good, "fine") | secretive(bad, "bad"))
    change.planned(good, bad)
    assert change.ended("terrateam apply") == "confused"
    applies = change.applied(good, bad)
    assert "**Status:** ✅ Success" in applies[good]
    assert 'value = "good-fine"' in applies[good]
    assert "**Status:** ❌ Failed" in applies[bad]
    assert "logged in with" in applies[bad], "what the command wrote is shown, without its secrets"
    # The test can see: Terraform's state, which only the worker reads, has them.
    assert IN_VARIABLE in world.states.text(good)
    assert IN_OUTPUT in world.states.text(good)

    for where, text in everything_outside(world, change):
        for secret in SECRETS:
            assert secret not in text, f"{secret} is in {where}"


def everything_outside(world: SmallWorld, change: Change) -> Iterator[tuple[str, str]]:
    """Comments, checks, Slack, Temporal's histories, artifacts as they lie there, logs as the server shows them."""
    said = change.said()
    yield from ((f"comment {index}", body) for index, body in enumerate(said))
    for name, check in change.author.checks(change.head).items():
        yield f"check {name}", check.model_dump_json()
    yield "Slack", "\n".join(world.slack.texts())
    histories = asyncio.run(all_histories(world))
    assert len(histories) >= 3, "the pull request, its plan and its apply"
    yield from histories
    logs = re.findall(r"\[Whole log\]\((http[^)\s]+)\)", "\n".join(said))
    assert len(logs) >= 4
    for url in dict.fromkeys(logs):
        response = httpx.get(url, timeout=30, trust_env=False)
        assert response.is_success, url
        yield url, response.text
    artifacts = [path for path in (world.data / "worker" / "artifacts").rglob("*") if path.is_file()]
    assert artifacts
    for path in artifacts:
        yield str(path), path.read_bytes().decode(errors="replace")
    for name in ("worker", "server", "github", "slack", "temporal"):
        yield f"{name}.log", (world.data / "logs" / f"{name}.log").read_text(errors="replace")


async def all_histories(world: SmallWorld) -> list[tuple[str, str]]:
    """Each workflow's history with its payloads as they are stored, decoded from base64."""
    client: Client = await world.histories.connect()
    found = []
    async for execution in client.list_workflows():
        history = await client.get_workflow_handle(execution.id, run_id=execution.run_id).fetch_history()
        text = history.to_json()
        found.append((f"history of {execution.id}", "\n".join([text, *_decoded(text)])))
    return found


def _decoded(history: str) -> Iterator[str]:
    """Payloads stand in a history's JSON as base64."""
    for data in re.findall(r'"data": ?"([A-Za-z0-9+/=]+)"', history):
        yield base64.b64decode(data).decode(errors="replace")
