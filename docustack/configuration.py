"""What `docustack.yaml` at the root of a live repository says: environments, teams, and who may do what where."""

from collections.abc import Iterable
from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field

Anyone = Literal["anyone"]
TeamName = Annotated[str, Field(pattern=r"^[a-z0-9][a-z0-9_-]*$")]
EnvironmentName = Annotated[str, Field(pattern=r"^[a-z0-9][a-z0-9-]*$")]
Who = Anyone | list[TeamName]
Flag = Annotated[bool, Field(strict=True)]
RegionName = Annotated[str, Field(pattern=r"^[a-z]{2,}(-[a-z]+)+-\d+$")]
BranchName = Annotated[str, Field(pattern=r"^[^-\s~^:?*\[\\][^\s~^:?*\[\\]*$")]
RoleArn = Annotated[str, Field(pattern=r"^arn:aws[a-z-]*:iam::\d{12}:role/[\w+=,.@/-]+$")]
Mode = Literal["full", "plan-only"]
"""`plan-only`: planned and commented as ever, and never applied; for adopting DocuStack beside another tool."""


class Section(BaseModel):
    """A part of the file: a key that it doesn't know is an error, since a misspelt rule is no rule."""

    model_config = ConfigDict(
        frozen=True, extra="forbid", populate_by_name=True, use_attribute_docstrings=True, defer_build=True
    )


class Approvals(Section):
    """How many people have to say yes, and from which teams (guide, "Approval Requirements")."""

    from_: Who = Field(default="anyone", alias="from")
    """Whose approvals count: `anyone` with push access, or the members of these teams."""
    minimum: int = Field(default=0, ge=0, le=10, strict=True)
    """How many approvals of the current commit an apply needs."""


class Roles(Section):
    """The AWS roles a worker assumes: one that only reads to plan, one that changes to apply."""

    plan: RoleArn
    """ARN of the role to plan with."""
    apply: RoleArn
    """ARN of the role to apply with."""


class Environment(Section):
    """One folder of the live repository, one AWS account, and its rules (guide, "Access Control")."""

    path: str
    """The folder, relative to the root of the repository."""
    account_id: Annotated[str, Field(pattern=r"^\d{12}$")]
    """The AWS account: twelve digits, in quotes."""
    region: RegionName = "us-east-1"
    """The AWS region of units that don't say another."""
    profile: str | None = None
    """The AWS profile that the environment's workers use."""
    roles: Roles | None = None
    """The roles that the environment's workers assume, from the profile or whatever they have."""
    branch: BranchName = "main"
    """The branch that is the truth for the environment: only pull requests to it are applied there."""
    plan: Who = "anyone"
    """Who may plan: `anyone` with push access, or the members of these teams."""
    apply: Who
    """Who may apply: `anyone` with push access, or the members of these teams."""
    approvals: Approvals = Approvals()
    """The approvals that an apply needs."""
    mode: Mode | None = None
    """`plan-only`: plan and comment, never apply; unless given as the whole file has it."""
    auto_apply_on_merge: Flag = False
    """Apply by itself, at the merge commit, what a merged pull request has not applied; never for `prod` and
    `management`."""
    allow_destroy: Flag = False
    """Let a plain `apply` destroy units that the pull request deletes, without the words `apply --destroy`."""
    apply_working_copies: Flag = False
    """Let `docustack apply --working-copy` apply what nobody has committed; never for `prod` and `management`."""
    trust_temporal_operators: Flag = False
    """Count `approve` signals from Temporal's own UI or CLI for whoever they name, though nobody has verified that."""


class StateBackend(Section):
    """Patterns of the state bucket's and lock table's names; `{account_id}` stands for the environment's account."""

    bucket: str = "docustack-terraform-state-{account_id}"
    """Name of the S3 bucket; may hold {account_id}, {environment} and {region}."""
    lock_table: str = "docustack-terraform-locks"
    """Name of the DynamoDB table; may hold {account_id}, {environment} and {region}."""


class Slack(Section):
    """Where notifications go (guide, "Slack Notifications")."""

    channel: str = "#infra-alerts"
    """The channel, in quotes, since `#` begins a comment in YAML."""


class PlanSettings(Section):
    """How plans run."""

    parallelism: int = Field(default=8, ge=1, le=64, strict=True)
    """How many units of a run are planned at once."""
    timeout_minutes: int = Field(default=30, ge=1, le=24 * 60, strict=True)
    """How long the plan of one unit may take."""


class ApplySettings(Section):
    """How applies run."""

    parallelism: int = Field(default=2, ge=1, le=64, strict=True)
    """How many units of a wave are applied at once."""
    timeout_minutes: int = Field(default=60, ge=1, le=24 * 60, strict=True)
    """How long the apply of one unit may take before it is interrupted."""
    require_mergeable: Flag = True
    """Apply only where GitHub says that the pull request can be merged."""
    approval_expires_days: int = Field(default=7, ge=1, le=90, strict=True)
    """How long a run waits for approvals."""
    remind_after_hours: int = Field(default=24, ge=0, le=24 * 90, strict=True)
    """How long a run waits for approvals before it reminds of them, once; 0 never reminds."""


class PullRequestSettings(Section):
    """What a pull request starts by itself."""

    plan_drafts: Flag = False
    """Plan draft pull requests too."""
    plan_also_affected: Flag = False
    """Plan the units too that depend on a changed one."""


class PathSettings(Section):
    """What is different for the units of one path."""

    mode: Mode
    """`plan-only` or `full`, whatever the environment has."""


class Configuration(Section):
    """The whole file."""

    version: Literal[1]
    """The version of this format."""
    repository: Annotated[str, Field(pattern=r"^[\w.-]+/[\w.-]+$")] | None = None
    """The live repository on GitHub, `owner/name`."""
    comment_prefixes: list[str] = ["terrateam", "docustack"]
    """The words that a command in a comment begins with."""
    mode: Mode = "full"
    """`plan-only`: plan and comment, never apply; an environment or a path may have it otherwise."""
    teams: dict[TeamName, str] = {}
    """The names of teams used below, each with its slug on GitHub."""
    rules_owners: TeamName = "leads"
    """The team that has to approve a pull request which changes these rules, before it is applied or merged: a name of
    `teams`; without one there, the default is the team `leads` on GitHub."""
    state: StateBackend = StateBackend()
    """Where Terraform's state lies."""
    slack: Slack = Slack()
    """Where notifications go."""
    plan: PlanSettings = PlanSettings()
    """How plans run."""
    apply: ApplySettings = ApplySettings()
    """How applies run."""
    pull_requests: PullRequestSettings = PullRequestSettings()
    """What a pull request starts by itself."""
    environments: dict[EnvironmentName, Environment]
    """The environments, in the order in which one pull request applies them."""
    paths: dict[str, PathSettings] = {}
    """Exceptions for units by path: a unit, a folder or a glob; of several that match the longest counts."""

    def known_teams(self) -> dict[str, str]:
        """Every team that a rule may name, with its slug on GitHub."""
        return {self.rules_owners: self.rules_owners} | self.teams

    def teams_of(self, environments: Iterable[str]) -> tuple[str, ...]:
        """The slugs of the teams on which it depends who may apply there, and whose approvals count."""
        named: list[str] = []
        for environment in (self.environments[name] for name in environments):
            for who in (environment.apply, environment.approvals.from_):
                named += [] if who == "anyone" else who
        return tuple(dict.fromkeys(self.known_teams().get(name, name) for name in named))

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
