"""From settings to the clients of Temporal, GitHub and Slack."""

from pathlib import Path

import githubkit
from githubkit import AppInstallationAuthStrategy, TokenAuthStrategy
from githubkit.auth import BaseAuthStrategy
from slack_sdk.web.async_client import AsyncWebClient
from temporalio.client import Client
from temporalio.contrib.pydantic import pydantic_data_converter
from temporalio.service import TLSConfig

from worker.settings import Settings, SettingsError

_GITHUB_SECONDS = 20.0
_SLACK_SECONDS = 10
_USER_AGENT = "docustack"


async def connect_temporal(settings: Settings, *, lazy: bool = False) -> Client:
    """Connect to Temporal; lazily for a server that has to start, and answer 503, while Temporal is away.

    Raises:
        RuntimeError: Temporal doesn't answer (not raised when lazy).
    """
    return await Client.connect(
        settings.temporal_address,
        namespace=settings.temporal_namespace,
        api_key=settings.temporal_api_key.get_secret_value() if settings.temporal_api_key else None,
        tls=_tls(settings),
        data_converter=pydantic_data_converter,
        lazy=lazy,
    )


def github_client(settings: Settings) -> githubkit.GitHub[BaseAuthStrategy]:
    """The client of the GitHub API.

    Used as it is, it connects anew for each call; `async with github_client(settings) as client:` around the worker
    keeps the connections open. Retries are Temporal's affair, and so is what may be cached.
    """
    return githubkit.GitHub(
        _github_identity(settings),
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


def _tls(settings: Settings) -> TLSConfig | bool | None:
    if settings.temporal_tls_ca or settings.temporal_tls_certificate:
        return TLSConfig(
            server_root_ca_cert=_bytes(settings.temporal_tls_ca),
            client_cert=_bytes(settings.temporal_tls_certificate),
            client_private_key=_bytes(settings.temporal_tls_key),
        )
    # None, not False: with an API key the SDK then speaks TLS by itself.
    return settings.temporal_tls or None


def _bytes(path: Path | None) -> bytes | None:
    return path.read_bytes() if path else None
