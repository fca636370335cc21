"""The activity that checks, as a worker, what its environment needs before anything is deployed there."""

from collections.abc import Mapping

from temporalio import activity

from activities.aws_prerequisites import AwsPrerequisites, CheckEnvironment, MakeClients
from activities.terragrunt_command import own_profile
from docustack.prerequisites import Prerequisites


class EnvironmentPrerequisites:
    """Checks with the credentials that this worker has for its environments.

    On a task queue `docustack-<environment>`: only its workers have them. A check that fails is part of the answer, and
    no error: whoever asks decides what it needs.
    """

    def __init__(
        self, environ: Mapping[str, str], simulated: str | None = None, clients: MakeClients | None = None
    ) -> None:
        self._environ = environ
        self._aws = AwsPrerequisites(environ, simulated, clients)

    @activity.defn
    async def check_environment(self, question: CheckEnvironment) -> Prerequisites:
        """Profile, session and account of AWS, and with `backend` the state bucket and the lock table too."""
        profile = own_profile(self._environ, question.environment)
        role = question.environment.roles.plan if question.environment.roles else None
        return Prerequisites(checks=tuple(await self._aws.check(question, profile, role)))
