"""What one GitHub stand-in is told at its start."""

from pathlib import Path

from pydantic import BaseModel, ConfigDict, field_validator


class Settings(BaseModel):
    """Addresses and folders of one stand-in; `port` 0 means any free port."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    data_dir: Path
    git_dir: Path
    owner: str = "docustack"
    repository: str = "docustack-infrastructure-live"
    host: str = "127.0.0.1"
    port: int = 0
    webhook_url: str | None = None
    webhook_secret: str = ""
    url: str = ""

    @field_validator("data_dir", "git_dir")
    @classmethod
    def _absolute(cls, value: Path) -> Path:
        return value.resolve()

    @property
    def full_name(self) -> str:
        return f"{self.owner}/{self.repository}"
