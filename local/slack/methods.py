"""Slack's Web API: https://docs.slack.dev/reference/methods, the methods that the engine calls."""

import asyncio
import json
import secrets
from collections.abc import Callable, Mapping
from urllib.parse import parse_qsl

from pydantic import TypeAdapter, ValidationError
from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from local.faults import Fault
from local.slack.records import Json, Message
from local.slack.workspace import BOT_ID, BOT_NAME, BOT_USER, TEAM, Channel, SlackError, Workspace, shown

FAULTS = frozenset(
    {
        "ratelimited",  # 429 with `Retry-After`, nothing done
        "server_error",  # `status`, nothing done
        "lost_answer",  # the request is carried out, the caller gets `status`
        "slow",  # answered after `delay` seconds
    }
)
Arguments = Mapping[str, object]
Method = Callable[[Workspace, Arguments], Json]
_blocks = TypeAdapter(list[Json])
_metadata = TypeAdapter(Json)


def auth_test(workspace: Workspace, arguments: Arguments) -> Json:
    return {"url": "/", "team": "DocuStack", "team_id": TEAM, "user": BOT_NAME, "user_id": BOT_USER, "bot_id": BOT_ID}


def post_message(workspace: Workspace, arguments: Arguments) -> Json:
    channel = workspace.channel(_text(arguments, "channel"), by_name=True)
    thread = _text(arguments, "thread_ts") or None
    fields = _content(arguments)
    made = Message(channel=channel.id, ts=workspace.new_ts(), thread_ts=thread).model_copy(update=fields)
    made = workspace.post(made)
    return {"channel": channel.id, "ts": made.ts, "message": shown(workspace, made, metadata=True)}


def update_message(workspace: Workspace, arguments: Arguments) -> Json:
    channel, message = _message(workspace, arguments, "ts")
    changed = workspace.update(message, _content(arguments))
    body = shown(workspace, changed, metadata=True)
    return {"channel": channel.id, "ts": changed.ts, "text": changed.text, "message": body}


def list_channels(workspace: Workspace, arguments: Arguments) -> Json:
    channels = [_channel(channel) for channel in workspace.channels]
    shown_channels, cursor = _page(channels, arguments)
    return {"channels": shown_channels, "response_metadata": {"next_cursor": cursor}}


def channel_info(workspace: Workspace, arguments: Arguments) -> Json:
    return {"channel": _channel(workspace.channel(_text(arguments, "channel")))}


def history(workspace: Workspace, arguments: Arguments) -> Json:
    """What stands in the channel, newest first; replies are in their threads only."""
    channel = workspace.channel(_text(arguments, "channel"))
    return _messages(workspace, workspace.heads(channel)[::-1], arguments)


def replies(workspace: Workspace, arguments: Arguments) -> Json:
    """A thread's head, then its replies, oldest first."""
    channel = workspace.channel(_text(arguments, "channel"))
    head = workspace.message(channel, _text(arguments, "ts"))
    if head is None:
        raise SlackError("thread_not_found")
    return _messages(workspace, [head, *workspace.replies(channel, head.ts)], arguments)


def add_reaction(workspace: Workspace, arguments: Arguments) -> Json:
    _, message = _message(workspace, arguments, "timestamp")
    workspace.react(message, _text(arguments, "name"))
    return {}


METHODS: dict[str, Method] = {
    "auth.test": auth_test,
    "chat.postMessage": post_message,
    "chat.update": update_message,
    "conversations.list": list_channels,
    "conversations.info": channel_info,
    "conversations.history": history,
    "conversations.replies": replies,
    "reactions.add": add_reaction,
}


async def call(request: Request) -> Response:
    """One call of a method, with the faults that are switched on."""
    workspace: Workspace = request.app.state.workspace
    name = request.path_params["method"]
    if slow := workspace.faults.take("slow", name):
        await asyncio.sleep(slow.delay)
    if limited := workspace.faults.take("ratelimited", name):
        headers = {"retry-after": str(limited.retry_after)}
        return JSONResponse({"ok": False, "error": "ratelimited"}, status_code=429, headers=headers)
    if broken := workspace.faults.take("server_error", name):
        return _broken(broken)
    try:
        arguments = _arguments(request, await request.body())
        answer = await run_in_threadpool(_carry_out, workspace, name, _bearer(request, arguments), arguments)
    except SlackError as error:
        return JSONResponse({"ok": False, "error": str(error)})
    lost = workspace.faults.take("lost_answer", name)
    return _broken(lost) if lost else JSONResponse({"ok": True, **answer})


def _carry_out(workspace: Workspace, name: str, token: str, arguments: Arguments) -> Json:
    if not token:
        raise SlackError("not_authed")
    if not secrets.compare_digest(token.encode(), workspace.token.encode()):
        raise SlackError("invalid_auth")
    if name not in METHODS:
        raise SlackError("unknown_method")
    with workspace.store.transaction():
        return METHODS[name](workspace, arguments)


def _arguments(request: Request, body: bytes) -> dict[str, object]:
    """From the query, a form or JSON: Slack takes all three."""
    arguments: dict[str, object] = dict(request.query_params)
    try:
        if request.headers.get("content-type", "").startswith("application/json"):
            return arguments | _metadata.validate_json(body or b"{}")
        return arguments | dict(parse_qsl(body.decode(), keep_blank_values=True))
    except (ValidationError, UnicodeDecodeError) as error:
        raise SlackError("invalid_arguments") from error


def _bearer(request: Request, arguments: Arguments) -> str:
    scheme, _, token = request.headers.get("authorization", "").partition(" ")
    return token.strip() if scheme.lower() == "bearer" else _text(arguments, "token")


def _text(arguments: Arguments, name: str) -> str:
    value = arguments.get(name)
    return value if isinstance(value, str) else ""


def _content(arguments: Arguments) -> dict[str, object]:
    """The parts of a message that are given."""
    fields: dict[str, object] = {"text": _text(arguments, "text")} if "text" in arguments else {}
    try:
        if arguments.get("blocks") is not None:
            fields["blocks"] = _blocks.validate_python(_decoded(arguments["blocks"]))
        if arguments.get("metadata") is not None:
            fields["metadata"] = _metadata.validate_python(_decoded(arguments["metadata"]))
    except ValueError as error:
        raise SlackError("invalid_arguments") from error
    return fields


def _decoded(value: object) -> object:
    return json.loads(value) if isinstance(value, str) else value


def _message(workspace: Workspace, arguments: Arguments, name: str) -> tuple[Channel, Message]:
    channel = workspace.channel(_text(arguments, "channel"))
    message = workspace.message(channel, _text(arguments, name))
    if message is None:
        raise SlackError("message_not_found")
    return channel, message


def _messages(workspace: Workspace, messages: list[Message], arguments: Arguments) -> Json:
    oldest, latest = _text(arguments, "oldest") or "0", _text(arguments, "latest") or "9"
    inclusive = str(arguments.get("inclusive", "")).lower() in ("1", "true")
    chosen = [
        one
        for one in messages
        if oldest < one.ts < latest or (inclusive and one.ts in (oldest, latest)) or one.ts == arguments.get("ts")
    ]
    metadata = str(arguments.get("include_all_metadata", "")).lower() in ("1", "true")
    page, cursor = _page([shown(workspace, one, metadata=metadata) for one in chosen], arguments)
    return {"messages": page, "has_more": bool(cursor), "response_metadata": {"next_cursor": cursor}}


def _page(items: list[Json], arguments: Arguments) -> tuple[list[Json], str]:
    """Part of a list, and the cursor of the next part, empty at the end."""
    limit, start = str(arguments.get("limit", 100)), _text(arguments, "cursor")
    size = min(max(int(limit), 1), 1000) if limit.isascii() and limit.isdigit() else 100
    first = int(start) if start.isascii() and start.isdigit() else 0
    following = first + size
    return items[first:following], str(following) if following < len(items) else ""


def _channel(channel: Channel) -> Json:
    flags = {"is_channel": True, "is_private": False, "is_archived": False, "is_member": True}
    return {"id": channel.id, "name": channel.name, "name_normalized": channel.name, **flags}


def _broken(fault: Fault) -> Response:
    return Response("upstream error", status_code=fault.status, media_type="text/plain")


routes = [Route("/api/{method}", call, methods=["GET", "POST"])]
