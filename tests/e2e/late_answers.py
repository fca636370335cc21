"""Stands between a worker and AWS, and is late once with the answer to a lock that Terraform has asked for."""

import contextlib
import socket
import threading
from urllib.parse import urlsplit

from local.state import HOST

_ASKS_FOR_LOCK = b"DynamoDB_20120810.PutItem"
"""Of a bootstrap's processes only Terraform writes into the table, and first of all its lock."""

_CHUNK = 65_536


class LateAnswers:
    """Passes on everything else as it comes; `url` is the AWS that the worker is told of."""

    def __init__(self, endpoint: str) -> None:
        self._aws = urlsplit(endpoint)
        self._server = socket.create_server((HOST, 0))
        self.url = f"http://{HOST}:{self._server.getsockname()[1]}"
        self._lost = self._held = self.has_lost = False
        self.is_held = threading.Event()
        threading.Thread(target=self._serve, daemon=True).start()

    def lose_next_lock(self) -> None:
        """AWS has taken the lock, and the connection breaks before its answer: Terraform asks again."""
        self._lost = True

    def hold_next_lock(self) -> None:
        """AWS has taken the lock, and its answer never comes."""
        self._held = True

    def close(self) -> None:
        self._server.close()

    def _serve(self) -> None:
        with contextlib.suppress(OSError):
            while True:
                client, _ = self._server.accept()
                threading.Thread(target=self._relay, args=(client,), daemon=True).start()

    def _relay(self, client: socket.socket) -> None:
        """One connection; requests come one after the other on it."""
        with contextlib.suppress(OSError), client, socket.create_connection((HOST, self._aws.port or 80)) as aws:
            asked = threading.Event()
            threading.Thread(target=self._pass_on, args=(client, aws, asked), daemon=True).start()
            while answer := aws.recv(_CHUNK):
                if asked.is_set() and self._lost:
                    self._lost, self.has_lost = False, True
                    client.shutdown(socket.SHUT_RDWR)  # closing alone waits for the thread that reads from it
                    return
                if asked.is_set() and self._held:
                    self._held = False
                    self.is_held.set()
                    continue
                asked.clear()
                client.sendall(answer)

    @staticmethod
    def _pass_on(client: socket.socket, aws: socket.socket, asked: threading.Event) -> None:
        with contextlib.suppress(OSError):
            before = b""
            while request := client.recv(_CHUNK):
                if _ASKS_FOR_LOCK in before + request:
                    asked.set()
                before = request[-len(_ASKS_FOR_LOCK) :]
                aws.sendall(request)
            aws.shutdown(socket.SHUT_RDWR)
