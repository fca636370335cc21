"""A plan's text as Terraform colours it: what comes is green, what goes is red, what changes is yellow."""

import re

from rich.text import Text

_STYLES = (
    (re.compile(r"^\s*(?:-/\+|\+/-) "), "bold red"),
    (re.compile(r"^\s*\+ "), "green"),
    (re.compile(r"^\s*- "), "red"),
    (re.compile(r"^\s*~ "), "yellow"),
    (re.compile(r"^\s*<= "), "cyan"),
    (re.compile(r"^\s*# "), "bold"),
    (re.compile(r"^(?:Plan:|No changes\.|Changes to Outputs:)"), "bold"),
)
_REPLACED = re.compile(r"(?:must be|will be) (?:replaced|destroyed)|# forces replacement")


def coloured(plan: str) -> Text:
    """Line by line; where Terraform says that something is replaced or destroyed, the words are red."""
    text = Text()
    for line in plan.splitlines():
        style = next((style for shape, style in _STYLES if shape.match(line)), "")
        shown = Text(line, style)
        shown.highlight_regex(_REPLACED, "bold red")
        text.append_text(shown).append("\n")
    text.rstrip()
    return text
