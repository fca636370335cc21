"""Checks the configuration that a live repository has committed, before a world is built on it."""

from pathlib import Path

from docustack.configuration_file import CONFIGURATION_PATH, read_configuration_files
from docustack.terrateam import CONFIGURATION_PATHS
from local.live_repository import committed
from starter.exit_codes import CommandFailed


def refuse_wrong_rules(live_repository: Path) -> None:
    """Nothing starts half-configured: what the engine would refuse in each pull request is told before all else.

    Raises:
        CommandFailed: docustack.yaml or Terrateam's file of the repository is wrong; every problem with its line.
    """
    files = (CONFIGURATION_PATH, *CONFIGURATION_PATHS)
    texts = {name: text for name in files if (text := _at_head(live_repository, name)) is not None}
    if CONFIGURATION_PATH not in texts:
        return  # the world says so itself, and each pull request what to do
    problems = read_configuration_files(texts, where=str(live_repository)).problems
    if problems:
        raise CommandFailed(
            f"{live_repository} can't be used with these rules:",
            *(problem.describe() for problem in problems),
            "Mend them and commit; docustack config check shows each with its line.",
        )


def _at_head(live_repository: Path, name: str) -> str | None:
    """A file as `main` will have it: of HEAD where the folder has a history of its own, else as it lies there."""
    if (live_repository / ".git").exists():
        text = committed(live_repository, "HEAD", name)
        return None if text is None else text.decode(errors="replace")
    path = live_repository / name
    return path.read_text(encoding="utf-8", errors="replace") if path.is_file() else None
