"""The activities that check, as a worker, what is needed before anything is deployed (guide, "Prerequisites")."""

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from typing import Any

import githubkit
from slack_sdk.web.async_client import AsyncWebClient
from temporalio import activity

from activities.aws_prerequisites import AwsPrerequisites, CheckEnvironment, MakeClients
from activities.github_prerequisites import GitHubPrerequisites
from activities.slack_prerequisites import check_slack
from activities.terragrunt_command import own_profile
from activities.tool_prerequisites import WorkerTools
from docustack.model import Model
from docustack.prerequisites import Prerequisite, Prerequisites
from docustack.repository import Repository


class CheckInstallation(Model):
    """Check what a deployment needs of GitHub, of Slack and of the control worker's machine."""

    repository: Repository
    teams: tuple[str, ...] = ()  # slugs: who is in them has to be readable
    channel: str = ""  # empty: Slack isn't asked
    pushes: bool = False  # a change of the live repository is to be offered


class EnvironmentPrerequisites:
    """Checks with the credentials that this worker has for its environments.

    On a task queue `docustack-<environment>`: only its workers have them. A check that fails is part of the answer, and
    no error: whoever asks decides what it needs.
    """

    def __init__(
        self,
        environ: Mapping[str, str],
        simulated: str | None = None,
        clients: MakeClients | None = None,
        tools: WorkerTools | None = None,
    ) -> None:
        self._environ = environ
        self._aws = AwsPrerequisites(environ, simulated, clients)
        self._tools = tools or WorkerTools({})

    @activity.defn
    async def check_environment(self, question: CheckEnvironment) -> Prerequisites:
        """Profile, session and account of AWS; with `backend` state bucket and lock table, with `tools` those too."""
        profile = own_profile(self._environ, question.environment)
        role = question.environment.roles.plan if question.environment.roles else None
        tools = self._tools.check(question.name) if question.tools else _nothing()
        found = await asyncio.gather(tools, self._aws.check(question, profile, role))
        return Prerequisites(checks=tuple(check for checks in found for check in checks))


class InstallationPrerequisites:
    """Checks with the identities that a worker of the control queue has at GitHub and Slack."""

    def __init__(
        self,
        github: githubkit.GitHub[Any],
        slack: AsyncWebClient | None,
        try_push: Callable[[Repository], Awaitable[None]],
        tools: WorkerTools,
    ) -> None:
        self._github = github
        self._slack = slack
        self._try_push = try_push
        self._tools = tools

    @activity.defn
    async def check_installation(self, question: CheckInstallation) -> Prerequisites:
        """Tools, GitHub and Slack, all at once."""
        repository = question.repository
        github = GitHubPrerequisites(
            repository,
            question.teams,
            public_url="",
            engine=self._github,
            person=None,
            try_push=lambda: self._try_push(repository),
        )
        found = await asyncio.gather(
            self._tools.check(),
            github.check_engine(pushes=question.pushes),
            check_slack(self._slack, question.channel) if question.channel else _nothing(),
        )
        return Prerequisites(checks=tuple(check for checks in found for check in checks))


async def _nothing() -> list[Prerequisite]:
    return []
