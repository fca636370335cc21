"""Where a local world keeps what it has, and where the tools and examples of this checkout are."""

import shutil
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
DEFAULT_DATA_DIR = ROOT / ".local"
EXAMPLE = ROOT / "examples" / "docustack-infrastructure-live"
CHANGES = ROOT / "examples" / "changes"
TERRAFORM_SETTINGS = ROOT / ".tools" / "terraformrc"

_OURS = ("aws", "git", "github", "logs", "slack", "temporal", "worker", "people", "world.json")


@dataclass(frozen=True)
class Places:
    """The folders of one world; nothing of it lies elsewhere."""

    data_dir: Path

    @property
    def aws(self) -> Path:
        return self.data_dir / "aws"

    @property
    def git(self) -> Path:
        """Bare repositories, as `<owner>/<name>.git`."""
        return self.data_dir / "git"

    @property
    def github(self) -> Path:
        return self.data_dir / "github"

    @property
    def people(self) -> Path:
        """Clones that the people of the demo work in."""
        return self.data_dir / "people"

    @property
    def slack(self) -> Path:
        return self.data_dir / "slack"

    @property
    def temporal(self) -> Path:
        return self.data_dir / "temporal"

    @property
    def worker(self) -> Path:
        return self.data_dir / "worker"

    def log(self, part: str) -> Path:
        return self.data_dir / "logs" / f"{part}.log"

    def bare(self, owner: str, name: str) -> Path:
        return self.git / owner / f"{name}.git"

    def clear(self) -> None:
        """Remove what a world has left; what else lies in the folder stays."""
        for path in (*(self.data_dir / name for name in _OURS), *self.data_dir.glob("worker-*")):
            if path.is_dir():
                shutil.rmtree(path)
            else:
                path.unlink(missing_ok=True)


def tool(name: str) -> Path | None:
    """An executable: the one that `make setup` has put in place, else the one on PATH."""
    ours = ROOT / ".tools" / "bin" / name
    found = shutil.which(str(ours)) or shutil.which(name)
    return Path(found).absolute() if found else None
