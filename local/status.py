"""What a world says of itself: `docustack local status --json`, a contract for scripts that drive it from outside."""

from pydantic import BaseModel

from local.aws import REGION
from local.parts import github_tokens
from local.places import Places
from local.state import HOST, WorldState
from local.temporal_server import NAMESPACE


class TemporalStatus(BaseModel):
    address: str
    namespace: str
    ui_url: str


class WebhookStatus(BaseModel):
    url: str
    secret: str


class GitHubStatus(BaseModel):
    url: str  # web pages
    api_url: str  # REST API
    owner: str
    repository: str
    tokens: dict[str, str]  # by login: of people, not of the bot


class GitStatus(BaseModel):
    url: str  # to clone from and push to


class SlackStatus(BaseModel):
    url: str
    channel: str


class AwsStatus(BaseModel):
    endpoint_url: str
    region: str


class Status(BaseModel):
    """Fields may be added; none changes its meaning."""

    temporal: TemporalStatus
    webhook: WebhookStatus
    github: GitHubStatus
    git: GitStatus
    slack: SlackStatus
    aws: AwsStatus
    processes: dict[str, int]  # id by name, of those that live
    data_dir: str


def describe(places: Places, state: WorldState, living: dict[str, int]) -> Status:
    """The status of a world, with the process ids of its living parts."""
    repository = state.repository
    return Status(
        temporal=TemporalStatus(
            address=f"{HOST}:{state.ports['temporal']}", namespace=NAMESPACE, ui_url=state.url("temporal-ui")
        ),
        webhook=WebhookStatus(url=f"{state.url('server')}/webhooks/github", secret=state.webhook_secret),
        github=GitHubStatus(
            url=state.url("github"),
            api_url=state.url("github"),
            owner=repository.owner,
            repository=repository.name,
            tokens={login: token for login, token in github_tokens(places).items() if not login.endswith("[bot]")},
        ),
        git=GitStatus(url=str(places.bare(repository.owner, repository.name))),
        slack=SlackStatus(url=state.url("slack"), channel=repository.channel),
        aws=AwsStatus(endpoint_url=state.url("moto"), region=REGION),
        processes=living,
        data_dir=str(places.data_dir),
    )
