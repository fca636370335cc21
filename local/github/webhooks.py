"""Sends webhooks in order, signed as GitHub signs them, and records what became of each."""

import hashlib
import hmac
import json
import time
import uuid
from threading import Event, Thread

import httpx

from local.github.bodies import Body, people, repository
from local.github.hub import Hub, now
from local.github.records import Delivery, User

HOOK_ID = 1
EVENTS = ("issue_comment", "merge_group", "pull_request", "pull_request_review", "push")
TIMEOUT = 10.0  # as GitHub's


def announce(hub: Hub, event: str, action: str | None, sender: User, content: Body) -> None:
    """Put one webhook into the queue; it is sent after the transaction it belongs to."""
    if hub.settings.webhook_url is None:
        return
    body: Body = {
        **({"action": action} if action else {}),
        **content,
        "repository": repository.repository(hub),
        "organization": people.organization(hub),
        "sender": people.user(hub, sender),
    }
    delivery = Delivery(guid=str(uuid.uuid4()), event=event, action=action, body=json.dumps(body), delivered_at=now())
    hub.store.add(delivery)
    hub.deliveries_waiting.set()


def redeliver(hub: Hub, delivery: Delivery) -> None:
    """Send once more what was sent, under the same guid."""
    again = Delivery(
        guid=delivery.guid,
        event=delivery.event,
        action=delivery.action,
        body=delivery.body,
        redelivery=True,
        delivered_at=now(),
    )
    hub.store.add(again)
    hub.deliveries_waiting.set()


class Courier:
    """The thread that sends what waits in the queue, one after the other, each once: GitHub does not retry."""

    def __init__(self, hub: Hub) -> None:
        self._hub = hub
        self._stop = Event()
        self._thread = Thread(target=self._work, name="webhooks", daemon=True)

    def start(self) -> None:
        self._thread.start()

    def stop(self) -> None:
        self._stop.set()
        self._hub.deliveries_waiting.set()
        self._thread.join(TIMEOUT + 1)

    def _work(self) -> None:
        with httpx.Client(timeout=TIMEOUT, trust_env=False) as client:
            while not self._stop.is_set():
                self._hub.deliveries_waiting.clear()
                delivery = self._hub.store.first(Delivery, "waiting")
                if delivery is None:
                    self._hub.deliveries_waiting.wait()
                else:
                    self._hub.store.save(self._send(client, delivery))

    def _send(self, client: httpx.Client, delivery: Delivery) -> Delivery:
        headers = _headers(self._hub, delivery)
        start = time.monotonic()
        outcome: dict[str, object]
        if self._hub.faults.take("drop_deliveries", delivery.event):
            outcome = {"status": "timed out", "status_code": 0}
        else:
            outcome = _post(client, self._hub.settings.webhook_url or "", delivery.body, headers)
        duration = round(time.monotonic() - start, 3)
        ended = {"waiting": False, "delivered_at": now(), "duration": duration, "request_headers": headers}
        return delivery.model_copy(update={**ended, **outcome})


def _headers(hub: Hub, delivery: Delivery) -> dict[str, str]:
    signature = hmac.new(hub.settings.webhook_secret.encode(), delivery.body.encode(), hashlib.sha256)
    return {
        "Accept": "*/*",
        "Content-Type": "application/json",
        "User-Agent": "GitHub-Hookshot/stand-in",
        "X-GitHub-Delivery": delivery.guid,
        "X-GitHub-Event": delivery.event,
        "X-GitHub-Hook-ID": str(HOOK_ID),
        "X-GitHub-Hook-Installation-Target-ID": "1",
        "X-GitHub-Hook-Installation-Target-Type": "repository",
        "X-Hub-Signature-256": f"sha256={signature.hexdigest()}",
    }


def _post(client: httpx.Client, url: str, body: str, headers: dict[str, str]) -> dict[str, object]:
    try:
        response = client.post(url, content=body.encode(), headers=headers)
    except httpx.TimeoutException:
        return {"status": "timed out", "status_code": 0}
    except httpx.HTTPError as error:
        return {"status": "failed to connect to host", "status_code": 0, "response_body": str(error)}
    return {
        "status": "OK" if response.is_success else f"Invalid HTTP Response: {response.status_code}",
        "status_code": response.status_code,
        "response_headers": dict(response.headers),
        "response_body": response.text[:10_000],
    }
