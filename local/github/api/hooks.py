"""The repository's one webhook and its deliveries: https://docs.github.com/rest/repos/webhooks."""

import json

from local.github import webhooks
from local.github.api.call import Answer, Call, route
from local.github.bodies import Body
from local.github.errors import not_found
from local.github.hub import Hub
from local.github.people import require_push
from local.github.records import Delivery


def list_hooks(call: Call) -> Answer:
    require_push(call.actor)
    return call.page([_hook(call.hub)] if call.hub.settings.webhook_url else [])


def get_hook(call: Call) -> Answer:
    _require_hook(call)
    return Answer(_hook(call.hub))


def ping(call: Call) -> Answer:
    _require_hook(call)
    content: Body = {"zen": "Design for failure.", "hook_id": webhooks.HOOK_ID, "hook": _hook(call.hub)}
    webhooks.announce(call.hub, "ping", None, call.actor, content)
    return Answer(None, 204)


def list_deliveries(call: Call) -> Answer:
    """Newest first. GitHub pages these by cursor; the cursor is the last id of the page before."""
    _require_hook(call)
    sent = sorted(call.hub.store.all(Delivery, "sent"), key=lambda delivery: -delivery.id)
    cursor = call.query.get("cursor", "")
    if cursor.isascii() and cursor.isdigit():
        sent = [delivery for delivery in sent if delivery.id < int(cursor)]
    size = call.page_size
    shown = sent[:size]
    more = f'<{call.url}?per_page={size}&cursor={shown[-1].id}>; rel="next"' if len(sent) > size else ""
    return Answer([_summary(delivery) for delivery in shown], headers={"link": more} if more else {})


def get_delivery(call: Call) -> Answer:
    delivery = _delivery(call)
    request: Body = {"headers": delivery.request_headers, "payload": json.loads(delivery.body)}
    response: Body = {"headers": delivery.response_headers, "payload": delivery.response_body}
    url = call.hub.settings.webhook_url
    return Answer({**_summary(delivery), "url": url, "request": request, "response": response})


def redeliver(call: Call) -> Answer:
    webhooks.redeliver(call.hub, _delivery(call))
    return Answer({}, 202)


def _require_hook(call: Call) -> None:
    require_push(call.actor)
    if call.number("hook") != webhooks.HOOK_ID or call.hub.settings.webhook_url is None:
        raise not_found()


def _delivery(call: Call) -> Delivery:
    _require_hook(call)
    delivery = call.hub.store.find(Delivery, call.number("delivery"))
    if delivery is None:
        raise not_found()
    return delivery


def _summary(delivery: Delivery) -> Body:
    shown = delivery.model_dump(
        mode="json",
        include={"id", "guid", "delivered_at", "redelivery", "duration", "status", "status_code", "event", "action"},
    )
    return {**shown, "installation_id": None, "repository_id": 1, "throttled_at": None}


def _hook(hub: Hub) -> Body:
    api = f"{hub.api_url}/hooks/{webhooks.HOOK_ID}"
    sent = hub.store.all(Delivery, "sent")
    last = sent[-1] if sent else None
    return {
        "type": "Repository",
        "id": webhooks.HOOK_ID,
        "name": "web",
        "active": True,
        "events": list(webhooks.EVENTS),
        "config": {
            "url": hub.settings.webhook_url,
            "content_type": "json",
            "insecure_ssl": "0",
            **({"secret": "********"} if hub.settings.webhook_secret else {}),
        },
        "updated_at": "2024-01-01T00:00:00Z",
        "created_at": "2024-01-01T00:00:00Z",
        "url": api,
        "test_url": f"{api}/test",
        "ping_url": f"{api}/pings",
        "deliveries_url": f"{api}/deliveries",
        "last_response": {
            "code": last.status_code if last else None,
            "status": last.status if last else "unused",
            "message": last.status if last else None,
        },
    }


routes = [
    route("GET", "{repo}/hooks", list_hooks),
    route("GET", "{repo}/hooks/{hook}", get_hook),
    route("POST", "{repo}/hooks/{hook}/pings", ping),
    route("GET", "{repo}/hooks/{hook}/deliveries", list_deliveries),
    route("GET", "{repo}/hooks/{hook}/deliveries/{delivery}", get_delivery),
    route("POST", "{repo}/hooks/{hook}/deliveries/{delivery}/attempts", redeliver),
]
