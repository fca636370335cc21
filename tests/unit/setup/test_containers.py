"""`docker-compose.yml` and the `Dockerfile` fit the engine: settings that exist, credentials only where they belong."""

import base64
import re
from typing import Any

import pytest
from ruamel.yaml import YAML
from temporalio.common import SearchAttributeKey

from tests.unit.setup.fakes import ROOT
from worker.settings import Process, Settings, unknown_variables
from workflows import search_attributes

GIVEN = {
    "DOCUSTACK_BOT_LOGIN": "docustack[bot]",
    "DOCUSTACK_GITHUB_TOKEN": "token",
    "DOCUSTACK_REPOSITORIES": "docustack/docustack-infrastructure-live",
    "DOCUSTACK_WEBHOOK_SECRET": "secret",
    "POSTGRES_PASSWORD": "password",
}
VARIABLE = re.compile(r"\$\{(\w+)(?::([-?])([^}]*))?\}")


def compose() -> dict[str, Any]:
    document: dict[str, Any] = YAML(typ="safe").load((ROOT / "docker-compose.yml").read_text())
    return document


def services(command: str) -> list[str]:
    return [name for name, service in compose()["services"].items() if service.get("command") == [command]]


def environment(name: str) -> dict[str, str]:
    """The variables of a service, with those filled in that a person must give."""

    def value(match: re.Match[str]) -> str:
        if match[2] == "?":
            return GIVEN[match[1]]
        return GIVEN.get(match[1], match[3] or "")

    variables = compose()["services"][name].get("environment", {})
    return {key: VARIABLE.sub(value, text) for key, text in variables.items()}


@pytest.mark.parametrize("name", compose()["services"])
def test_every_variable_is_a_setting(name: str) -> None:
    assert unknown_variables(environment(name)) == []


@pytest.mark.parametrize(
    "name, process",
    [*((name, Process.WORKER) for name in services("worker")), ("webhooks", Process.SERVER)],
)
def test_settings_of_every_process_are_complete(name: str, process: Process, monkeypatch: pytest.MonkeyPatch) -> None:
    for variable, value in environment(name).items():
        monkeypatch.setenv(variable, value)
    if compose()["services"][name].get("env_file"):
        monkeypatch.setenv("DOCUSTACK_ARTIFACT_KEYS", base64.urlsafe_b64encode(bytes(32)).decode())
    Settings.load(process)


def test_each_environment_has_one_worker_and_only_one_worker_the_workflows() -> None:
    settings = [environment(name) for name in services("worker")]
    served = [each["DOCUSTACK_ENVIRONMENTS"] for each in settings if "DOCUSTACK_ENVIRONMENTS" in each]
    assert sorted(served) == ["dev", "management", "prod", "staging"]
    assert [each["DOCUSTACK_HOST"] for each in settings if each.get("DOCUSTACK_CONTROL_QUEUE") != "false"] == [
        "control"
    ]
    hosts = [each["DOCUSTACK_HOST"] for each in settings]
    assert len(set(hosts)) == len(hosts)


def test_credentials_of_an_environment_reach_only_its_worker() -> None:
    for name, service in compose()["services"].items():
        served = environment(name).get("DOCUSTACK_ENVIRONMENTS")
        assert service.get("env_file", []) == ([f"environment-{served}.env"] if served else [])


def test_no_port_is_open_to_the_network() -> None:
    published = [port for service in compose()["services"].values() for port in service.get("ports", [])]
    assert published
    assert all(port.startswith("127.0.0.1:") for port in published)


def test_all_search_attributes_are_registered() -> None:
    script = compose()["services"]["temporal-namespace"]["command"][0]
    registered = set(re.findall(r"--name (\w+) --type (\w+)", script))
    types = {"KEYWORD": "Keyword", "KEYWORD_LIST": "KeywordList", "INT": "Int", "DATETIME": "Datetime", "TEXT": "Text"}
    keys = [value for value in vars(search_attributes).values() if isinstance(value, SearchAttributeKey)]
    assert registered == {(key.name, types[key.indexed_value_type.name]) for key in keys}


def test_what_a_service_depends_on_and_mounts_is_declared() -> None:
    document = compose()
    for service in document["services"].values():
        assert set(service.get("depends_on", {})) <= set(document["services"])
        assert {volume.split(":")[0] for volume in service.get("volumes", [])} <= set(document["volumes"])


def test_image_copies_only_what_is_there_and_let_in() -> None:
    let_in = set(re.findall(r"^!(\S+)", (ROOT / ".dockerignore").read_text(), re.MULTILINE))
    copies = re.findall(r"^COPY (?!--)(.+) \S+$", (ROOT / "Dockerfile").read_text(), re.MULTILINE)
    sources = {source for copy in copies for source in copy.split()}
    assert sources == let_in
    assert all((ROOT / source).exists() for source in sources)


def test_example_of_an_environment_names_only_settings() -> None:
    names = re.findall(r"^(\w+)=", (ROOT / "environment.env.example").read_text(), re.MULTILINE)
    assert "DOCUSTACK_ARTIFACT_KEYS" in names
    assert unknown_variables(names) == []


def test_example_names_every_variable_that_must_be_given() -> None:
    needed = {match[1] for match in VARIABLE.finditer((ROOT / "docker-compose.yml").read_text()) if match[2] == "?"}
    example = set(re.findall(r"^(\w+)=", (ROOT / "deploy.env.example").read_text(), re.MULTILINE))
    assert needed <= example
