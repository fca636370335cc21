"""Clients of AWS with a worker's own credentials, and what its errors mean."""

from collections.abc import Callable, Mapping
from typing import Any

import boto3
from botocore.config import Config
from botocore.exceptions import (
    BotoCoreError,
    ClientError,
    CredentialRetrievalError,
    NoCredentialsError,
    PartialCredentialsError,
    ProfileNotFound,
    SSOError,
    TokenRetrievalError,
)

from docustack.errors import ErrorType
from docustack.terragrunt_errors import classify

AwsClients = Callable[[str, str | None, str], Any]  # boto3's clients have no type
"""Makes the client of a service for a profile (None: whatever the worker has) and a region."""

StsClients = Callable[[str | None, str], Any]
"""The same for STS alone."""

_WITHOUT_CREDENTIALS = (
    NoCredentialsError,
    PartialCredentialsError,
    CredentialRetrievalError,
    ProfileNotFound,
    SSOError,
    TokenRetrievalError,
)
_PATIENT = Config(connect_timeout=5, read_timeout=20, retries={"max_attempts": 2})
IMPATIENT = Config(connect_timeout=4, read_timeout=8, retries={"max_attempts": 0})
"""For a question whose answer somebody waits for."""


def aws_clients(environ: Mapping[str, str], config: Config = _PATIENT) -> AwsClients:
    """Clients with the credentials of `environ`, else wherever the AWS SDK finds some."""

    def client(service: str, profile: str | None, region: str) -> Any:
        session = boto3.session.Session(
            profile_name=profile,
            aws_access_key_id=environ.get("AWS_ACCESS_KEY_ID") if profile is None else None,
            aws_secret_access_key=environ.get("AWS_SECRET_ACCESS_KEY") if profile is None else None,
            aws_session_token=environ.get("AWS_SESSION_TOKEN") if profile is None else None,
        )
        make: Any = session.client  # its type knows only services by literal names
        return make(
            service,
            region_name=region,
            endpoint_url=environ.get(f"AWS_ENDPOINT_URL_{service.upper()}") or environ.get("AWS_ENDPOINT_URL"),
            config=config,
        )

    return client


def sts_clients(environ: Mapping[str, str]) -> StsClients:
    """Clients of STS with the worker's own credentials."""
    clients = aws_clients(environ)
    return lambda profile, region: clients("sts", profile, region)


def error_kind(error: ClientError | BotoCoreError) -> ErrorType:
    """CREDENTIALS where a person has to mend something; THROTTLED and UNAVAILABLE pass."""
    if isinstance(error, _WITHOUT_CREDENTIALS):
        return ErrorType.CREDENTIALS
    if not isinstance(error, ClientError):
        return ErrorType.UNAVAILABLE
    status = error.response.get("ResponseMetadata", {}).get("HTTPStatusCode", 0)
    if status >= 500:
        return ErrorType.UNAVAILABLE
    found = classify(f"Error: {error_code(error)}", "aws sts assume-role", "").type
    return found if found is ErrorType.THROTTLED else ErrorType.CREDENTIALS


def error_code(error: ClientError) -> str:
    return str(error.response.get("Error", {}).get("Code", "")) or str(error)


def error_text(error: ClientError | BotoCoreError) -> str:
    """What AWS or its SDK says, in a line."""
    return error_code(error) if isinstance(error, ClientError) else " ".join(str(error).split())
