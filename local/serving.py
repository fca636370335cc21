"""Serves a stand-in on its port, and writes down where, for those who look for it."""

import socket
from collections.abc import Callable
from pathlib import Path

import uvicorn
from starlette.applications import Starlette

ADDRESS = "url"  # the file in the data folder that holds the address


def serve(build: Callable[[str], Starlette], host: str, port: int, data_dir: Path) -> None:
    """Serve until a signal ends it; `build` is told the address. Port 0 means any free one."""
    listener = socket.create_server((host, port), backlog=128)
    url = f"http://{host}:{listener.getsockname()[1]}"
    app = build(url)
    (data_dir / ADDRESS).write_text(url)
    config = uvicorn.Config(app, log_level="warning", access_log=False, timeout_graceful_shutdown=2)
    uvicorn.Server(config).run(sockets=[listener])
