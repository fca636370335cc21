"""The bare git remote of the local world: the example's files or another repository, and what it says of itself."""

import os
import shutil
import subprocess
import tempfile
from collections.abc import Mapping
from pathlib import Path

from pydantic import BaseModel
from ruamel.yaml import YAML
from ruamel.yaml.error import YAMLError

CONFIGURATION = "docustack.yaml"
LEFT_BY_TOOLS = shutil.ignore_patterns(".git", ".terragrunt-cache", ".terraform", "*.tfstate", "*.tfstate.*")
DEFAULT_ENVIRONMENTS = {
    "dev": "111111111111",
    "staging": "222222222222",
    "prod": "333333333333",
    "management": "444444444444",
}
_SEEDER = {
    f"GIT_{role}_{field}": value
    for role in ("AUTHOR", "COMMITTER")
    for field, value in (("NAME", "DocuStack"), ("EMAIL", "docustack@users.noreply.github.com"))
}


class SeedError(Exception):
    """The folder given can't become the live repository; the message says why."""


class Facts(BaseModel):
    """The little of `docustack.yaml` that the world has to know: whom to stand in for, and which buckets to make."""

    owner: str = "docustack"
    name: str = "docustack-infrastructure-live"
    environments: dict[str, str] = DEFAULT_ENVIRONMENTS  # name -> account id
    bucket: str = "docustack-terraform-state-{account_id}"
    lock_table: str = "docustack-terraform-locks"
    channel: str = "#infra-alerts"
    problem: str = ""  # why these are defaults

    @property
    def buckets(self) -> list[str]:
        return [self.bucket.format(account_id=account) for account in dict.fromkeys(self.environments.values())]


def seed(source: Path, bare: Path) -> None:
    """Make the bare repository: the source's HEAD, or its files as one commit, is `main`; `staging` branches from it.

    Raises:
        SeedError: there is no such folder, or its repository has no commit.
    """
    if not source.is_dir():
        raise SeedError(f"{source} is no folder")
    bare.parent.mkdir(parents=True, exist_ok=True)
    git(bare.parent, "init", "--quiet", "--bare", "--initial-branch=main", str(bare))
    if _is_repository(source):
        _take_history(source, bare)
    else:
        _take_files(source, bare)
    if not _has(bare, "refs/heads/staging"):
        git(bare, "branch", "staging", "main")


def identity(source: Path) -> str:
    """Tells one source from another: its path, and where it has a history of its own, what HEAD is."""
    path = source.resolve()
    return f"{path}@{git(path, 'rev-parse', 'HEAD')}" if _is_repository(path) and _has(path, "HEAD") else str(path)


def read_facts(bare: Path) -> Facts:
    """What `docustack.yaml` on `main` says; where it can't be read, defaults, and why: the engine will tell it."""
    text = committed(bare, "main", CONFIGURATION)
    if text is None:
        return Facts(problem=f"{CONFIGURATION} is not on main")
    try:
        found = YAML(typ="safe").load(text)
    except (YAMLError, UnicodeDecodeError):
        return Facts(problem=f"{CONFIGURATION} on main is no YAML")
    return _facts(found) if isinstance(found, dict) else Facts(problem=f"{CONFIGURATION} on main says nothing")


def committed(repository: Path, revision: str, path: str) -> bytes | None:
    """A file as a revision has it; None where it doesn't."""
    shown = subprocess.run(
        ["git", "show", f"{revision}:{path}"], cwd=repository, env=environment(), capture_output=True, check=False
    )
    return shown.stdout if shown.returncode == 0 else None


def git(directory: Path, *arguments: str, identity: Mapping[str, str] = _SEEDER) -> str:
    """Run git, without anything that this machine's user has configured for it."""
    done = subprocess.run(
        ["git", *arguments],
        cwd=directory,
        env=environment() | dict(identity),
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode != 0:
        raise SeedError(f"git {' '.join(arguments)} in {directory}: {done.stderr.strip()}")
    return done.stdout.strip()


def environment() -> dict[str, str]:
    """The environment for git."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith("GIT_")}
    return kept | {"GIT_CONFIG_GLOBAL": os.devnull, "GIT_CONFIG_NOSYSTEM": "1", "GIT_TERMINAL_PROMPT": "0"}


def _take_history(source: Path, bare: Path) -> None:
    if not _has(source, "HEAD"):
        raise SeedError(f"{source} is a git repository without a commit: its HEAD is to become main")
    wanted = ["HEAD:refs/heads/main"]
    wanted += ["refs/heads/staging:refs/heads/staging"] if _has(source, "refs/heads/staging") else []
    git(bare, "fetch", "--quiet", "--no-tags", "--update-head-ok", "--update-shallow", str(source.resolve()), *wanted)


def _take_files(source: Path, bare: Path) -> None:
    with tempfile.TemporaryDirectory(prefix="docustack-seed-") as folder:
        copy = Path(folder) / "live"
        shutil.copytree(source, copy, ignore=LEFT_BY_TOOLS)
        git(copy, "init", "--quiet", "--initial-branch=main")
        git(copy, "add", "--all")
        git(copy, "commit", "--quiet", "--message", f"Begin with {source.resolve().name}")
        git(copy, "push", "--quiet", str(bare), "main")


def _is_repository(source: Path) -> bool:
    """A repository of its own, bare or not; a folder within another one is none."""
    return (source / ".git").exists() or (source / "HEAD").is_file()


def _has(repository: Path, name: str) -> bool:
    command = ["git", "rev-parse", "--quiet", "--verify", f"{name}^{{commit}}"]
    return subprocess.run(command, cwd=repository, env=environment(), capture_output=True, check=False).returncode == 0


def _facts(found: Mapping[object, object]) -> Facts:
    """Each part by itself: one that is wrong keeps its default."""
    facts = Facts()
    owner, _, name = _text(found, "repository").partition("/")
    state, slack = found.get("state"), found.get("slack")
    environments = found.get("environments")
    known = {
        str(key): str(value.get("account_id", "000000000000"))
        for key, value in (environments.items() if isinstance(environments, dict) else ())
        if isinstance(value, dict)
    }
    bucket = _text(state, "bucket")
    return Facts(
        owner=owner if name else facts.owner,
        name=name or facts.name,
        environments=known or facts.environments,
        bucket=bucket if bucket and set("{}").isdisjoint(bucket.replace("{account_id}", "")) else facts.bucket,
        lock_table=_text(state, "lock_table") or facts.lock_table,
        channel=_text(slack, "channel") or facts.channel,
        problem="" if known else f"{CONFIGURATION} on main names no environments",
    )


def _text(mapping: object, key: str) -> str:
    value = mapping.get(key) if isinstance(mapping, dict) else None
    return value if isinstance(value, str) else ""
