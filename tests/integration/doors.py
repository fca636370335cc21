"""The server, and the people who come to its doors: by HTTP, or from a terminal."""

import contextlib
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest
import uvicorn
from pydantic import SecretStr

from starter.server import create_app
from tests.integration.stand_ins import OWNER, REPOSITORY, GitHubStandIn
from tests.workflows.fakes import APPROVAL_KEY
from worker.settings import Settings
from worker.temporal_client import connect_temporal

LIVE = f"{OWNER}/{REPOSITORY}"


def settings_for(temporal: str, github: GitHubStandIn, folder: Path, key: str = APPROVAL_KEY) -> Settings:
    return Settings(
        temporal_address=temporal,
        webhook_secret=SecretStr("a-webhook-secret"),
        bot_login="docustack[bot]",
        github_api_url=github.url,
        approval_keys=(SecretStr(key),) if key else (),
        data_dir=folder,
        host="test",
    )


@contextlib.contextmanager
def serving(settings: Settings) -> Iterator[str]:
    """The server in a thread, with a loop of its own, on a free port."""
    app = create_app(lambda: connect_temporal(settings, lazy=True), settings)
    server = uvicorn.Server(uvicorn.Config(app, host="127.0.0.1", port=0, log_config=None))
    thread = threading.Thread(target=server.run, daemon=True)
    thread.start()
    until = time.monotonic() + 20
    while not server.started:
        assert time.monotonic() < until, "the server doesn't start"
        time.sleep(0.02)
    try:
        yield f"http://127.0.0.1:{server.servers[0].sockets[0].getsockname()[1]}"
    finally:
        server.should_exit = True
        thread.join(20)


@contextlib.contextmanager
def terminal_of(
    login: str, temporal: str, github: GitHubStandIn, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> Iterator[str]:
    """The server of the one live repository, and a terminal in `folder` in which `login` types commands."""
    settings = settings_for(temporal, github, folder).model_copy(update={"repositories": (LIVE,)})
    with serving(settings) as url:
        monkeypatch.chdir(folder)
        monkeypatch.setenv("DOCUSTACK_TEMPORAL_ADDRESS", temporal)
        monkeypatch.setenv("DOCUSTACK_PUBLIC_URL", url)
        monkeypatch.setenv("DOCUSTACK_REPOSITORIES", LIVE)
        monkeypatch.setenv("DOCUSTACK_GITHUB_USER_TOKEN", github.token(login))
        yield url


class Api:
    """Asks the server as one of the people of the stand-in."""

    def __init__(self, url: str, github: GitHubStandIn) -> None:
        self._url = url
        self._github = github

    async def __call__(self, login: str, method: str, path: str, content: object = None) -> tuple[int, Any]:
        headers = {"authorization": f"Bearer {self._github.token(login)}"}
        async with httpx.AsyncClient(timeout=60) as http:
            response = await http.request(method, f"{self._url}/api{path}", json=content, headers=headers)
        return response.status_code, response.json()

    async def approve(self, login: str, run_id: str, **changes: str) -> tuple[int, Any]:
        status, run = await self("lead", "GET", f"/runs/{run_id}")
        assert status == 200, run
        order = {"commit": run["commit"], "plans": run["plans"], **changes}
        return await self(login, "POST", f"/runs/{run_id}/approve", order)
