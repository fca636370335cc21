"""Secrets stay within the worker: planted in a variable, an output and stderr, they are found nowhere outside of it."""

import asyncio
import base64
import json
import re
from collections.abc import Iterable, Iterator

import httpx
from temporalio.client import Client

from tests.e2e.pull_requests.change import Change, open_change
from tests.e2e.pull_requests.live_repository import Files, unit
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

    assert_hidden(SECRETS, everything_outside(world, change, logs=4))


PHRASES = {
    "input": "correct horse battery staple violet",
    "json-source": "seven quiet rivers under old bridges",
    "default": "every second lantern burns in green",
    "json-values": "nobody counts the stairs to the attic",
    "called": "a narrow boat with eleven red sails",
}
"""Long enough to be wrapped in the message below, and under a name that tells nothing."""

FAILS = """
resource "terraform_data" "this" {
  lifecycle {
    precondition {
      condition     = "${var.value}" == "nothing else"
      error_message = "The database refused this login of the application: ${nonsensitive(var.value)} is not valid"
    }
  }
}
"""
SENSITIVE = 'variable "value" {\n  type      = string\n  sensitive = true\n  DEFAULT\n}\n'
CALLS = 'variable "value" { type = string }\nmodule "m" {\n  source = "./m"\n  value  = var.value\n}\n'


def uncovered(path: str, phrase: str) -> Files:
    """A unit whose plan fails and tells its secret, which is declared and given as the name of the unit says."""
    given, declared = phrase, SENSITIVE.replace("DEFAULT", "")
    match path.rpartition("/")[2]:
        case "json-source":
            return unit(path, module=FAILS, value=given) | {
                f"{path}/variables.tf.json": json.dumps({"variable": {"value": {"type": "string", "sensitive": True}}})
            }
        case "default":
            return unit(path, module=SENSITIVE.replace("DEFAULT", f'default = "{given}"') + FAILS, value=None)
        case "json-values":
            return unit(path, module=declared + FAILS, value=None) | {
                f"{path}/terraform.tfvars.json": json.dumps({"value": given})
            }
        case "called":
            return unit(path, module=CALLS, value=given) | {f"{path}/m/main.tf": declared + FAILS}
    return unit(path, module=declared + FAILS, value=given)


def test_plans_that_fail_show_no_secret_wherever_it_is_declared_and_given(world: SmallWorld) -> None:
    units = {f"dev/uncovered/{name}": phrase for name, phrase in PHRASES.items()}
    files: Files = {}
    for path, phrase in units.items():
        files |= uncovered(path, phrase)
    change = open_change(world, "uncovered", files)
    for plan in change.planned(*units).values():
        assert "**Status:** ❌ Failed" in plan
        assert "of the application: (sensitive value) is not valid" in " ".join(plan.split())
    change.wait(lambda: any("Plan failed: dev/uncovered/" in text for text in world.slack.texts()), "the end in Slack")
    assert_hidden(PHRASES.values(), everything_outside(world, change, logs=len(units)))


def assert_hidden(secrets: Iterable[str], places: Iterator[tuple[str, str]]) -> None:
    """No secret is anywhere, also where it is wrapped: there each end of it counts."""
    ends = {secret: (" ".join(secret.split()[:3]), " ".join(secret.split()[-3:])) for secret in secrets}
    for where, text in places:
        flat = " ".join(text.replace("\\n", "\n").split())
        for secret, parts in ends.items():
            for part in parts:
                assert part not in flat, f"{secret} is in {where}"


def everything_outside(world: SmallWorld, change: Change, logs: int) -> Iterator[tuple[str, str]]:
    """Comments, checks, Slack, Temporal's histories, artifacts as they lie there, logs as the server shows them."""
    said = change.said()
    yield from ((f"comment {index}", body) for index, body in enumerate(said))
    for name, check in change.author.checks(change.head).items():
        yield f"check {name}", check.model_dump_json()
    yield "Slack", "\n".join(world.slack.texts())
    histories = asyncio.run(all_histories(world))
    assert any(str(change.number) in name for name, _ in histories), "the pull request's own"
    yield from histories
    urls = re.findall(r"\[Whole log\]\((http[^)\s]+)\)", "\n".join(said))
    assert len(urls) >= logs
    for url in dict.fromkeys(urls):
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
