"""The hidden key by which a retry finds its own comment, and how a comment is marked outdated."""

import re
from urllib.parse import quote, unquote

from docustack.comment_limits import COMMENT_LIMIT, closed, head_of, size
from docustack.comment_text import fold, prose

_MARKER = re.compile(r"<!-- docustack:(?P<key>[^\s<>]*) -->\s*\Z")
_OUTDATED = "<!-- docustack-outdated -->"


def marker(key: str) -> str:
    """An HTML comment that GitHub doesn't show, to stand at the very end of a body; any key is safe in it."""
    return f"<!-- docustack:{quote(key, safe='/:#.@+=_', errors='replace').replace('-', '%2D')} -->"


def find_marker(body: str) -> str | None:
    """The key of a body that ends with a marker; what looks like one further up is somebody's text."""
    match = _MARKER.search(body)
    return unquote(match["key"]) if match else None


def is_plan_key(key: str | None) -> bool:
    """Whether a comment with this key shows plans: of one unit, of a unit that was planned again, or of many."""
    _, _, what = (key or "").partition(":")
    return what == "plans" or what.endswith(":plan") or re.search(r":again:\d+\Z", what) is not None


def with_marker(body: str, key: str) -> str:
    """The body with its marker, within GitHub's limit."""
    end = "\n\n" + marker(key)
    text = _MARKER.sub("", body).rstrip()
    if size(text) + size(end) > COMMENT_LIMIT:
        text = closed(head_of(text, COMMENT_LIMIT - size(end) - 100))
    return text + end


def outdated(body: str, reason: str) -> str:
    """The old body folded away under a line that says why it no longer counts; a second time changes nothing."""
    if body.startswith(_OUTDATED):
        return body
    found = _MARKER.search(body)
    end = "\n\n" + found[0].strip() if found else ""
    text = (body[: found.start()] if found else body).strip()
    head = f"{_OUTDATED}\n**Outdated:** {prose(reason, 300)}\n\n"
    frame = size(head) + size(fold("Show the old comment", "")) + size(end)
    if size(text) + frame > COMMENT_LIMIT:
        text = closed(head_of(text, COMMENT_LIMIT - frame - 200))
    return head + fold("Show the old comment", text) + end


def is_outdated(body: str) -> bool:
    """Whether a body was marked outdated."""
    return body.startswith(_OUTDATED)
