"""The settings of a process: what is missing or wrong is named by its variable, and secrets are never told."""

import base64
from datetime import timedelta
from pathlib import Path

import pytest
from githubkit import AppInstallationAuthStrategy, TokenAuthStrategy

from worker.clients import github_client, slack_client
from worker.settings import Process, Settings, SettingsError, process_environment, unknown_variables

KEY = base64.urlsafe_b64encode(b"k" * 32).decode()
WORKER = {
    "DOCUSTACK_GITHUB_TOKEN": "ghp_secret",
    "DOCUSTACK_BOT_LOGIN": "docustack[bot]",
    "DOCUSTACK_ENVIRONMENTS": "dev, staging",
    "DOCUSTACK_ARTIFACT_KEYS": KEY,
}


class Environment:
    """The variables of one test; those of the machine are gone already."""

    def __init__(self, patch: pytest.MonkeyPatch) -> None:
        self._patch = patch

    def set(self, variables: dict[str, str]) -> None:
        for name, value in variables.items():
            self._patch.setenv(name, value)


@pytest.fixture
def environment(monkeypatch: pytest.MonkeyPatch) -> Environment:
    return Environment(monkeypatch)


def refusal(process: Process = Process.CLIENT) -> str:
    with pytest.raises(SettingsError) as caught:
        Settings.load(process)
    return str(caught.value)


def test_a_command_line_needs_no_settings() -> None:
    settings = Settings.load()
    assert settings.temporal_address == "localhost:7233"
    assert settings.github_api_url == "https://api.github.com"
    assert settings.apply_lease == timedelta(minutes=15)
    assert settings.host


def test_a_worker_reads_its_variables(environment: Environment) -> None:
    environment.set(WORKER | {"DOCUSTACK_HOST": "worker-1", "DOCUSTACK_CONTROL_QUEUE": "false"})
    settings = Settings.load(Process.WORKER)
    assert settings.environments == ("dev", "staging")
    assert (settings.host, settings.control_queue) == ("worker-1", False)
    assert [key.get_secret_value() for key in settings.artifact_keys] == [KEY]


@pytest.mark.parametrize("name", ["DOCUSTACK_GITHUB_TOKEN", "DOCUSTACK_BOT_LOGIN", "DOCUSTACK_ARTIFACT_KEYS"])
def test_what_a_worker_lacks_is_named_with_an_example(environment: Environment, name: str) -> None:
    environment.set({key: value for key, value in WORKER.items() if key != name})
    assert f"{name} is missing" in refusal(Process.WORKER)
    assert f"e.g. {name}=" in refusal(Process.WORKER)


def test_everything_that_is_missing_is_named_at_once() -> None:
    message = refusal(Process.WORKER)
    assert "DOCUSTACK_GITHUB_TOKEN" in message
    assert "DOCUSTACK_BOT_LOGIN" in message


def test_a_worker_without_github_needs_no_token(environment: Environment) -> None:
    environment.set(
        {
            "DOCUSTACK_CONTROL_QUEUE": "no",
            "DOCUSTACK_ENVIRONMENTS": "prod",
            "DOCUSTACK_ARTIFACT_KEYS": KEY,
        }
    )
    Settings.load(Process.WORKER)


def test_a_worker_that_would_have_nothing_to_do_is_refused(environment: Environment) -> None:
    environment.set({"DOCUSTACK_CONTROL_QUEUE": "false"})
    assert "DOCUSTACK_ENVIRONMENTS" in refusal(Process.WORKER)


@pytest.mark.parametrize("endpoint", ["", "https://sts.eu-west-1.amazonaws.com", "https://sts.eu-west-1.api.aws"])
def test_one_account_for_all_environments_is_refused_with_the_real_aws(environment: Environment, endpoint: str) -> None:
    environment.set(WORKER | {"DOCUSTACK_SIMULATED_ACCOUNT": "123456789012", "AWS_ENDPOINT_URL": endpoint})
    assert "DOCUSTACK_SIMULATED_ACCOUNT is for a simulator of AWS" in refusal(Process.WORKER)
    environment.set({"AWS_ENDPOINT_URL": "http://127.0.0.1:5000"})
    assert Settings.load(Process.WORKER).simulated_account == "123456789012"


def test_a_server_without_a_secret_is_refused(environment: Environment) -> None:
    environment.set({"DOCUSTACK_BOT_LOGIN": "docustack[bot]"})
    assert "DOCUSTACK_WEBHOOK_SECRET is missing" in refusal(Process.SERVER)


def test_a_server_that_would_serve_every_repository_is_refused(environment: Environment) -> None:
    environment.set({"DOCUSTACK_BOT_LOGIN": "docustack[bot]", "DOCUSTACK_WEBHOOK_SECRET": "hook-secret"})
    assert "DOCUSTACK_REPOSITORIES is missing" in refusal(Process.SERVER)


def test_an_empty_variable_is_a_missing_one(environment: Environment) -> None:
    environment.set({"DOCUSTACK_BOT_LOGIN": "docustack[bot]", "DOCUSTACK_WEBHOOK_SECRET": ""})
    assert "DOCUSTACK_WEBHOOK_SECRET is missing" in refusal(Process.SERVER)


@pytest.mark.parametrize(
    "name, value",
    [
        ("TEMPORAL_ADDRESS", "http://temporal"),
        ("GITHUB_API_URL", "github.example.com"),
        ("GITHUB_APP_ID", "my-app"),
        ("REPOSITORIES", "docustack"),
        ("GIT_URL", "https://github.com/docustack"),
        ("HOST", "worker@1"),
        ("ENVIRONMENTS", "dev/us-east-1"),
        ("APPLY_LEASE", "soon"),
        ("CANCEL_GRACE", "0"),
        ("ARTIFACTS", "gs://bucket"),
        ("BIND_PORT", "70000"),
        ("PUBLIC_URL", "docustack.example.com"),
        ("LOG_LEVEL", "loud"),
        ("LOG_FORMAT", "xml"),
        ("CONTROL_QUEUE", "perhaps"),
    ],
)
def test_a_wrong_value_is_named_with_its_variable_and_an_example(
    environment: Environment, name: str, value: str
) -> None:
    environment.set({f"DOCUSTACK_{name}": value})
    message = refusal()
    assert f"DOCUSTACK_{name}" in message
    assert value.partition("/")[0] in message
    assert f"e.g. DOCUSTACK_{name}=" in message


def test_a_malformed_secret_is_not_told(environment: Environment) -> None:
    environment.set({"DOCUSTACK_ARTIFACT_KEYS": "hunter2-is-too-short"})
    assert "hunter2" not in refusal()
    assert "DOCUSTACK_ARTIFACT_KEYS" in refusal()


def test_no_secret_shows_in_the_settings(environment: Environment) -> None:
    environment.set(
        WORKER
        | {
            "DOCUSTACK_WEBHOOK_SECRET": "hook-secret",
            "DOCUSTACK_SLACK_TOKEN": "xoxb-secret",
            "DOCUSTACK_TEMPORAL_API_KEY": "temporal-secret",
        }
    )
    shown = f"{Settings.load()!r} {Settings.load().model_dump_json()}"
    assert "secret" not in shown.replace("webhook_secret", "")
    assert KEY not in shown


@pytest.mark.parametrize(
    "given, meant",
    [
        ("900", timedelta(minutes=15)),
        ("90s", timedelta(seconds=90)),
        ("15m", timedelta(minutes=15)),
        ("2 h", timedelta(hours=2)),
        ("PT20M", timedelta(minutes=20)),
    ],
)
def test_a_duration_is_written_as_people_write_it(environment: Environment, given: str, meant: timedelta) -> None:
    environment.set({"DOCUSTACK_APPLY_LEASE": given})
    assert Settings.load().apply_lease == meant


@pytest.mark.parametrize("given", ["a/one,b/two", "a/one b/two", " a/one ,\n b/two "])
def test_a_list_is_separated_by_commas_or_blanks(environment: Environment, given: str) -> None:
    environment.set({"DOCUSTACK_REPOSITORIES": given})
    assert Settings.load().repositories == ("a/one", "b/two")


def test_a_misspelt_variable_is_pointed_out_and_kubernetes_own_are_not() -> None:
    given = ["DOCUSTACK_GITHUB_TOKN", "DOCUSTACK_PORT", "DOCUSTACK_SERVICE_HOST", "DOCUSTACK_HOST", "PATH"]
    assert unknown_variables(given) == ["DOCUSTACK_GITHUB_TOKN is no setting; did you mean DOCUSTACK_GITHUB_TOKEN?"]


def test_artifacts_lie_in_the_data_folder_unless_told_otherwise(environment: Environment) -> None:
    environment.set({"DOCUSTACK_DATA_DIR": "/srv/docustack"})
    assert Settings.load().artifacts_folder == Path("/srv/docustack/artifacts")
    environment.set({"DOCUSTACK_ARTIFACTS": "/srv/artifacts"})
    assert Settings.load().artifacts_folder == Path("/srv/artifacts")
    environment.set({"DOCUSTACK_ARTIFACTS": "s3://docustack-artifacts/runs"})
    assert Settings.load().artifacts_folder is None


def test_a_token_makes_a_client_that_leaves_retries_to_temporal(environment: Environment) -> None:
    environment.set(WORKER | {"DOCUSTACK_GITHUB_API_URL": "https://github.example.com/api/v3"})
    client = github_client(Settings.load(Process.WORKER))
    assert isinstance(client.auth, TokenAuthStrategy)
    assert str(client.config.base_url) == "https://github.example.com/api/v3/"
    assert client.config.auto_retry is None


@pytest.mark.parametrize("in_file", [True, False])
def test_a_github_app_comes_before_a_token(environment: Environment, tmp_path: Path, in_file: bool) -> None:
    pem = "-----BEGIN PRIVATE KEY-----\nabc\n-----END PRIVATE KEY-----"
    file = tmp_path / "app.pem"
    file.write_text(pem)
    key = (
        {"DOCUSTACK_GITHUB_APP_PRIVATE_KEY_FILE": str(file)}
        if in_file
        else {"DOCUSTACK_GITHUB_APP_PRIVATE_KEY": pem.replace("\n", "\\n")}
    )
    environment.set(WORKER | key | {"DOCUSTACK_GITHUB_APP_ID": "1", "DOCUSTACK_GITHUB_APP_INSTALLATION_ID": "2"})
    auth = github_client(Settings.load(Process.WORKER)).auth
    assert isinstance(auth, AppInstallationAuthStrategy)
    assert (auth.app_id, auth.installation_id, auth.private_key) == (1, 2, pem)


def test_half_a_github_app_is_refused(environment: Environment) -> None:
    environment.set({"DOCUSTACK_GITHUB_APP_ID": "1"})
    message = refusal()
    assert "DOCUSTACK_GITHUB_APP_INSTALLATION_ID is missing" in message
    assert "DOCUSTACK_GITHUB_APP_PRIVATE_KEY is missing" in message


@pytest.mark.parametrize("name", ["GITHUB_APP_PRIVATE_KEY_FILE", "TEMPORAL_TLS_CA", "TERRAFORM_CLI_CONFIG"])
def test_a_file_that_is_not_there_is_named(environment: Environment, name: str) -> None:
    environment.set({f"DOCUSTACK_{name}": "/nowhere/file"})
    assert f"DOCUSTACK_{name}: /nowhere/file is no file" in refusal()


def test_a_client_certificate_needs_its_key(environment: Environment, tmp_path: Path) -> None:
    certificate = tmp_path / "client.pem"
    certificate.touch()
    environment.set({"DOCUSTACK_TEMPORAL_TLS_CERTIFICATE": str(certificate)})
    assert "DOCUSTACK_TEMPORAL_TLS_KEY is missing" in refusal()


def test_without_a_token_there_is_no_slack(environment: Environment) -> None:
    assert slack_client(Settings.load()) is None
    environment.set({"DOCUSTACK_SLACK_TOKEN": "xoxb-1", "DOCUSTACK_SLACK_API_URL": "http://127.0.0.1:1/api"})
    client = slack_client(Settings.load())
    assert client is not None
    assert (client.base_url, client.retry_handlers) == ("http://127.0.0.1:1/api/", [])


def test_tools_never_inherit_a_terraform_configuration_that_is_not_there(
    environment: Environment, tmp_path: Path
) -> None:
    environment.set({"TF_CLI_CONFIG_FILE": "/nowhere/terraform.rc"})
    assert "TF_CLI_CONFIG_FILE" not in process_environment(Settings.load())
    ours = tmp_path / "terraform.rc"
    ours.touch()
    environment.set({"DOCUSTACK_TERRAFORM_CLI_CONFIG": str(ours)})
    assert process_environment(Settings.load())["TF_CLI_CONFIG_FILE"] == str(ours)
