"""The channel as a web page, with its threads open."""

from datetime import UTC, datetime
from pathlib import Path

from jinja2 import Environment, FileSystemLoader
from markupsafe import Markup
from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import HTMLResponse, RedirectResponse, Response
from starlette.routing import Route

from local.slack.mrkdwn import picture, rendered
from local.slack.records import Json, Message
from local.slack.workspace import BOT_NAME, SlackError, Workspace

_templates = Environment(
    loader=FileSystemLoader(Path(__file__).parent / "templates"), autoescape=True, trim_blocks=True, lstrip_blocks=True
)
_templates.filters |= {"mrkdwn": rendered, "picture": picture}


async def start(request: Request) -> Response:
    workspace: Workspace = request.app.state.workspace
    return RedirectResponse(f"/channels/{workspace.channels[0].name}")


async def channel(request: Request) -> Response:
    return await run_in_threadpool(_channel, request.app.state.workspace, request.path_params["name"])


def _channel(workspace: Workspace, name: str) -> Response:
    try:
        found = workspace.channel(name, by_name=True)
    except SlackError:
        return HTMLResponse("There is no such channel.", status_code=404)
    threads = [(head, workspace.replies(found, head.ts)) for head in workspace.heads(found)]
    page = _templates.get_template("channel.html")
    return HTMLResponse(
        page.render(channel=found, channels=workspace.channels, threads=threads, bot=BOT_NAME, clock=clock, body=body)
    )


def clock(message: Message) -> str:
    return datetime.fromtimestamp(float(message.ts), UTC).strftime("%H:%M")


def body(message: Message) -> list[Markup]:
    """The message's parts: its blocks where it has some, else its text."""
    parts = [part for block in message.blocks for part in _block(block)]
    return parts or [rendered(message.text)]


def _block(block: Json) -> list[Markup]:
    kind = block.get("type")
    if kind == "divider":
        return [Markup("<hr>")]
    texts = [block.get("text"), *_listed(block, "fields"), *_listed(block, "elements")]
    found = [markup for text in texts if (markup := _text(text)) is not None]
    if kind == "header":
        return [Markup("<h3>{}</h3>").format(text) for text in found]
    if kind == "context":
        return [Markup('<div class="context">{}</div>').format(Markup(" ").join(found))]
    if kind == "actions":
        return [Markup('<span class="button">{}</span>').format(text) for text in found]
    return found


def _listed(block: Json, name: str) -> list[object]:
    value = block.get(name)
    return value if isinstance(value, list) else []


def _text(value: object) -> Markup | None:
    """A text object, or the button that carries one."""
    if not isinstance(value, dict):
        return None
    if isinstance(value.get("text"), dict):
        label = _text(value["text"])
        url = str(value.get("url", ""))
        return Markup('<a href="{}">{}</a>').format(url, label) if url.startswith("http") else label
    text = str(value.get("text", ""))
    return rendered(text) if value.get("type") == "mrkdwn" else Markup("{}").format(text)


routes = [Route("/", start), Route("/channels/{name}", channel)]
