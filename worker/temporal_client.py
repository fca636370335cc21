"""From settings to the client of Temporal; apart from the other clients, which a command line has no use for."""

from pathlib import Path

from temporalio.client import Client
from temporalio.contrib.pydantic import pydantic_data_converter
from temporalio.service import TLSConfig

from worker.settings import Settings


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
