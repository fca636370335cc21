"""Assumes the roles of environments: credentials stay in memory, and reach a process by its environment alone."""

import asyncio
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
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
)
from temporalio.exceptions import ApplicationError

from activities.messages import UnitRequest
from activities.unit_work import unit_failure
from docustack.configuration import Roles
from docustack.errors import ErrorType
from docustack.role_sessions import cannot_assume, session_name
from docustack.terragrunt_errors import classify

StsClients = Callable[[str | None, str], Any]  # boto3's clients have no type
"""Makes the client of STS for a profile (None: whatever the worker has) and a region."""

_DEFAULT = timedelta(hours=1)
"""What every role allows, and the most that AWS gives to somebody who has assumed a role already."""
_SHORTEST, _LONGEST = timedelta(minutes=15), timedelta(hours=12)
_WITHOUT_CREDENTIALS = (
    NoCredentialsError,
    PartialCredentialsError,
    CredentialRetrievalError,
    ProfileNotFound,
    SSOError,
)


@dataclass(frozen=True)
class RoleSession:
    """Credentials of one assumed role; never printed, never written."""

    access_key_id: str = field(repr=False)
    secret_access_key: str = field(repr=False)
    session_token: str = field(repr=False)
    expires_at: datetime

    def environment(self) -> dict[str, str]:
        """For a child process, which gets nothing else to identify itself with."""
        return {
            "AWS_ACCESS_KEY_ID": self.access_key_id,
            "AWS_SECRET_ACCESS_KEY": self.secret_access_key,
            "AWS_SESSION_TOKEN": self.session_token,
        }

    def lasts(self, needed: timedelta) -> bool:
        return self.expires_at - datetime.now(UTC) >= needed


class RoleSessions:
    """The sessions of one worker; units of one pull request that are worked on for one person share one."""

    def __init__(self, clients: StsClients) -> None:
        self._clients = clients
        self._known: dict[tuple[str, str], RoleSession] = {}
        self._turns: dict[tuple[str, str], asyncio.Lock] = {}

    async def assume(
        self, request: UnitRequest, roles: Roles, *, changes: bool, needed: timedelta, profile: str | None
    ) -> RoleSession:
        """A session that lasts as long as `needed` if the role allows it, else as long as it does.

        Raises:
            ApplicationError: CREDENTIALS where it is refused; THROTTLED, UNAVAILABLE (retried) where none answers.
        """
        role = roles.apply if changes else roles.plan
        name = session_name(pull_request=request.pull_request, run_id=request.tree.run_id, actor=request.actor)
        async with self._turns.setdefault((role, name), asyncio.Lock()):
            known = self._known.get((role, name))
            if known is not None and known.lasts(needed):
                return known
            assuming = _Assuming(request, role, name, "apply" if changes else "plan", profile, self._clients)
            session = await asyncio.to_thread(assuming.assume, needed)
            self._forget_expired()
            self._known[role, name] = session
            return session

    def _forget_expired(self) -> None:
        gone = [key for key, session in self._known.items() if not session.lasts(timedelta())]
        for key in gone:
            del self._known[key]
            self._turns.pop(key, None)


@dataclass(frozen=True)
class _Assuming:
    """One call of STS; blocking."""

    request: UnitRequest
    role: str
    name: str
    doing: str
    profile: str | None
    clients: StsClients

    def assume(self, needed: timedelta) -> RoleSession:
        try:
            client = self.clients(self.profile, self.request.environment.region)
        except BotoCoreError as error:
            raise self._failure(error, None) from None
        try:
            return self._ask(client, needed)
        except (ClientError, BotoCoreError) as error:
            raise self._failure(error, client) from None

    def _ask(self, client: Any, needed: timedelta) -> RoleSession:
        wanted = min(max(needed + timedelta(minutes=5), _DEFAULT, _SHORTEST), _LONGEST)
        try:
            return self._call(client, wanted)
        except ClientError as error:
            if wanted == _DEFAULT or _code(error) != "ValidationError":
                raise
            return self._call(client, _DEFAULT)  # the role doesn't allow so long a session

    def _call(self, client: Any, duration: timedelta) -> RoleSession:
        answer = client.assume_role(
            RoleArn=self.role, RoleSessionName=self.name, DurationSeconds=int(duration.total_seconds())
        )
        given = answer["Credentials"]
        return RoleSession(
            access_key_id=given["AccessKeyId"],
            secret_access_key=given["SecretAccessKey"],
            session_token=given["SessionToken"],
            expires_at=given["Expiration"],
        )

    def _failure(self, error: ClientError | BotoCoreError, client: Any) -> ApplicationError:
        kind = _kind(error)
        if kind is not ErrorType.CREDENTIALS:
            message = f"`{self.role}` could not be assumed to {self.doing} `{self.request.environment_name}`: {error}"
            return unit_failure(kind, message)
        return unit_failure(
            kind,
            cannot_assume(
                self.role,
                doing=self.doing,
                environment=self.request.environment_name,
                identity=_identity(client) if isinstance(error, ClientError) else None,
                why=_code(error) if isinstance(error, ClientError) else str(error),
                profile=self.request.environment.profile,
            ),
        )


def sts_clients(environ: Mapping[str, str]) -> StsClients:
    """Clients with the worker's own credentials, wherever the AWS SDK finds them."""

    def client(profile: str | None, region: str) -> Any:
        session = boto3.session.Session(
            profile_name=profile,
            aws_access_key_id=environ.get("AWS_ACCESS_KEY_ID") if profile is None else None,
            aws_secret_access_key=environ.get("AWS_SECRET_ACCESS_KEY") if profile is None else None,
            aws_session_token=environ.get("AWS_SESSION_TOKEN") if profile is None else None,
        )
        make: Any = session.client  # its type knows only services by literal names
        return make(
            "sts",
            region_name=region,
            endpoint_url=environ.get("AWS_ENDPOINT_URL_STS") or environ.get("AWS_ENDPOINT_URL"),
            config=Config(connect_timeout=5, read_timeout=20, retries={"max_attempts": 2}),
        )

    return client


def _kind(error: ClientError | BotoCoreError) -> ErrorType:
    if isinstance(error, _WITHOUT_CREDENTIALS):
        return ErrorType.CREDENTIALS
    if not isinstance(error, ClientError):
        return ErrorType.UNAVAILABLE
    status = error.response.get("ResponseMetadata", {}).get("HTTPStatusCode", 0)
    if status >= 500:
        return ErrorType.UNAVAILABLE
    found = classify(f"Error: {_code(error)}", "aws sts assume-role", "").type
    return found if found is ErrorType.THROTTLED else ErrorType.CREDENTIALS


def _code(error: ClientError) -> str:
    return str(error.response.get("Error", {}).get("Code", "")) or str(error)


def _identity(client: Any) -> str | None:
    """Whom AWS takes the worker for: asking needs no permission, only valid credentials."""
    try:
        return str(client.get_caller_identity()["Arn"])
    except (ClientError, BotoCoreError):
        return None
