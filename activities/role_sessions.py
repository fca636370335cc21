"""Assumes the roles of environments: credentials stay in memory, and reach a process by its environment alone."""

import asyncio
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

from botocore.exceptions import BotoCoreError, ClientError
from temporalio.exceptions import ApplicationError

from activities.aws_accounts import caller_identity
from activities.aws_clients import StsClients, error_code, error_kind
from activities.terragrunt_messages import UnitRequest
from activities.unit_work import unit_failure
from docustack.aws_accounts import CallerIdentity, account_of_arn
from docustack.configuration import Roles
from docustack.errors import ErrorType
from docustack.role_sessions import cannot_assume, session_name

_DEFAULT = timedelta(hours=1)
"""What every role allows, and the most that AWS gives to somebody who has assumed a role already."""
_SHORTEST, _LONGEST = timedelta(minutes=15), timedelta(hours=12)


@dataclass(frozen=True)
class RoleSession:
    """Credentials of one assumed role; never printed, never written."""

    access_key_id: str = field(repr=False)
    secret_access_key: str = field(repr=False)
    session_token: str = field(repr=False)
    expires_at: datetime
    identity: CallerIdentity  # whom STS says that it is of

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
            if wanted == _DEFAULT or error_code(error) != "ValidationError":
                raise
            return self._call(client, _DEFAULT)  # the role doesn't allow so long a session

    def _call(self, client: Any, duration: timedelta) -> RoleSession:
        return _session(client, self.role, self.name, duration)

    def _failure(self, error: ClientError | BotoCoreError, client: Any) -> ApplicationError:
        kind = error_kind(error)
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
                why=error_code(error) if isinstance(error, ClientError) else str(error),
                profile=self.request.environment.profile,
            ),
        )


def assume_for_a_look(client: Any, role: str) -> RoleSession:
    """A short session that changes nothing; raises ClientError or BotoCoreError."""
    return _session(client, role, "docustack-doctor", _SHORTEST)


def _session(client: Any, role: str, name: str, duration: timedelta) -> RoleSession:
    answer = client.assume_role(RoleArn=role, RoleSessionName=name, DurationSeconds=int(duration.total_seconds()))
    given, arn = answer["Credentials"], str(answer["AssumedRoleUser"]["Arn"])
    return RoleSession(
        access_key_id=given["AccessKeyId"],
        secret_access_key=given["SecretAccessKey"],
        session_token=given["SessionToken"],
        expires_at=given["Expiration"],
        identity=CallerIdentity(account=account_of_arn(arn), arn=arn),
    )


def _identity(client: Any) -> str | None:
    """Whom AWS takes the worker for: asking needs no permission, only valid credentials."""
    try:
        return caller_identity(client).arn
    except (ClientError, BotoCoreError):
        return None
