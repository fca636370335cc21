"""Shows on screen how the parts of a world come and go, while a person waits."""

from collections.abc import Iterator
from contextlib import contextmanager

from rich.console import Console
from rich.text import Text


class Progress:
    """One line for each thing that has happened; below them what is being done, where the screen is a terminal."""

    def __init__(self, console: Console) -> None:
        self._console = console

    @contextmanager
    def waiting(self, what: str) -> Iterator[None]:
        """While the block runs."""
        if not self._console.is_terminal:
            yield
            return
        with self._console.status(f"{what} …"):
            yield

    def tell(self, part: str, what: str, seconds: float) -> None:
        took = f"  {seconds:.1f} s" if seconds else ""
        self._console.print(Text.assemble(("  ✔ ", "green"), (f"{part:<9}", "bold"), f" {what}", (took, "dim")))
