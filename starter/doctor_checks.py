"""All checks of `docustack doctor` (guide, "Prerequisites"), made at once."""

import asyncio
import functools
from collections.abc import Awaitable, Iterable, Sequence

from githubkit import TokenAuthStrategy

from activities.aws_prerequisites import AwsPrerequisites, CheckEnvironment
from activities.git_push import try_push
from activities.github_prerequisites import GitHubPrerequisites
from activities.slack_prerequisites import check_slack
from activities.terragrunt_command import own_profile
from activities.tool_prerequisites import as_prerequisite, check_tools
from docustack.configuration import Configuration
from docustack.prerequisites import Area, Expected, Prerequisite
from docustack.repository import Repository
from starter.doctor_surroundings import Around
from starter.exit_codes import CommandFailed
from starter.github_token import own_token
from starter.temporal_prerequisites import check_temporal
from starter.tool_paths import executable
from worker.clients import github_client, slack_client
from worker.settings import Settings, SettingsError
from worker.wiring import clone_url

_GUIDES_TOOLS = ("terraform", "terragrunt", "git", "aws")
_REPOSITORY = Expected(area=Area.GITHUB, name="live repository", needed="its name on GitHub")


async def check_all(around: Around, environments: Sequence[str]) -> list[Prerequisite]:
    """By area, in the order of the guide; `environments` are those that are asked about."""
    made = await asyncio.gather(
        _tools(around.settings),
        _aws(around, environments),
        _github(around),
        _slack(around),
        check_temporal(around.settings, environments),
    )
    tools, *others = made
    return [*tools, around.found, *(check for area in others for check in area)]


async def _tools(settings: Settings) -> list[Prerequisite]:
    found = await check_tools(lambda name: executable(name, settings))
    return [as_prerequisite(tool) for tool in found if tool.name in _GUIDES_TOOLS]


async def _aws(around: Around, environments: Sequence[str]) -> list[Prerequisite]:
    """As the person at this machine: each environment with its own profile, whatever AWS_PROFILE says."""
    if around.rules is None:
        return []
    environ = {name: value for name, value in around.environ.items() if name != "AWS_PROFILE"}
    aws = AwsPrerequisites(environ, around.settings.simulated_account)
    return await _together(_of_environment(aws, around.rules, environ, name) for name in environments)


async def _of_environment(
    aws: AwsPrerequisites, rules: Configuration, environ: dict[str, str], name: str
) -> list[Prerequisite]:
    environment = rules.environments[name]
    question = CheckEnvironment(name=name, environment=environment, state=rules.state)
    return await aws.check(question, own_profile(environ, environment))


async def _github(around: Around) -> list[Prerequisite]:
    if around.repository is None:
        mend = "add `repository: owner/name` to docustack.yaml, or set DOCUSTACK_REPOSITORIES"
        return [_REPOSITORY.failed("it is not known", mend)]
    return await _of_repository(around, around.repository)


async def _of_repository(around: Around, repository: Repository) -> list[Prerequisite]:
    settings = around.settings
    try:
        engine = github_client(settings)
    except SettingsError:
        engine = None
    token = await asyncio.to_thread(_own_token, around)
    person = github_client(settings, TokenAuthStrategy(token)) if token else None
    teams = list(around.rules.known_teams().values()) if around.rules else []
    world = "DOCUSTACK_GITHUB_USER_TOKEN=$(docustack local token lead) docustack doctor"
    sign_in = world if around.in_local_world else "gh auth login"
    push = functools.partial(try_push, repository, clone_url(settings, repository), settings.github_token)
    return await GitHubPrerequisites(
        repository, teams, settings.public_url, engine, person, sign_in, push if engine else None
    ).check()


def _own_token(around: Around) -> str | None:
    if around.settings.github_user_token is not None:
        return around.settings.github_user_token.get_secret_value()
    if around.in_local_world:  # a token of the real GitHub has no business there
        return None
    try:
        return own_token(around.settings)
    except CommandFailed:
        return None


async def _slack(around: Around) -> list[Prerequisite]:
    channel = around.rules.slack.channel if around.rules else "#infra-alerts"
    return await check_slack(slack_client(around.settings), channel)


async def _together(groups: Iterable[Awaitable[list[Prerequisite]]]) -> list[Prerequisite]:
    return [check for group in await asyncio.gather(*groups) for check in group]
