"""Nothing is begun on a wrong AWS account: asks STS whose the credentials are that Terragrunt will get."""

import asyncio
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from botocore.exceptions import BotoCoreError, ClientError

from activities.aws_clients import StsClients, error_kind, error_text
from activities.unit_work import unit_failure
from docustack.aws_accounts import CallerIdentity, is_account_of, no_identity, wrong_account
from docustack.configuration import Environment
from docustack.errors import ErrorType

REMEMBERED_SECONDS = 60.0
"""How long an answer holds for the worker's own credentials; other files of profiles, and it is asked again at once."""

_PROFILES = {"AWS_CONFIG_FILE": "~/.aws/config", "AWS_SHARED_CREDENTIALS_FILE": "~/.aws/credentials"}

_Key = tuple[str | None, tuple[int, ...]]


class Accounts:
    """Whose the credentials of one worker are; one question for all units that are worked on at once.

    `simulated` is the one account of a simulator that stands for the accounts of all environments.
    """

    def __init__(
        self,
        clients: StsClients,
        environ: Mapping[str, str],
        simulated: str | None = None,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._clients = clients
        self._files = [Path(environ.get(name) or usual).expanduser() for name, usual in _PROFILES.items()]
        self._simulated = simulated
        self._clock = clock
        self._known: dict[_Key, tuple[float, CallerIdentity]] = {}
        self._turn = asyncio.Lock()

    async def require_own(self, name: str, environment: Environment, profile: str | None) -> None:
        """The worker's own credentials, as Terragrunt finds them.

        Raises:
            ApplicationError: CREDENTIALS where they are of another account, or nobody's; THROTTLED, UNAVAILABLE
                (retried) where nobody answers.
        """
        async with self._turn:
            key = (profile, tuple(map(_changed_at, self._files)))
            until, identity = self._known.get(key, (0.0, None))
            if identity is None or until < self._clock():
                try:
                    identity = await asyncio.to_thread(self._ask, profile, environment.region)
                except (ClientError, BotoCoreError) as error:
                    kind = error_kind(error)
                    raise unit_failure(kind, no_identity(name, environment, error_text(error), profile)) from None
                self._known = {other: known for other, known in self._known.items() if other[0] != profile}
                self._known[key] = (self._clock() + REMEMBERED_SECONDS, identity)
        self.require(name, environment, identity, profile)

    def require(self, name: str, environment: Environment, identity: CallerIdentity, profile: str | None) -> None:
        """Raises CREDENTIALS where the identity is of another account."""
        if not is_account_of(environment, identity.account, self._simulated):
            raise unit_failure(ErrorType.CREDENTIALS, wrong_account(name, environment, identity, profile))

    def _ask(self, profile: str | None, region: str) -> CallerIdentity:
        return caller_identity(self._clients(profile, region))


def caller_identity(sts: Any) -> CallerIdentity:  # boto3's clients have no type
    """Asking needs no permission, only valid credentials."""
    answer = sts.get_caller_identity()
    return CallerIdentity(account=str(answer["Account"]), arn=str(answer["Arn"]))


def _changed_at(path: Path) -> int:
    try:
        return path.stat().st_mtime_ns
    except OSError:
        return 0
