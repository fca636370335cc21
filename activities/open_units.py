"""Opens a unit for work: its folder in the run's tree, and as whom, in which account, its processes work in AWS."""

from collections.abc import Mapping
from datetime import timedelta
from pathlib import Path

from temporalio import activity
from temporalio.exceptions import ApplicationError

from activities.aws_accounts import Accounts
from activities.role_sessions import RoleSession, RoleSessions
from activities.terragrunt_command import TerragruntCommand, own_profile
from activities.terragrunt_messages import UnitRequest
from activities.unit_work import Unit, WorkTrees, unit_folder

_BEYOND = timedelta(minutes=2)
"""What an activity does after its Terraform has ended: reading results, writing artifacts."""


class OpenUnits:
    """Opens units with the role of what is to be done there."""

    def __init__(
        self,
        work_trees: WorkTrees,
        command: TerragruntCommand,
        environ: Mapping[str, str],
        sessions: RoleSessions,
        accounts: Accounts,
        grace: timedelta,
    ) -> None:
        self._work_trees = work_trees
        self._command = command
        self._environ = environ
        self._sessions = sessions
        self._accounts = accounts
        self._grace = grace

    async def open(self, request: UnitRequest, *, changes: bool) -> Unit:
        """Raises an `ApplicationError`: NOT_FOUND, a wrong account, or what keeps the role from being assumed."""
        root, folder = await unit_folder(self._work_trees, request)
        session = await self.identify(request, changes=changes)
        if session is None:
            return self._as_the_worker(request, root, folder)
        environ = self._command.environment(self._environ, request.environment, session.environment())
        return Unit(request, root, folder, environ, credentials_until=session.expires_at)

    async def identify(self, request: UnitRequest, *, changes: bool) -> RoleSession | None:
        """The session of the environment's role, None where the worker works as itself; of the right account.

        Raises an `ApplicationError`: CREDENTIALS, or THROTTLED and UNAVAILABLE where nobody answers.
        """
        name, environment, roles = request.environment_name, request.environment, request.environment.roles
        profile = own_profile(self._environ, environment)
        if roles is None:
            await self._accounts.require_own(name, environment, profile)
            return None
        session = await self._sessions.assume(
            request,
            roles,
            changes=changes,
            needed=timedelta(minutes=request.timeout_minutes) + self._grace + _BEYOND,
            profile=profile,
        )
        self._accounts.require(name, environment, session.identity, profile)
        return session

    async def attend(self, request: UnitRequest) -> Unit:
        """For an apply that runs already, with credentials of its own: that none are given now must not end it."""
        try:
            return await self.open(request, changes=True)
        except ApplicationError as error:
            activity.logger.warning("an apply is attended without credentials: %s", error.message)
        root, folder = await unit_folder(self._work_trees, request)
        roles = request.environment.roles
        if roles is None:
            return self._as_the_worker(request, root, folder)
        environ = self._command.environment(self._environ, request.environment, {})
        return Unit(request, root, folder, environ, blind=roles.apply)

    def _as_the_worker(self, request: UnitRequest, root: Path, folder: Path) -> Unit:
        return Unit(request, root, folder, self._command.environment(self._environ, request.environment))
