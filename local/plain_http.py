"""Questions to the parts of a local world, which all speak plain HTTP."""

import ssl

import httpx

_NO_TLS = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
"""Without any authority it trusts nobody; httpx would else load all of them, 40 ms, for connections that use none."""


def client() -> httpx.Client:
    """For many questions to one part."""
    return httpx.Client(timeout=30, trust_env=False, verify=_NO_TLS)


def get(url: str, *, params: dict[str, str] | None = None, headers: dict[str, str] | None = None) -> httpx.Response:
    """Raises an `httpx.TransportError` where nobody answers."""
    return httpx.get(url, params=params, headers=headers, timeout=30, trust_env=False, verify=_NO_TLS)


def post(url: str, content: object) -> httpx.Response:
    """Sends JSON; raises an `httpx.TransportError` where nobody answers."""
    return httpx.post(url, json=content, timeout=30, trust_env=False, verify=_NO_TLS)
