"""Opens a unit for work: its folder in the run's tree, and as whom its processes are known to AWS."""

from collections.abc import Mapping
from datetime import timedelta

from temporalio import activity
from temporalio.exceptions import ApplicationError

from activities.messages import UnitRequest
from activities.role_sessions import RoleSessions
from activities.terragrunt_command import TerragruntCommand, own_profile
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
        grace: timedelta,
    ) -> None:
        self._work_trees = work_trees
        self._command = command
        self._environ = environ
        self._sessions = sessions
        self._grace = grace

    async def open(self, request: UnitRequest, *, changes: bool) -> Unit:
        """Raises an `ApplicationError`: NOT_FOUND, or what keeps the role from being assumed."""
        root, folder = await unit_folder(self._work_trees, request)
        roles = request.environment.roles
        if roles is None:
            return Unit(request, root, folder, self._command.environment(self._environ, request.environment))
        session = await self._sessions.assume(
            request,
            roles,
            changes=changes,
            needed=timedelta(minutes=request.timeout_minutes) + self._grace + _BEYOND,
            profile=own_profile(self._environ, request.environment),
        )
        environ = self._command.environment(self._environ, request.environment, session.environment())
        return Unit(request, root, folder, environ, credentials_until=session.expires_at)

    async def attend(self, request: UnitRequest) -> Unit:
        """For an apply that runs already, with credentials of its own: that none are given now must not end it."""
        try:
            return await self.open(request, changes=True)
        except ApplicationError as error:
            roles = request.environment.roles
            if roles is None:
                raise
            activity.logger.warning("an apply is attended without credentials: %s", error.message)
        root, folder = await unit_folder(self._work_trees, request)
        environ = self._command.environment(self._environ, request.environment, {})
        return Unit(request, root, folder, environ, blind=roles.apply)
