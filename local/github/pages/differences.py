"""A file's patch, line by line, with the numbers that both sides have."""

import re
from dataclasses import dataclass
from typing import Literal

_HUNK = re.compile(r"@@ -(\d+)(?:,\d+)? \+(\d+)(?:,\d+)? @@")


@dataclass(frozen=True)
class Line:
    kind: Literal["add", "del", "same", "hunk"]
    old: int | None
    new: int | None
    text: str


def lines(patch: str) -> list[Line]:
    found: list[Line] = []
    old = new = 0
    for text in patch.split("\n"):
        if match := _HUNK.match(text):
            old, new = int(match[1]), int(match[2])
            found.append(Line("hunk", None, None, text))
        elif text.startswith("+"):
            found.append(Line("add", None, new, text[1:]))
            new += 1
        elif text.startswith("-"):
            found.append(Line("del", old, None, text[1:]))
            old += 1
        elif text.startswith("\\"):
            found.append(Line("hunk", None, None, text[2:]))
        else:
            found.append(Line("same", old, new, text[1:]))
            old, new = old + 1, new + 1
    return found
