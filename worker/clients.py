"""From settings to the clients of GitHub and Slack."""

import githubkit
from githubkit import AppInstallationAuthStrategy, TokenAuthStrategy
from githubkit.auth import BaseAuthStrategy
from slack_sdk.web.async_client import AsyncWebClient

from worker.settings import Settings, SettingsError

_GITHUB_SECONDS = 20.0
_SLACK_SECONDS = 10
_USER_AGENT = "docustack"


def github_client(settings: Settings, identity: BaseAuthStrategy | None = None) -> githubkit.GitHub[BaseAuthStrategy]:
    """The client of the GitHub API, as DocuStack or as somebody else.

    Used as it is, it connects anew for each call; `async with github_client(settings) as client:` around the worker
    keeps the connections open. Retries are Temporal's affair, and so is what may be cached.
    """
    return githubkit.GitHub(
        identity or _github_identity(settings),
        base_url=settings.github_api_url,
        user_agent=_USER_AGENT,
        timeout=_GITHUB_SECONDS,
        auto_retry=False,
        http_cache=False,
    )


def slack_client(settings: Settings) -> AsyncWebClient | None:
    """The client of the Slack API, or None where no token is set: then Slack is told nothing."""
    if settings.slack_token is None:
        return None
    return AsyncWebClient(
        token=settings.slack_token.get_secret_value(),
        base_url=settings.slack_api_url.rstrip("/") + "/",
        timeout=_SLACK_SECONDS,
        trust_env_in_session=True,  # a proxy
        retry_handlers=[],  # Temporal retries
    )


def _github_identity(settings: Settings) -> BaseAuthStrategy:
    if settings.github_app_id is not None and settings.github_app_installation_id is not None:
        return AppInstallationAuthStrategy(
            settings.github_app_id, settings.app_private_key(), settings.github_app_installation_id
        )
    if settings.github_token is None:
        raise SettingsError("DOCUSTACK_GITHUB_TOKEN is missing, or DOCUSTACK_GITHUB_APP_ID with its key.")
    return TokenAuthStrategy(settings.github_token.get_secret_value())
