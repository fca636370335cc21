"""GitHub's markdown into safe HTML: tables, folds, coloured diffs."""

import html
import re

from markdown_it import MarkdownIt
from markupsafe import Markup

from local.github.pages.sanitise import sanitised

_TASK = re.compile(r"(<li>\n?(?:<p>)?)\[([ xX])\] ")
_DIFF = {"+": "diff-add", "-": "diff-del", "!": "diff-note", "#": "diff-note", "@": "diff-hunk"}


def rendered(text: str | None, logins: frozenset[str] = frozenset()) -> Markup:
    body = _TASK.sub(lambda match: match[1] + ("☐ " if match[2] == " " else "☑ "), _markdown.render(text or ""))
    # What the sanitiser lets through is safe whatever came before it.
    return Markup(sanitised(body, logins))  # noqa: S704


def _highlight(code: str, language: str, _: str) -> str:
    if language != "diff":
        return html.escape(code)
    return "\n".join(_diff_line(line) for line in code.split("\n"))


def _diff_line(line: str) -> str:
    kind = _DIFF.get(line[:1])
    return f'<span class="{kind}">{html.escape(line)}</span>' if kind else html.escape(line)


_markdown = MarkdownIt("commonmark", {"html": True, "breaks": True, "highlight": _highlight}).enable(
    ["table", "strikethrough"]
)
