"""The stand-ins as tests start them: real processes on free ports, with real git and the real clients beside them."""

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Condition, Thread
from typing import Any, TypeVar

import httpx
from githubkit import GitHub, Response, TokenAuthStrategy

OWNER, REPOSITORY = "docustack", "docustack-infrastructure-live"
SECRET = "a-webhook-secret"
T = TypeVar("T")


def listed(kind: type[T], response: Response[Any, Any]) -> list[T]:
    """A list that githubkit answered with, for which it has no type that mypy can walk through."""
    found: list[T] = response.parsed_data
    assert all(isinstance(item, kind) for item in found)
    return found


def eventually(look: Callable[[], T | None], seconds: float = 120) -> T:
    """The first thing that `look` finds."""
    until = time.monotonic() + seconds
    while time.monotonic() < until:
        found = look()
        if found:
            return found
        time.sleep(0.05)
    raise AssertionError(f"not there after {seconds} s")


@dataclass(frozen=True)
class Received:
    headers: dict[str, str]
    body: bytes

    @property
    def event(self) -> str:
        return self.headers["x-github-event"]

    @property
    def content(self) -> dict[str, object]:
        content: dict[str, object] = json.loads(self.body)
        return content

    @property
    def name(self) -> str:
        """`pull_request.opened`, `push`."""
        return ".".join(filter(None, [self.event, str(self.content.get("action", ""))]))


class Receiver:
    """A webhook server that keeps what it gets and answers with `status`."""

    def __init__(self) -> None:
        self.received: list[Received] = []
        self.status = 202
        self._arrived = Condition()
        receiver = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers["content-length"]))
                headers = {name.lower(): value for name, value in self.headers.items()}
                self.send_response(receiver.status)
                self.end_headers()
                with receiver._arrived:
                    receiver.received.append(Received(headers, body))
                    receiver._arrived.notify_all()

            def log_message(self, format: str, *args: object) -> None:  # noqa: A002  # the base class names it
                pass

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._thread = Thread(target=self._server.serve_forever, args=(0.02,), daemon=True)
        self._thread.start()
        self.url = f"http://127.0.0.1:{self._server.server_port}/webhooks/github"

    def wait_for(self, name: str, count: int = 1, *, about: str = "") -> list[Received]:
        """All webhooks of one name that hold the text `about`, once there are `count`."""
        with self._arrived:
            there = self._arrived.wait_for(lambda: len(self.named(name, about)) >= count, timeout=30)
        assert there, f"no {count} {name} in {[one.name for one in self.received]}"
        return self.named(name, about)

    def named(self, name: str, about: str = "") -> list[Received]:
        return [one for one in self.received if one.name == name and about in str(one.content)]

    def close(self) -> None:
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()


@dataclass
class StandIn:
    """One stand-in process; `address` is there when it is ready."""

    root: Path
    module: str = ""
    arguments: list[str] = field(default_factory=list)
    process: subprocess.Popen[bytes] | None = None
    url: str = ""

    def start(self) -> None:
        address = self.root / "data" / "url"
        address.unlink(missing_ok=True)
        port = self.url.rpartition(":")[2] or "0"
        command = [sys.executable, "-m", self.module, "--port", port, "--data-dir", str(self.root / "data")]
        self.process = subprocess.Popen([*command, *self.arguments])
        self.url = eventually(lambda: address.read_text() if address.is_file() else None)
        eventually(self._is_ready)

    def _is_ready(self) -> bool:
        assert self.process is not None
        assert self.process.poll() is None, f"{self.module} ended with {self.process.returncode}"
        try:
            return httpx.get(self.url + "/_stand_in/health").is_success
        except httpx.TransportError:
            return False

    def stop(self, how: signal.Signals = signal.SIGTERM) -> None:
        if self.process is not None:
            self.process.send_signal(how)
            self.process.wait(timeout=120)
            self.process = None

    def control(self, method: str, path: str, content: object = None) -> dict[str, object]:
        response = httpx.request(method, f"{self.url}/_stand_in/{path}", json=content)
        response.raise_for_status()
        answer: dict[str, object] = response.json() if response.content else {}
        return answer

    def fault(self, **fault: object) -> None:
        self.control("POST", "faults", fault)


@dataclass
class GitHubStandIn(StandIn):
    """The GitHub stand-in with its bare repository, a clone of it to work in, and a receiver of its webhooks."""

    module: str = "local.github"
    receiver: Receiver = field(default_factory=Receiver)
    _clients: "dict[str, GitHub[TokenAuthStrategy]]" = field(default_factory=dict)

    @property
    def clone(self) -> Path:
        return self.root / "clone"

    @property
    def bare(self) -> Path:
        return self.root / "live.git"

    def prepare(self) -> None:
        """Make the repository, with one commit on `main` and `staging`."""
        subprocess.run(["git", "init", "-q", "--bare", "-b", "main", str(self.bare)], check=True)
        subprocess.run(["git", "clone", "-q", str(self.bare), str(self.clone)], check=True, capture_output=True)
        self.git("checkout", "-q", "-B", "main")
        self.write("dev/us-east-1/vpc/terragrunt.hcl", "".join(f"line {number}\n" for number in range(1, 11)))
        self.git("add", ".")
        self.git("commit", "-q", "-m", "first")
        self.git("push", "-q", "origin", "main", "main:staging")
        webhook = ["--webhook-url", self.receiver.url, "--webhook-secret", SECRET]
        self.arguments = ["--git-dir", str(self.bare), *webhook]

    def git(self, *arguments: str, author: str = "developer") -> str:
        identity = {
            f"GIT_{role}_{field}": value
            for role in ("AUTHOR", "COMMITTER")
            for field, value in (("NAME", author), ("EMAIL", f"{author}@example.com"))
        }
        result = subprocess.run(
            ["git", *arguments],
            cwd=self.clone,
            env={**os.environ, **identity},
            capture_output=True,
            text=True,
            check=False,
        )
        assert result.returncode == 0, result.stderr
        return result.stdout.strip()

    def write(self, path: str, text: str) -> None:
        (self.clone / path).parent.mkdir(parents=True, exist_ok=True)
        (self.clone / path).write_text(text)

    def push(self, branch: str, files: dict[str, str], *, base: str | None = None, message: str = "change") -> str:
        """Commit files on a branch, made from `base` where it is given, and push it; returns the commit."""
        if base is not None:
            self.git("fetch", "-q", "origin")
            self.git("checkout", "-q", "--no-track", "-B", branch, f"origin/{base}")
        else:
            self.git("checkout", "-q", branch)
        for path, text in files.items():
            self.write(path, text)
        self.git("add", "-A")
        self.git("commit", "-q", "-m", message)
        self.git("push", "-q", "origin", branch)
        return self.git("rev-parse", "HEAD")

    def token(self, login: str) -> str:
        tokens: dict[str, str] = json.loads((self.root / "data" / "tokens.json").read_text())
        return tokens[login]

    def client(self, login: str) -> "GitHub[TokenAuthStrategy]":
        # Kept, because githubkit's namespaces hold their client only weakly.
        if login not in self._clients:
            strategy = TokenAuthStrategy(self.token(login))
            self._clients[login] = GitHub(strategy, base_url=self.url, auto_retry=False, http_cache=False)
        return self._clients[login]

    def request(self, login: str, method: str, path: str, content: object = None) -> httpx.Response:
        """What githubkit would not send, or has no type for; `path` is below the repository."""
        headers = {"authorization": f"token {self.token(login)}"}
        return httpx.request(
            method, f"{self.url}/repos/{OWNER}/{REPOSITORY}/{path}", json=content, headers=headers, timeout=30
        )

    def close(self) -> None:
        self.stop()
        self.receiver.close()


@dataclass
class SlackStandIn(StandIn):
    module: str = "local.slack"

    @property
    def token(self) -> str:
        tokens: dict[str, str] = json.loads((self.root / "data" / "tokens.json").read_text())
        return tokens["docustack"]
