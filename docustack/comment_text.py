"""Text of others inside GitHub markdown: shown as it is, pings nobody, breaks out of nothing."""

import re
from collections.abc import Callable
from datetime import datetime, timedelta
from html import unescape
from urllib.parse import quote

_TICKS = re.compile(r"`+")
_CONTROL = re.compile(r"[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f\u200b\u200e\u200f\u2028-\u202e\u2066-\u2069\ufeff]")
_MARKDOWN = re.compile(r"([\\`*_{}\[\]()#+!|~$])")
_WRITTEN = re.compile(r"(?P<code>`[^`\n]*`)|\\(?P<escaped>[\\`*_{}\[\]()#+!|~$])")
_SAFE_PART = re.compile(
    r"(?P<code>(?<!`)(?P<ticks>`+)(?!`)(?:[^`\n]|(?!(?P=ticks)(?!`))`)+?(?P=ticks)(?!`))"
    r"|(?P<url>https?://[A-Za-z0-9][A-Za-z0-9./?=&_%#:+~-]*[A-Za-z0-9/])"
)
_REFERENCE = re.compile(r"@(?=\S)|\\?#(?=\d)|GH-(?=\d)")
_ADDRESS = re.compile(r"^https?://[^\s]+$")
_ZERO_WIDTH_SPACE = "\u200b"


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
    longest = max((len(run) for run in _TICKS.findall(line)), default=0)
    ticks = "`" * (longest + 1)
    pad = " " if line.startswith("`") or line.endswith("`") else ""
    return f"{ticks}{pad}{line}{pad}{ticks}"


def table_code(text: str, limit: int = 300) -> str:
    """Inline code in a table's cell, where a bar would end the cell even inside backticks."""
    return inline_code(text, limit).replace("|", "\\|")


def plain(text: str, limit: int = 1000) -> str:
    """Prose of others on one line: markdown and HTML escaped, mentions and references to issues made harmless."""
    return _quiet(_MARKDOWN.sub(r"\\\1", _escaped(one_line(text, limit))))


def prose(text: str, limit: int = 4000) -> str:
    """Prose of ours with names of others in it: inline code and web addresses stay, all else is as in `plain`.

    Every line stays a line of its own.
    """
    cut = without_control(text).strip()
    cut = cut if len(cut) <= limit else cut[: limit - 1].rstrip() + "…"
    lines = [_prose_line(" ".join(line.split())) for line in cut.split("\n")]
    return re.sub(r"\n{3,}", "\n\n", "\n".join(lines))


def as_text(markdown: str) -> str:
    """What GitHub shows of prose of ours, for a terminal: without the escapes, the rest as it was written."""
    quiet = markdown.replace(_ZERO_WIDTH_SPACE, "")
    return unescape(_WRITTEN.sub(lambda match: match["code"] or match["escaped"], quiet))


def person(login: str) -> str:
    """A person's login, shown without a ping."""
    return inline_code(login.removeprefix("@"), 60)


def fence(text: str, language: str = "") -> str:
    """A fenced block that no fence inside the text can end."""
    content = without_control(text).strip("\n")
    longest = max((len(run) for run in _TICKS.findall(content)), default=0)
    ticks = "`" * max(3, longest + 1)
    return f"{ticks}{language}\n{content}\n{ticks}"


def fold(summary: str, body: str) -> str:
    """A folded part; `summary` is HTML that we made ourselves or that went through `html`."""
    return f"<details><summary>{summary}</summary>\n\n{body}\n\n</details>"


def html(text: str, limit: int = 300) -> str:
    """A name inside an HTML element, where backticks mean nothing."""
    return _quiet(_escaped(one_line(text, limit)))


def link(text: str, url: str | None) -> str:
    """A link, or only its text where there is no proper web address; `text` is markdown that we made."""
    if not url or not _ADDRESS.match(url):
        return text
    return f"[{text}]({quote(url, safe=':/?#@&+,;=%~')})"


def moment(at: datetime, now: datetime | None = None) -> str:
    """A time as people of all zones can read it: `2026-03-01 14:05 UTC (2 hours ago)`."""
    # A time without a zone is UTC: everything that comes from Temporal is.
    utc = (at - (at.utcoffset() or timedelta())).replace(tzinfo=None)
    text = f"{utc:%Y-%m-%d %H:%M} UTC"
    if now is None:
        return text
    passed = (now - (now.utcoffset() or timedelta())).replace(tzinfo=None) - utc
    return f"{text} ({_ago(passed)})"


def counted(number: int, word: str) -> str:
    """`1 unit`, `3 units`, `1,204 lines`."""
    return f"{number:,} {word}{'' if number == 1 else 's'}"


def enumerated(names: list[str], last: str = "and") -> str:
    """`a`, `a and b`, `a, b and c`."""
    return f" {last} ".join(part for part in (", ".join(names[:-1]), names[-1] if names else "") if part)


def code_list(names: list[str] | tuple[str, ...], shown: int = 20, written: Callable[[str], str] = inline_code) -> str:
    """Names as inline code; beyond `shown` only their number."""
    listed = [written(name) for name in names[:shown]]
    if len(names) > shown:
        listed.append(f"{len(names) - shown:,} more")
    return enumerated(listed)


def _ago(passed: timedelta) -> str:
    seconds = passed.total_seconds()
    if seconds < 60:
        return "just now"
    for length, word in ((86_400, "day"), (3_600, "hour"), (60, "minute")):
        if seconds >= length:
            return f"{counted(int(seconds // length), word)} ago"
    return "just now"


def _escaped(text: str) -> str:
    return text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")


def _quiet(text: str) -> str:
    """GitHub makes mentions and references out of rendered text, so only an invisible character stops it."""
    return _REFERENCE.sub(lambda match: match[0] + _ZERO_WIDTH_SPACE, text)


def _prose_line(line: str) -> str:
    parts: list[str] = []
    position = 0
    for match in _SAFE_PART.finditer(line):
        parts.append(_prose_escaped(line[position : match.start()]))
        parts.append(inline_code(match["code"].strip("`")) if match["code"] else match["url"])
        position = match.end()
    parts.append(_prose_escaped(line[position:]))
    return "".join(parts)


def _prose_escaped(text: str) -> str:
    return _quiet(_MARKDOWN.sub(r"\\\1", _escaped(text)))
