"""Shows a scenario as it happens: steps, what people do, comments, what was checked; all of it with the time."""

import re
import time

from rich.console import Console
from rich.padding import Padding
from rich.panel import Panel
from rich.rule import Rule
from rich.text import Text

from local.people import Comment

SHOWN_LINES = 16
_FOLD = re.compile(r"<details><summary>(.*?)</summary>\n*(.*?)\n*</details>", re.DOTALL)
_HIDDEN = re.compile(r"\s*<!--.*?-->|<sub>.*?</sub>|\u200b", re.DOTALL)


class Screen:
    """Writes to a console, and remembers nothing but when it began."""

    def __init__(self, console: Console) -> None:
        self.console = console
        self._began = time.monotonic()

    @property
    def elapsed(self) -> float:
        return time.monotonic() - self._began

    def step(self, number: int, title: str) -> None:
        self.console.print()
        self.console.print(Rule(Text(f"{number}  {title}", "bold"), align="left", style="dim"))

    def did(self, who: str, what: str) -> None:
        """Somebody did something."""
        self._line(Text.assemble((who, "bold cyan"), f" {what}"))

    def tell(self, part: str, what: str, seconds: float) -> None:
        """A part of the world came or went."""
        took = f"  {seconds:.1f} s" if seconds else ""
        self._line(Text.assemble((f"{part:<9}", "bold"), what, (took, "dim")))

    def printed(self, line: str) -> None:
        """A line that a command has printed."""
        self.console.print(Text(f"        │ {line}", "dim"), soft_wrap=True)

    def checked(self, what: str, found: str = "") -> None:
        self._line(Text.assemble(("✔ ", "green"), what, (f"  {found}" if found else "", "dim")))

    def differs(self, what: str, found: str) -> None:
        self._line(Text.assemble(("✘ ", "bold red"), (what, "red"), f"  {found}"))

    def comment(self, comment: Comment) -> None:
        """A comment, abridged: what is folded in GitHub is folded here too."""
        shown = abridged(comment.body)
        if "\n" not in shown and not comment.author.endswith("[bot]"):
            self._line(Text.assemble((comment.author, "bold cyan"), " comments ", (shown, "bold")))
            return
        self._line(Text.assemble((comment.author, "bold magenta"), " comments"))
        self.console.print(Padding(Panel(Text(shown), border_style="dim", expand=False), (0, 0, 0, 8)))

    def _line(self, text: Text) -> None:
        time_of_it = Text(f"{self.elapsed:6.1f} ", "dim")
        self.console.print(time_of_it + text, soft_wrap=True)


def abridged(body: str) -> str:
    """A comment's markdown without its small print; folds and what is long are told by their number of lines."""
    text = _FOLD.sub(lambda fold: f"▸ {fold[1]} ({fold[2].count(chr(10)) + 1} lines)", _HIDDEN.sub("", body))
    lines = [line for line in text.strip().splitlines() if line.strip()]
    if len(lines) <= SHOWN_LINES:
        return "\n".join(lines)
    left_out = len(lines) - SHOWN_LINES + 1
    return "\n".join([*lines[: SHOWN_LINES - 4], f"… {left_out} more lines …", *lines[-3:]])
