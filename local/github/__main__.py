"""Command line: `python -m local.github --data-dir D --git-dir BARE.git …`, or the same in a JSON file, `--config`."""

import argparse
import json
import logging
import re
import subprocess
import sys
from pathlib import Path

from starlette.applications import Starlette

from local.github.app import build
from local.github.settings import Settings
from local.serving import serve

log = logging.getLogger("local.github")
GIT_NEEDED = (2, 38)  # merge-tree --write-tree


def main() -> int:
    logging.basicConfig(level=logging.WARNING, format="%(asctime)s %(levelname)s %(name)s: %(message)s")
    log.setLevel(logging.INFO)
    try:
        settings = _settings(sys.argv[1:])
        _check_git(settings.git_dir)
    except (ValueError, OSError) as error:
        log.critical("cannot start: %s", error)
        return 2
    serve(lambda url: _build(settings, url), settings.host, settings.port, settings.data_dir)
    return 0


def _build(settings: Settings, url: str) -> Starlette:
    log.info("GitHub stand-in for %s at %s", settings.full_name, url)
    return build(settings.model_copy(update={"url": url}))


def _settings(arguments: list[str]) -> Settings:
    parser = argparse.ArgumentParser(prog="python -m local.github", description="A stand-in for GitHub.")
    parser.add_argument("--config", type=Path, help="JSON file with these same settings, `_` for `-`")
    parser.add_argument("--data-dir", type=Path, help="where everything is kept, tokens.json too")
    parser.add_argument("--git-dir", type=Path, help="the bare repository")
    parser.add_argument("--owner")
    parser.add_argument("--repository")
    parser.add_argument("--host", help="default 127.0.0.1")
    parser.add_argument("--port", type=int, help="default: any free one")
    parser.add_argument("--webhook-url")
    parser.add_argument("--webhook-secret")
    given = {name: value for name, value in vars(parser.parse_args(arguments)).items() if value is not None}
    config = given.pop("config", None)
    return Settings.model_validate({**(json.loads(config.read_text()) if config else {}), **given})


def _check_git(git_dir: Path) -> None:
    words = subprocess.run(["git", "version"], capture_output=True, text=True, check=True).stdout
    found = re.search(r"(\d+)\.(\d+)", words)
    if found is None or tuple(map(int, found.groups())) < GIT_NEEDED:
        raise ValueError(f"git >= {GIT_NEEDED[0]}.{GIT_NEEDED[1]} is needed for merges, found: {words.strip()}")
    if not (git_dir / "HEAD").is_file():
        raise ValueError(f"{git_dir} is not a bare git repository")


if __name__ == "__main__":
    sys.exit(main())
