"""How long a comment may be: GitHub's limit, and how a text is cut so that what matters stays."""

from collections.abc import Callable, Sequence

from docustack.comment_text import counted

COMMENT_LIMIT = 65_536
"""GitHub refuses a longer body. It speaks of characters; we count bytes, of which there are never fewer."""

BODY_LIMIT = COMMENT_LIMIT - 2_048
"""What we fill: the rest is left for the hidden marker, and for the lines that mark the comment outdated later."""


def size(text: str) -> int:
    """The length of a text as we count it, in bytes."""
    return len(text.encode("utf-8", errors="replace"))


def head_of(text: str, room: int) -> str:
    """As much of the beginning as fits into `room` bytes, ending with a whole line where that costs little."""
    cut = text.encode("utf-8", errors="replace")[: max(room, 0)].decode("utf-8", errors="ignore")
    newline = cut.rfind("\n")
    return cut[:newline] if newline > len(cut) * 3 // 4 else cut


def tail_of(text: str, room: int) -> str:
    """As much of the end as fits into `room` bytes, beginning with a whole line where that costs little."""
    encoded = text.encode("utf-8", errors="replace")
    cut = encoded[max(len(encoded) - max(room, 0), 0) :].decode("utf-8", errors="ignore")
    newline = cut.find("\n")
    return cut[newline + 1 :] if 0 <= newline < len(cut) // 4 else cut


def cut_middle(text: str, room: int, whole: str | None = None) -> str:
    """The text within `room` bytes: beginning and end, and between them a line that says how much is missing.

    `whole` is the address where nothing is missing.
    """
    if size(text) <= room:
        return text
    where = f"; all of it: {whole}" if whole else ""
    longest_note = f"\n\n… {text.count(chr(10)):,} lines ({size(text):,} bytes) are left out here{where} …\n\n"
    rest = room - size(longest_note)
    if rest <= 0:
        return head_of(text, room)
    head = head_of(text, rest * 6 // 10)
    tail = tail_of(text, rest - size(head))
    gone = text[len(head) : len(text) - len(tail)]
    amount = counted(max(gone.strip("\n").count("\n") + 1, 1), "line")
    are = "is" if amount == "1 line" else "are"
    return f"{head}\n\n… {amount} ({size(gone):,} bytes) {are} left out here{where} …\n\n{tail}"


def fitted(build: Callable[[int], str], limit: int = BODY_LIMIT) -> str:
    """The longest body that `build` makes within `limit`, given how many bytes its long text may have.

    A text may grow by what is put around it (a longer fence), so the room shrinks until the whole fits.
    """
    room = limit
    body = build(room)
    while size(body) > limit and room > 0:
        room = max(room - (size(body) - limit) - 64, 0)
        body = build(room)
    return body if size(body) <= limit else closed(head_of(body, limit - 200))


def closed(markdown: str) -> str:
    """Markdown that was cut off somewhere, with its open fence and folds ended, so that what follows is unharmed."""
    open_fence: str | None = None
    folds = 0
    for line in markdown.split("\n"):
        stripped = line.strip()
        ticks = stripped[: len(stripped) - len(stripped.lstrip("`"))]
        if open_fence is not None:
            if stripped == ticks and len(ticks) >= len(open_fence):
                open_fence = None
        elif len(ticks) >= 3 and "`" not in stripped[len(ticks) :]:
            open_fence = ticks
        else:
            folds += stripped.count("<details>") - stripped.count("</details>")
    if open_fence is not None:
        markdown += f"\n{open_fence}"
    return markdown + "\n\n</details>" * max(folds, 0)


def fair_shares(wanted: Sequence[int], room: int) -> list[int]:
    """Room for each: who wants less than an equal share gets what it wants, and leaves the rest to the others."""
    shares = [0] * len(wanted)
    left = max(room, 0)
    for waiting, index in enumerate(sorted(range(len(wanted)), key=lambda each: wanted[each])):
        shares[index] = min(wanted[index], left // (len(wanted) - waiting))
        left -= shares[index]
    return shares
