"""Where setup puts things inside the repository."""

from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True)
class Places:
    """Every path that setup reads or writes, from the repository's root."""

    root: Path

    @property
    def venv(self) -> Path:
        return self.root / ".venv"

    @property
    def python(self) -> Path:
        return self.venv / "bin" / "python"

    @property
    def lock(self) -> Path:
        return self.root / "requirements.lock"

    @property
    def project(self) -> Path:
        return self.root / "pyproject.toml"

    @property
    def go_module(self) -> Path:
        return self.root / "tools"

    @property
    def tools(self) -> Path:
        return self.root / ".tools"

    @property
    def bin(self) -> Path:
        return self.tools / "bin"

    @property
    def providers(self) -> Path:
        return self.tools / "providers"

    @property
    def terraformrc(self) -> Path:
        return self.tools / "terraformrc"

    @property
    def logs(self) -> Path:
        return self.tools / "log"

    @property
    def record(self) -> Path:
        """What each step was made from, so that a second setup has nothing to do."""
        return self.tools / "setup.json"
