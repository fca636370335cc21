"""What a process is told by its environment: addresses, credentials, folders (`DOCUSTACK_…`).

Nothing else reads the environment. What belongs to a live repository stands in its `docustack.yaml` instead.
"""

import difflib
import os
import re
import socket
from collections.abc import Iterable
from datetime import timedelta
from enum import StrEnum
from pathlib import Path
from typing import Annotated, Literal, Self

from pydantic import (
    AfterValidator,
    BeforeValidator,
    Field,
    SecretStr,
    StringConstraints,
    ValidationError,
    model_validator,
)
from pydantic_settings import BaseSettings, NoDecode, SettingsConfigDict

from docustack.errors import ConfigurationError

PREFIX = "DOCUSTACK_"

_DURATION = re.compile(r"(\d+)\s*([smhd]?)")
_UNITS = {"": "seconds", "s": "seconds", "m": "minutes", "h": "hours", "d": "days"}


class Process(StrEnum):
    """What the settings are for: each process needs other ones."""

    WORKER = "worker"
    SERVER = "server"
    CLIENT = "client"  # the command line


class SettingsError(ConfigurationError):
    """The environment lacks a setting or has a wrong one; the message names each variable with an example."""


def _words(value: object) -> object:
    return [word for word in re.split(r"[\s,]+", value) if word] if isinstance(value, str) else value


def _duration(value: object) -> object:
    match = _DURATION.fullmatch(value.strip()) if isinstance(value, str) else None
    return timedelta(**{_UNITS[match[2]]: int(match[1])}) if match else value


def _pem(value: object) -> object:
    """A key in one line, as many secret stores hand it out, gets its line ends back."""
    return value.replace("\\n", "\n") if isinstance(value, str) else value


def _long_enough(value: SecretStr) -> SecretStr:
    if len(value.get_secret_value()) < 32:
        raise ValueError("each key has at least 32 characters")
    return value


def _fernet_key(value: SecretStr) -> SecretStr:
    if not re.fullmatch(r"[A-Za-z0-9_-]{43}=", value.get_secret_value()):
        raise ValueError("each key is 32 bytes in URL-safe base64, 44 characters")
    return value


Url = Annotated[str, StringConstraints(pattern=r"^https?://[^\s/]+\S*$")]
Name = Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9][A-Za-z0-9._-]*$")]
FullName = Annotated[str, StringConstraints(pattern=r"^[\w.-]+/[\w.-]+$")]
Words = BeforeValidator(_words)
Duration = Annotated[timedelta, BeforeValidator(_duration), Field(gt=timedelta(0))]
Secret = Annotated[SecretStr, Field(min_length=1)]
ArtifactKey = Annotated[SecretStr, AfterValidator(_fernet_key)]
ApprovalKey = Annotated[SecretStr, AfterValidator(_long_enough)]
PrivateKey = Annotated[SecretStr, BeforeValidator(_pem)]


class Settings(BaseSettings):
    """One field, one variable: `temporal_address` is `DOCUSTACK_TEMPORAL_ADDRESS`."""

    model_config = SettingsConfigDict(env_prefix=PREFIX, frozen=True, extra="ignore", env_ignore_empty=True)

    # Temporal
    temporal_address: Annotated[str, StringConstraints(pattern=r"^[^\s/:]+:\d+$|^\[[0-9a-fA-F:]+\]:\d+$")] = Field(
        "localhost:7233", examples=["localhost:7233"]
    )
    temporal_namespace: Name = Field("default", examples=["docustack"])
    temporal_tls: bool = Field(False, examples=["true"])
    temporal_tls_ca: Path | None = Field(None, examples=["/etc/docustack/temporal-ca.pem"])
    temporal_tls_certificate: Path | None = Field(None, examples=["/etc/docustack/temporal.pem"])
    temporal_tls_key: Path | None = Field(None, examples=["/etc/docustack/temporal.key"])
    temporal_api_key: Secret | None = Field(None, examples=["<key of Temporal Cloud>"])
    temporal_ui_url: Url | Literal[""] = Field("", examples=["https://temporal.example.com"])

    # GitHub
    github_api_url: Url = Field("https://api.github.com", examples=["https://github.example.com/api/v3"])
    github_token: Secret | None = Field(None, examples=["<token>"])
    github_app_id: Annotated[int, Field(gt=0)] | None = Field(None, examples=["123456"])
    github_app_installation_id: Annotated[int, Field(gt=0)] | None = Field(None, examples=["7890123"])
    github_app_private_key: PrivateKey | None = Field(None, examples=["-----BEGIN RSA PRIVATE KEY-----\\n…"])
    github_app_private_key_file: Path | None = Field(None, examples=["/etc/docustack/github-app.pem"])
    bot_login: Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9-]+(\[bot\])?$")] | None = Field(
        None, examples=["docustack[bot]"]
    )
    webhook_secret: Secret | None = Field(None, examples=["<the secret of the GitHub webhook>"])
    repositories: Annotated[tuple[FullName, ...], NoDecode, Words] = Field(
        (), examples=["docustack/docustack-infrastructure-live"]
    )  # whose events are taken; the server wants at least one
    git_url: Annotated[str, StringConstraints(pattern=r"\{name\}")] = Field(
        "https://github.com/{owner}/{name}.git", examples=["https://github.com/{owner}/{name}.git"]
    )

    github_user_token: Secret | None = Field(None, examples=["<your own token>"])  # the command line: who you are

    # Sign approvals that come through the server, and check them: the same on the server and on workers of the control
    # queue, and on nobody else. The first signs, all are accepted.
    approval_keys: Annotated[tuple[ApprovalKey, ...], NoDecode, Words] = Field(
        (), examples=["$(python -c 'import secrets; print(secrets.token_hex(32))')"]
    )

    # Slack
    slack_api_url: Url = Field("https://slack.com/api/", examples=["https://slack.com/api/"])
    slack_token: Secret | None = Field(None, examples=["xoxb-…"])  # None: nothing is told to Slack

    # The worker
    data_dir: Path = Field(Path("/var/lib/docustack"), examples=["/var/lib/docustack"])
    host: Name = Field(default_factory=socket.gethostname, examples=["worker-1"])  # stays when the process restarts
    control_queue: bool = Field(True, examples=["true"])  # workflows, GitHub, Slack, git
    environments: Annotated[tuple[Name, ...], NoDecode, Words] = Field((), examples=["dev,staging"])
    terragrunt: str = Field("terragrunt", min_length=1, examples=["/usr/local/bin/terragrunt"])
    terraform: str = Field("terraform", min_length=1, examples=["/usr/local/bin/terraform"])
    terraform_cli_config: Path | None = Field(None, examples=["/etc/docustack/terraform.rc"])
    # A simulator's one account, which stands for those of all environments; never with the real AWS.
    simulated_account: Annotated[str, StringConstraints(pattern=r"^\d{12}$")] | None = Field(
        None, examples=["123456789012"]
    )
    # Activities of an environment at once, each with a Terragrunt and a Terraform; as many again for what goes on here.
    terraform_slots: int = Field(8, ge=1, le=256, examples=["4"])
    apply_lease: Duration = Field(timedelta(minutes=15), examples=["15m"])
    cancel_grace: Duration = Field(timedelta(minutes=5), examples=["5m"])
    # How long a worker that is told to stop lets run what runs; then Terraform is interrupted, and has `cancel_grace`.
    shutdown_grace: Duration = Field(timedelta(minutes=10), examples=["10m"])

    # Artifacts: a folder, or s3://bucket/prefix
    artifacts: Annotated[str, StringConstraints(pattern=r"^(s3://[a-z0-9][a-z0-9.-]{1,61}[a-z0-9](/.*)?|[^:]*)$")] = (
        Field("", examples=["s3://docustack-artifacts/runs"])
    )
    # Fernet keys for saved plans, which hold secrets; the newest first, workers of the same units share them.
    artifact_keys: Annotated[tuple[ArtifactKey, ...], NoDecode, Words] = Field(
        (), examples=["$(python -c 'import base64, os; print(base64.urlsafe_b64encode(os.urandom(32)).decode())')"]
    )

    # The web server
    bind_host: str = Field("127.0.0.1", min_length=1, examples=["0.0.0.0"])  # noqa: S104 - an example
    # Not DOCUSTACK_PORT: Kubernetes sets that itself in the pods beside a service named docustack.
    bind_port: int = Field(8080, ge=0, le=65_535, examples=["8080"])
    public_url: Url | Literal[""] = Field("", examples=["https://docustack.example.com"])

    log_level: Annotated[Literal["debug", "info", "warning", "error"], BeforeValidator(lambda v: str(v).lower())] = (
        Field("info", examples=["info"])
    )
    log_format: Literal["text", "json"] = Field("text", examples=["json"])

    @model_validator(mode="after")
    def _whole(self) -> Self:
        problems = [*self._github_problems(), *self._temporal_problems()]
        if problems:
            raise ValueError("\n".join(problems))
        return self

    def _github_problems(self) -> Iterable[str]:
        app = (
            "github_app_id",
            "github_app_installation_id",
            "github_app_private_key_file" if self.github_app_private_key_file else "github_app_private_key",
        )
        if any(getattr(self, field) is not None for field in app):
            yield from (_missing(field, "a GitHub App needs all three") for field in app if not getattr(self, field))
        yield from self._files("github_app_private_key_file")

    def _temporal_problems(self) -> Iterable[str]:
        pair = ("temporal_tls_certificate", "temporal_tls_key")
        if any(getattr(self, field) for field in pair):
            yield from (
                _missing(field, "a client certificate needs its key") for field in pair if not getattr(self, field)
            )
        yield from self._files("temporal_tls_ca", *pair, "terraform_cli_config")

    def _simulator_problems(self) -> Iterable[str]:
        if self.simulated_account is not None and not _is_simulator(os.environ.get("AWS_ENDPOINT_URL", "")):
            yield (
                f"{variable('simulated_account')} is for a simulator of AWS at AWS_ENDPOINT_URL: with the real AWS "
                "each environment's credentials are of its own account"
            )

    def _files(self, *fields: str) -> Iterable[str]:
        for field in fields:
            path = getattr(self, field)
            if path is not None and not path.is_file():
                yield f"{variable(field)}: {path} is no file"

    @classmethod
    def load(cls, process: Process = Process.CLIENT) -> Self:
        """Read the environment, once, at the start of a process.

        Raises:
            SettingsError: something is missing for this kind of process, or wrong.
        """
        try:
            settings = cls()
        except ValidationError as error:
            raise SettingsError(_report(_problems(error))) from None
        missing = [*settings._missing_for(process), *settings._simulator_problems()]
        if missing:
            raise SettingsError(_report(missing))
        return settings

    def _missing_for(self, process: Process) -> Iterable[str]:
        if process is Process.SERVER and self.webhook_secret is None:
            yield _missing("webhook_secret", "without it anybody could send events")
        if process is Process.SERVER and not self.repositories:
            yield _missing("repositories", "else every repository that can sign with the secret would be served")
        if process is Process.SERVER and self.bot_login is None:
            yield _missing("bot_login", "so that our own comments are never taken for commands")
        if process is Process.WORKER and self.control_queue:
            if self.github_token is None and self.github_app_id is None:
                yield _missing("github_token", "or DOCUSTACK_GITHUB_APP_ID with its installation and key")
            if self.bot_login is None:
                yield _missing("bot_login", "the login under which the worker comments")
        if process is Process.WORKER and self.environments and not self.artifact_keys:
            yield _missing("artifact_keys", "saved plans are kept encrypted")
        if process is Process.WORKER and not self.control_queue and not self.environments:
            yield _missing("environments", "a worker without the control queue would have nothing to do")

    @property
    def artifacts_folder(self) -> Path | None:
        """The folder of the artifact store; None where it is a bucket."""
        if self.artifacts.startswith("s3://"):
            return None
        return Path(self.artifacts) if self.artifacts else self.data_dir / "artifacts"

    def app_private_key(self) -> str:
        """The PEM of the GitHub App, from the variable or its file."""
        if self.github_app_private_key_file is not None:
            return self.github_app_private_key_file.read_text()
        return self.github_app_private_key.get_secret_value() if self.github_app_private_key else ""


def process_environment(settings: Settings) -> dict[str, str]:
    """What the tools that this process starts may inherit from; a Terraform configuration that isn't there is left out.

    Terraform only warns about such a file, on which Terragrunt then stops with OpenTofu.
    """
    environment = dict(os.environ)
    if settings.terraform_cli_config is not None:
        environment["TF_CLI_CONFIG_FILE"] = str(settings.terraform_cli_config)
    elif not Path(environment.get("TF_CLI_CONFIG_FILE", "/")).exists():
        del environment["TF_CLI_CONFIG_FILE"]
    return environment


def _is_simulator(endpoint: str) -> bool:
    return bool(endpoint) and not re.search(r"amazonaws\.|\bapi\.aws\b|vpce", endpoint)


def variable(field: str) -> str:
    """The environment variable of a setting."""
    return PREFIX + field.upper()


def unknown_variables(environment: Iterable[str] | None = None) -> list[str]:
    """A line for each `DOCUSTACK_…` variable that is no setting, with the nearest that is: a typo sets nothing."""
    known = {variable(field) for field in Settings.model_fields} | {PREFIX + "DEBUG"}  # the command line's own
    lines = []
    for name in sorted(os.environ if environment is None else environment):
        ours = name.startswith(PREFIX) and name not in known
        if ours and not re.search(r"_SERVICE_|_PORT(_|$)", name):  # Kubernetes' own, beside a service named docustack
            near = difflib.get_close_matches(name, known, n=1)
            lines.append(f"{name} is no setting" + (f"; did you mean {near[0]}?" if near else ""))
    return lines


def _example(field: str) -> str:
    examples = Settings.model_fields[field].examples
    return f"{variable(field)}={examples[0]}" if examples else variable(field)


def _missing(field: str, why: str) -> str:
    return f"{variable(field)} is missing ({why}), e.g. {_example(field)}"


def _problems(error: ValidationError) -> list[str]:
    lines: dict[str, str] = {}
    for detail in error.errors(include_url=False, include_context=False):
        field = str(detail["loc"][0]) if detail["loc"] else ""
        if not field:
            lines.setdefault(detail["msg"], detail["msg"].removeprefix("Value error, ").replace("\n", "\n  "))
            continue
        # The value of a secret is never told, not even a malformed one.
        secret = "SecretStr" in str(Settings.model_fields[field].annotation)
        value = "" if secret else f" is {detail['input']!r}"
        lines.setdefault(field, f"{variable(field)}{value}: {_expected(detail['msg'])}, e.g. {_example(field)}")
    return list(lines.values())


def _expected(message: str) -> str:
    return "it doesn't have the right form" if "pattern" in message else message[0].lower() + message[1:]


def _report(problems: list[str]) -> str:
    return "\n  ".join(["The settings of this process are incomplete or wrong:", *problems])
