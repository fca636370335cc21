"""What `docustack.yaml` at the root of a live repository says: environments, teams, and who may do what where."""

from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field

Anyone = Literal["anyone"]
TeamName = Annotated[str, Field(pattern=r"^[a-z0-9][a-z0-9_-]*$")]
EnvironmentName = Annotated[str, Field(pattern=r"^[a-z0-9][a-z0-9-]*$")]
Who = Anyone | list[TeamName]


class Section(BaseModel):
    """A part of the file: a key that it doesn't know is an error, since a misspelt rule is no rule."""

    model_config = ConfigDict(frozen=True, extra="forbid", populate_by_name=True)


class Approvals(Section):
    """How many people have to say yes, and from which teams (guide, "Approval Requirements")."""

    from_: Who = Field(default="anyone", alias="from")
    minimum: int = Field(default=0, ge=0, le=10)


class Roles(Section):
    """The AWS roles a worker assumes: one that only reads to plan, one that changes to apply."""

    plan: str
    apply: str


class Environment(Section):
    """One folder of the live repository, one AWS account, and its rules (guide, "Access Control")."""

    path: str
    account_id: Annotated[str, Field(pattern=r"^\d{12}$")]
    region: str = "us-east-1"
    profile: str | None = None
    roles: Roles | None = None
    branch: str = "main"
    plan: Who = "anyone"
    apply: Who
    approvals: Approvals = Approvals()
    auto_apply_on_merge: bool = False


class StateBackend(Section):
    """Patterns of the state bucket's and lock table's names; `{account_id}` stands for the environment's account."""

    bucket: str = "docustack-terraform-state-{account_id}"
    lock_table: str = "docustack-terraform-locks"


class Slack(Section):
    """Where notifications go (guide, "Slack Notifications")."""

    channel: str = "#infra-alerts"


class PlanSettings(Section):
    """How plans run."""

    parallelism: int = Field(default=4, ge=1, le=64)
    timeout_minutes: int = Field(default=30, ge=1, le=24 * 60)


class ApplySettings(Section):
    """How applies run."""

    parallelism: int = Field(default=2, ge=1, le=64)
    timeout_minutes: int = Field(default=60, ge=1, le=24 * 60)
    require_mergeable: bool = True
    approval_expires_days: int = Field(default=7, ge=1, le=90)


class PullRequestSettings(Section):
    """What a pull request starts by itself."""

    plan_drafts: bool = False
    plan_also_affected: bool = False


class Configuration(Section):
    """The whole file."""

    version: Literal[1]
    repository: Annotated[str, Field(pattern=r"^[\w.-]+/[\w.-]+$")] | None = None
    comment_prefixes: list[str] = ["terrateam", "docustack"]
    teams: dict[TeamName, str] = {}
    state: StateBackend = StateBackend()
    slack: Slack = Slack()
    plan: PlanSettings = PlanSettings()
    apply: ApplySettings = ApplySettings()
    pull_requests: PullRequestSettings = PullRequestSettings()
    environments: dict[EnvironmentName, Environment]

    def environment_of(self, unit: str) -> str | None:
        """The name of the environment whose path is the longest prefix of a unit's path; None outside all of them."""
        inside = [
            (len(environment.path), name)
            for name, environment in self.environments.items()
            if unit == environment.path or unit.startswith(environment.path.rstrip("/") + "/")
        ]
        return max(inside)[1] if inside else None

    def environment_order(self) -> list[str]:
        """Environments in the order in which one pull request applies them: as the file lists them."""
        return list(self.environments)
