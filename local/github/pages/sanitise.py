"""Lets through the HTML that a comment may contain, and nothing else."""

import html
import re
from html.parser import HTMLParser

_TAGS = frozenset(
    {
        *("a", "b", "blockquote", "br", "code", "dd", "del", "details", "div", "dl", "dt", "em"),
        *("h1", "h2", "h3", "h4", "h5", "h6", "hr", "i", "ins", "kbd", "li", "ol", "p", "pre", "s", "samp", "span"),
        *("strong", "sub", "summary", "sup", "table", "tbody", "td", "th", "thead", "tr", "ul"),
    }
)
_VOID = frozenset({"br", "hr"})
_DROPPED_WHOLE = frozenset({"script", "style", "textarea", "title", "iframe", "noscript", "template"})
_CLASSES = re.compile(r"language-[\w+-]{1,30}|diff-(?:add|del|hunk|note)")
_ADDRESS = re.compile(r"https?://|mailto:|[/#?]", re.IGNORECASE)
_ALIGNED = re.compile(r"text-align:\s?(?:left|right|center)")
_LINK = re.compile(r"https?://[^\s<>\"']*[^\s<>\"'.,;:!?)\]*_]")
_MENTION = re.compile(r"(?<![\w/@.])@([a-z\d][a-z\d-]{0,38}(?:\[bot\])?)", re.IGNORECASE)


def sanitised(text: str, logins: frozenset[str]) -> str:
    """Safe, balanced HTML. Comments vanish; bare addresses become links, mentions of `logins` stand out."""
    cleaner = _Cleaner(logins)
    cleaner.feed(text)
    cleaner.close()
    return cleaner.result()


class _Cleaner(HTMLParser):
    def __init__(self, logins: frozenset[str]) -> None:
        super().__init__(convert_charrefs=True)
        self._logins = logins
        self._parts: list[str] = []
        self._open: list[str] = []
        self._dropping: str | None = None

    def result(self) -> str:
        return "".join([*self._parts, *(f"</{tag}>" for tag in reversed(self._open))])

    def handle_starttag(self, tag: str, attributes: list[tuple[str, str | None]]) -> None:
        if self._dropping is None and tag in _DROPPED_WHOLE:
            self._dropping = tag
        if self._dropping is not None or tag not in _TAGS:
            return
        kept = "".join(_attribute(tag, name, value or "") for name, value in attributes)
        self._parts.append(f"<{tag}{kept}>")
        if tag not in _VOID:
            self._open.append(tag)

    def handle_startendtag(self, tag: str, attributes: list[tuple[str, str | None]]) -> None:
        if tag in _VOID:
            self.handle_starttag(tag, attributes)

    def handle_endtag(self, tag: str) -> None:
        if tag == self._dropping:
            self._dropping = None
        elif tag in self._open:
            while (closed := self._open.pop()) != tag:
                self._parts.append(f"</{closed}>")
            self._parts.append(f"</{tag}>")

    def handle_data(self, data: str) -> None:
        if self._dropping is not None:
            return
        if {"a", "code", "pre"} & set(self._open):
            self._parts.append(html.escape(data, quote=False))
        else:
            self._parts.append(self._linked(data))

    def _linked(self, data: str) -> str:
        parts, end = [], 0
        for match in _LINK.finditer(data):
            parts.append(self._mentioned(data[end : match.start()]))
            address = html.escape(match[0])
            parts.append(f'<a href="{address}" rel="nofollow">{address}</a>')
            end = match.end()
        return "".join([*parts, self._mentioned(data[end:])])

    def _mentioned(self, data: str) -> str:
        def mention(match: re.Match[str]) -> str:
            return f'<b class="mention">{match[0]}</b>' if match[1] in self._logins else match[0]

        return _MENTION.sub(mention, html.escape(data, quote=False))


def _attribute(tag: str, name: str, value: str) -> str:
    if tag == "a" and name == "href" and _ADDRESS.match(value.strip()):
        return f' href="{html.escape(value.strip())}" rel="nofollow"'
    if tag == "details" and name == "open":
        return " open"
    if tag == "ol" and name == "start" and value.isascii() and value.isdigit():
        return f' start="{value}"'
    if tag in ("td", "th") and name == "style" and _ALIGNED.fullmatch(value):
        return f' style="{value}"'
    if tag in ("code", "span") and name == "class" and _CLASSES.fullmatch(value):
        return f' class="{value}"'
    return ""
