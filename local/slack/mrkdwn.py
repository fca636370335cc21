"""Slack's own markup into HTML: bold, italic, strike, code, links, quotes; everything else stays text."""

import html
import re

from markupsafe import Markup

_TOKEN = re.compile(r"```\n?(?P<block>.*?)\n?```|`(?P<code>[^`\n]+)`|<(?P<link>[^<>\n]+)>", re.DOTALL)
_MARKS = (
    (re.compile(r"(?<![\w*])\*(?=\S)([^*\n]+?)(?<=\S)\*(?![\w*])"), r"<b>\1</b>"),
    (re.compile(r"(?<![\w_/.])_(?=\S)([^_\n]+?)(?<=\S)_(?![\w_/.])"), r"<i>\1</i>"),
    (re.compile(r"(?<![\w~])~(?=\S)([^~\n]+?)(?<=\S)~(?![\w~])"), r"<s>\1</s>"),
)
_QUOTE = re.compile(r"^&gt; ?(.*)$", re.MULTILINE)
_EMOJI = re.compile(r":([a-z0-9_+-]+):")
_PICTURES = {
    "white_check_mark": "✅",
    "x": "❌",
    "warning": "⚠️",
    "rocket": "🚀",
    "hourglass_flowing_sand": "⏳",
    "mag": "🔍",
    "lock": "🔒",
    "rotating_light": "🚨",
    "eyes": "👀",
}


def rendered(text: str) -> Markup:
    """Safe HTML. Slack's senders write &, < and > as entities, which are kept as those characters."""
    kept: list[str] = []

    def keep(match: re.Match[str]) -> str:
        kept.append(_token(match))
        return f"\0{len(kept) - 1}\0"

    body = _escaped(_TOKEN.sub(keep, text.replace("\0", "")))
    for pattern, replacement in _MARKS:
        body = pattern.sub(replacement, body)
    body = _QUOTE.sub(r"<blockquote>\1</blockquote>", body)
    body = _EMOJI.sub(lambda match: picture(match[1]), body).replace("\n", "<br>")
    body = re.sub("\0(\\d+)\0", lambda match: kept[int(match[1])], body)
    return Markup(body.replace("</pre><br>", "</pre>"))  # noqa: S704  # all escaped above


def picture(name: str) -> str:
    return _PICTURES.get(name, f":{name}:")


def _token(match: re.Match[str]) -> str:
    if match["block"] is not None:
        return f"<pre>{_escaped(match['block'])}</pre>"
    if match["code"] is not None:
        return f"<code>{_escaped(match['code'])}</code>"
    target, _, label = match["link"].partition("|")
    if target[0] in "@#!":
        return f'<span class="mention">{_escaped(label or _mention(target))}</span>'
    if not target.startswith(("http://", "https://", "mailto:")):
        return _escaped(match[0])
    return f'<a href="{_escaped(target)}">{_escaped(label or target)}</a>'


def _mention(target: str) -> str:
    return f"@{target[1:]}" if target[0] in "!@" else target


def _escaped(text: str) -> str:
    """Escaped once, whether or not the sender has escaped it."""
    return html.escape(html.unescape(text))
