"""Terraform's plan text as a GitHub `diff` block: the part that people read, with its signs where they are coloured."""

import re

from docustack.comment_text import without_control
from docustack.plans import PlanSummary

NO_CHANGES = "No changes. Your infrastructure matches the configuration."

_BEGINNING = re.compile(
    r"^(?:(?:Terraform|OpenTofu) will perform the following actions:"
    r"|Note: Objects have changed outside of \w+"
    r"|Changes to Outputs:"
    r"|No changes\.)",
    re.MULTILINE,
)
_END = re.compile(r"^─{10,}\s*\n+(?:Saved the plan to:|Note: You didn't use)", re.MULTILINE)
_PLAN_LINE = re.compile(r"^Plan: \d.*$\n?", re.MULTILINE)
_SIGN = re.compile(r"^(?P<indent> *)(?P<sign>[+~-])(?P<rest> .*)$")
_HEREDOC = re.compile(r"^(?P<indent> *)(?P<sign>[+~-] )?.*<<-?(?P<end>[A-Za-z_]\w*)$")


def essence(text: str) -> str:
    """What of Terraform's output people decide on: without the legend before it and the advice after it."""
    cleaned = without_control(text)
    begin = _BEGINNING.search(cleaned)
    end = _END.search(cleaned, begin.start() if begin else 0)
    return cleaned[begin.start() if begin else 0 : end.start() if end else len(cleaned)].strip("\n")


def without_plan_line(text: str) -> tuple[str, str | None]:
    """The text without its last `Plan: …` line, and that line."""
    found = list(_PLAN_LINE.finditer(text))
    if not found:
        return text, None
    last = found[-1]
    rest = text[: last.start()].rstrip("\n") + "\n\n" + text[last.end() :].lstrip("\n")
    return rest.strip("\n"), last[0].strip()


def plan_line(summary: PlanSummary) -> str:
    """Terraform's own line for these counts."""
    imported = f"{summary.imported} to import, " if summary.imported else ""
    return f"Plan: {imported}{summary.add} to add, {summary.change} to change, {summary.destroy} to destroy."


def as_diff(text: str) -> str:
    """The text with each line's sign moved to column 0, where GitHub colours it (`~`, which it doesn't know, is `!`).

    Terraform indents everything by two columns, which are dropped, so that the text behind the signs stays aligned.
    Inside a multi-line string only what stands in the column of its signs is one: `- item` in YAML is no removal.
    """
    lines: list[str] = []
    string_end: str | None = None
    sign_column = 0
    for line in text.split("\n"):
        sign = _SIGN.match(line)
        if string_end is not None:
            if re.match(rf"\s*{string_end}\b", line):
                string_end = None
            is_sign = sign is not None and len(sign["indent"]) == sign_column
            lines.append(_moved(line, sign if is_sign else None))
            continue
        if heredoc := _HEREDOC.match(line):
            string_end = heredoc["end"]
            sign_column = len(heredoc["indent"]) + (4 if heredoc["sign"] else 2)
        lines.append(_moved(line, sign))
    return "\n".join(lines)


def _moved(line: str, sign: re.Match[str] | None) -> str:
    if sign is None:
        return line.removeprefix("  ")
    mark = "!" if sign["sign"] == "~" else sign["sign"]
    return mark + " " * max(len(sign["indent"]) - 2, 0) + sign["rest"]
