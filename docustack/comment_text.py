"""Text of others inside GitHub markdown: shown as it is, pings nobody, breaks out of nothing."""

import re
from urllib.parse import quote

_FENCE_RUN = re.compile(r"`{3,}")
_CONTROL = re.compile(r"[\x00-\x08\x0b\x0c\x0e-\x1f\x7f\u200b\u200e\u200f\u202a-\u202e\u2066-\u2069\ufeff]")
_MARKDOWN = re.compile(r"([\\`*_{}\[\]()#+!|~$])")
_ADDRESS = re.compile(r"^https?://[^\s]+$")
ZERO_WIDTH_SPACE = "\u200b"


def without_control(text: str) -> str:
    """The text without control characters, invisible ones and those that turn the writing direction around."""
    return _CONTROL.sub("", text.replace("\r\n", "\n").replace("\r", "\n"))


def one_line(text: str, limit: int = 300) -> str:
    """The text on one line, cut where it is longer than `limit` characters."""
    line = " ".join(without_control(text).split())
    return line if len(line) <= limit else line[: limit - 1].rstrip() + "…"


def inline_code(text: str, limit: int = 300) -> str:
    """A name as inline code: nothing in it is markdown, HTML or a mention."""
    line = one_line(text, limit)
    if not line:
        return "` `"
    longest = max((len(run) for run in re.findall(r"`+", line)), default=0)
    ticks = "`" * (longest + 1)
    pad = " " if line.startswith("`") or line.endswith("`") else ""
    return f"{ticks}{pad}{line}{pad}{ticks}"


def table_code(text: str, limit: int = 300) -> str:
    """Inline code in a table's cell, where a bar would end the cell even inside backticks."""
    return inline_code(text, limit).replace("|", "\\|")


def plain(text: str, limit: int = 1000) -> str:
    """Prose of others on one line: markdown and HTML escaped, mentions and references to issues made harmless."""
    line = one_line(text, limit).replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")
    line = _MARKDOWN.sub(r"\\\1", line)
    return line.replace("@", "@" + ZERO_WIDTH_SPACE).replace("://", ":" + ZERO_WIDTH_SPACE + "//")


def person(login: str) -> str:
    """A person's login, shown without a ping."""
    return inline_code(login.removeprefix("@"), 60)


def fence(text: str, language: str = "") -> str:
    """A fenced block that no fence inside the text can end."""
    content = without_control(text).strip("\n")
    longest = max((len(run) for run in _FENCE_RUN.findall(content)), default=2)
    ticks = "`" * max(3, longest + 1)
    return f"{ticks}{language}\n{content}\n{ticks}"


def fold(summary: str, body: str) -> str:
    """A folded part; `summary` is HTML that we made ourselves or went through `html`."""
    return f"<details><summary>{summary}</summary>\n\n{body}\n\n</details>"


def html(text: str, limit: int = 300) -> str:
    """A name inside an HTML element, where backticks mean nothing."""
    line = one_line(text, limit).replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")
    return line.replace("@", "@" + ZERO_WIDTH_SPACE)


def link(text: str, url: str | None) -> str:
    """A link, or only its text where there is no proper web address; `text` is markdown that we made."""
    if not url or not _ADDRESS.match(url):
        return text
    return f"[{text}]({quote(url, safe=':/?#[]@!$&*+,;=%~')})"
