"""Which lines of a comment are the commenter's own words: not quoted, not code, not hidden."""

import re

_INDENTED = re.compile(r"^(?: {4}| {0,3}\t)")
_CONTAINER = re.compile(r"^(?:\s*(?:>|[-*+]\s|\d{1,9}[.)]\s))+")
_FENCE = re.compile(r"^\s*(?P<ticks>`{3,}|~{3,})(?P<info>.*)$")
_HTML_CODE = re.compile(r"<(pre|code|script|style|textarea|blockquote)\b[^>]*>", re.IGNORECASE)


def own_lines(body: str) -> list[str]:
    """The own lines, stripped, blank ones left out.

    A line right below a quote is the commenter's own, although markdown would draw it as a part of the quote: the
    person typed it without the sign.
    """
    lines: list[str] = []
    scanner = _Scanner()
    for line in re.split(r"\r\n|\r|\n", body):
        own = scanner.own_part(line)
        if own is not None and own.strip():
            lines.append(own.strip())
    return lines


class _Scanner:
    """Walks a comment line by line and knows in which kind of block it is."""

    def __init__(self) -> None:
        self._fence: str | None = None  # the ticks that opened a fenced block
        self._until: re.Pattern[str] | None = None  # what ends the hidden comment or HTML code we are in

    def own_part(self, line: str) -> str | None:
        if self._fence is not None:
            self._close_fence(line)
            return None
        began_inside = self._until is not None
        visible = self._visible(line)
        if began_inside or self._open_fence(visible):
            return None
        return None if _INDENTED.match(visible) or visible.lstrip().startswith(">") else visible

    def _close_fence(self, line: str) -> None:
        assert self._fence is not None
        match = _FENCE.match(_CONTAINER.sub("", line))
        if match and match["ticks"].startswith(self._fence) and not match["info"].strip():
            self._fence = None

    def _open_fence(self, line: str) -> bool:
        match = _FENCE.match(_CONTAINER.sub("", line))
        if match is None or (match["ticks"][0] == "`" and "`" in match["info"]):
            return False
        self._fence = match["ticks"]
        return True

    def _visible(self, line: str) -> str:
        """The line without hidden comments and HTML code, which may begin or end in it."""
        visible = ""
        rest = line
        while rest:
            if self._until is not None:
                end = self._until.search(rest)
                if end is None:
                    return visible
                rest, self._until = rest[end.end() :], None
                continue
            begin = _next_hidden(rest)
            if begin is None:
                return visible + rest
            visible, rest, self._until = visible + rest[: begin[0]], rest[begin[1] :], begin[2]
        return visible


def _next_hidden(text: str) -> tuple[int, int, re.Pattern[str]] | None:
    """Start and end of the next opening of something hidden, and what ends it; openings in inline code don't count."""
    outside = re.sub(r"(`+)[^`]+?\1", lambda match: " " * len(match[0]), text)
    comment = outside.find("<!--")
    code = _HTML_CODE.search(outside)
    if comment >= 0 and (code is None or comment < code.start()):
        return comment, comment + 4, re.compile("-->")
    if code is not None:
        return code.start(), code.end(), re.compile(rf"</{code[1]}\s*>", re.IGNORECASE)
    return None
