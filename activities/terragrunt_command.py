"""Which Terragrunt this worker has, how its version wants to be called, and what its processes get to see."""

import os
import re
import shutil
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from activities.processes import run_process
from activities.terragrunt_messages import PlanShape
from docustack.configuration import Environment
from docustack.errors import ConfigurationError

MINIMUM = (0, 50, 0)
_NEW_COMMAND_LINE = (0, 73, 0)
"""From here on flags have no `--terragrunt-` prefix, variables begin with `TG_`, and `render` prints JSON."""

_FROM_STATE_SINCE = (1, 0, 0)
_NOT_FROM_STATE = "TG_NO_DEPENDENCY_FETCH_OUTPUT_FROM_STATE"

_PASSED = re.compile(
    r"^(?:PATH|HOME|USER|LOGNAME|LANG|LC_\w+|TZ|TMPDIR|SHELL|AWS_\w+|TF_VAR_\w+|TF_CLI_CONFIG_FILE|TF_LOG\w*|"
    r"TF_REGISTRY_\w+|TF_TOKEN_\w+|TG_\w+|TERRAGRUNT_\w+|SSL_CERT_\w+|(?:HTTPS?|NO|ALL)_PROXY|SSH_AUTH_SOCK|GIT_SSL_\w+|"
    r"GIT_CONFIG_\w+|SOPS_\w+|XDG_\w+|GOGC|GOMEMLIMIT|DOCUSTACK_AWS_PROVIDER_VERSION)$",
    re.IGNORECASE,
)
"""Everything else of the worker's environment, its GitHub and Slack tokens above all, stays with the worker.

So does `TF_PLUGIN_CACHE_DIR`: units are planned at once, and Terraform's cache is not safe for several `init` at once.
"""

_FEWER_COLLECTIONS = {"GOGC": "300", "GOMEMLIMIT": "2GiB"}
"""Terragrunt, Terraform and providers live for seconds: up to here they take memory rather than collect garbage again
and again, a fifth of their CPU time. Only a default: a worker's own settings go before it."""

ACCOUNT_ID = "DOCUSTACK_ACCOUNT_ID"
"""Tells every unit the account of its environment: the bootstrap unit serves all of them, one after the other."""

_CREDENTIALS_AT_HAND = (
    "AWS_ACCESS_KEY_ID",
    "AWS_CONTAINER_CREDENTIALS_FULL_URI",
    "AWS_CONTAINER_CREDENTIALS_RELATIVE_URI",
    "AWS_WEB_IDENTITY_TOKEN_FILE",
    "AWS_ENDPOINT_URL",
)


_IDENTITY = re.compile(
    r"^(?:AWS_ACCESS_KEY_ID|AWS_SECRET_ACCESS_KEY|AWS_SESSION_TOKEN|AWS_SECURITY_TOKEN|AWS_(?:DEFAULT_)?PROFILE|AWS_ROLE_\w+|"
    r"AWS_WEB_IDENTITY_\w+|AWS_CONTAINER_\w+|AWS_SHARED_CREDENTIALS_FILE|TG_IAM_\w+|TERRAGRUNT_IAM_\w+|"
    r"(?:TG|TERRAGRUNT)_AUTH_PROVIDER_CMD)$"
)
"""By what a process is known to AWS, or would come to be known."""


def child_environment(environ: Mapping[str, str]) -> dict[str, str]:
    """What a worker passes on of its own environment."""
    return {name: value for name, value in environ.items() if _PASSED.match(name)}


_WHOLE = PlanShape()


@dataclass(frozen=True)
class TerragruntCommand:
    """Command lines and settings for one installed Terragrunt, and the Terraform or OpenTofu under it."""

    terragrunt: str
    terraform: str
    version: tuple[int, int, int]
    from_state: bool = (
        False  # it can read dependencies' outputs from their states in S3, without preparing their folders
    )

    @classmethod
    async def find(cls, terragrunt: str = "terragrunt", terraform: str | None = None) -> "TerragruntCommand":
        """Ask the executables; raises `ConfigurationError` with what is missing and what to do."""
        found = shutil.which(terragrunt)
        if found is None:
            raise ConfigurationError(f"There is no Terragrunt at `{terragrunt}`: install version 0.50 or newer.")
        under = next(filter(None, map(shutil.which, [terraform] if terraform else ["terraform", "tofu"])), None)
        if under is None:
            raise ConfigurationError(
                f"There is no {terraform or 'Terraform'}: install Terraform 1.5 or newer, or OpenTofu."
            )
        answer = await run_process([found, "--version"])
        match = re.search(r"v?(\d+)\.(\d+)\.(\d+)", answer.stdout)
        version = (int(match[1]), int(match[2]), int(match[3])) if match else None
        if version is None or version < MINIMUM:
            raise ConfigurationError(
                f"`{found} --version` answered {answer.stdout.strip()!r}: DocuStack needs Terragrunt 0.50 or newer."
            )
        # Not with OpenTofu: its states may be encrypted, and Terragrunt would take such a one for one without outputs.
        from_state = version >= _FROM_STATE_SINCE and await _is_terraform(under)
        return cls(_absolute(found), _absolute(under), version, from_state)

    @property
    def is_new(self) -> bool:
        return self.version >= _NEW_COMMAND_LINE

    def reads_from_state(self, environ: Mapping[str, str]) -> bool:
        """Whether outputs of dependencies with state in S3 are read there; whoever runs the worker may not want it."""
        return self.from_state and environ.get(_NOT_FROM_STATE, "").lower() not in ("1", "true")

    def render(self, out: Path) -> list[str]:
        """Prints the unit's whole configuration as JSON (an older Terragrunt writes it to `out`)."""
        if self.is_new:
            return [self.terragrunt, "render", "--format", "json"]
        return [self.terragrunt, "render-json", "--terragrunt-json-out", str(out)]

    def plan(self, out: Path, *, destroy: bool = False, shape: PlanShape = _WHOLE) -> list[str]:
        arguments = ["plan", f"-out={out}", "-detailed-exitcode", "-input=false", "-lock=false", "-no-color"]
        narrowed = [f"-target={target}" for target in (*shape.targets, *([shape.address] if shape.address else ()))]
        modes = [*(["-destroy"] if destroy else []), *(["-refresh-only"] if shape.refresh_only else [])]
        return [self.terragrunt, *arguments, *modes, *narrowed]

    def plan_with_lock(self) -> list[str]:
        """A plan that takes Terraform's lock first, and so tells who else has it; it is not saved."""
        return [self.terragrunt, "plan", "-refresh=false", "-lock-timeout=0s", "-input=false", "-no-color"]

    def apply(self, plan: Path) -> list[str]:
        """A saved plan is applied once: what Terragrunt would try again by itself may be half done already."""
        once = "--no-auto-retry" if self.is_new else "--terragrunt-no-auto-retry"
        return [self.terragrunt, "apply", once, "-input=false", "-no-color", str(plan)]

    def show(self, plan: Path | None = None, *, as_json: bool) -> list[str]:
        """A saved plan, or the state."""
        kind = "-json" if as_json else "-no-color"
        return [self.terragrunt, "show", kind, *([str(plan)] if plan else [])]

    def show_directly(self, plan: Path | None = None, *, as_json: bool) -> list[str]:
        """The same without Terragrunt, in a folder that it has prepared: half the time."""
        return [self.terraform, *self.show(plan, as_json=as_json)[1:]]

    def outputs(self) -> list[str]:
        return [self.terragrunt, "output", "-json"]

    def pull_state(self) -> list[str]:
        return [self.terragrunt, "state", "pull"]

    def init(self) -> list[str]:
        return [self.terragrunt, "init", "-input=false", "-no-color"]

    def migrate_state(self) -> list[str]:
        """Guide, "Bootstrap State Backend": copies the state to where `remote_state` says; nobody is asked."""
        return [*self.init(), "-migrate-state", "-force-copy"]

    def adopt(self, address: str, name: str) -> list[str]:
        return [self.terragrunt, "import", "-input=false", "-no-color", address, name]

    def push_state(self, path: Path, *, force: bool = False) -> list[str]:
        """With force over a state of another lineage, too: only for one that holds the same."""
        return [self.terragrunt, "state", "push", *(["-force"] if force else []), str(path)]

    def force_unlock(self, lock_id: str) -> list[str]:
        return [self.terragrunt, "force-unlock", "-force", lock_id]

    def settings(self) -> dict[str, str]:
        """What this version reads from its environment: no questions, plain output, our Terraform."""
        ours = {
            "TF_INPUT": "0",
            "TF_IN_AUTOMATION": "1",
            "CHECKPOINT_DISABLE": "1",
        }
        if self.is_new:
            return ours | {
                "TG_NON_INTERACTIVE": "true",
                "TG_NO_COLOR": "true",
                "TG_TF_FORWARD_STDOUT": "true",
                "TG_TF_PATH": self.terraform,
                "TG_SUMMARY_DISABLE": "true",
                "TG_NO_TIPS": "true",
                **({"TG_DEPENDENCY_FETCH_OUTPUT_FROM_STATE": "true"} if self.from_state else {}),
            }
        return ours | {
            "TERRAGRUNT_NON_INTERACTIVE": "true",
            "TERRAGRUNT_NO_COLOR": "true",
            "TERRAGRUNT_DISABLE_LOG_FORMATTING": "true",
            "TERRAGRUNT_FORWARD_TF_STDOUT": "true",
            "TERRAGRUNT_TFPATH": self.terraform,
        }

    def base_environment(self, environ: Mapping[str, str]) -> dict[str, str]:
        """What every process of ours gets, whatever it works on."""
        return _FEWER_COLLECTIONS | child_environment(environ) | self.settings()

    def environment(
        self, environ: Mapping[str, str], environment: Environment, session: Mapping[str, str] | None = None
    ) -> dict[str, str]:
        """The whole environment of a process that works on a unit.

        `session` are the credentials of an assumed role: then nothing else is passed on by which the worker itself is
        known, or the code of a pull request could assume with it what only applies may.
        """
        passed = self.base_environment(environ) | {ACCOUNT_ID: environment.account_id}
        if session is None:
            profile = own_profile(environ, environment)
            return passed | ({"AWS_PROFILE": profile} if profile else {})
        kept = {name: value for name, value in passed.items() if not _IDENTITY.match(name)}
        return {**kept, **session, "AWS_EC2_METADATA_DISABLED": "true"}


async def _is_terraform(executable: str) -> bool:
    answer = await run_process([executable, "version"], environ={**os.environ, "CHECKPOINT_DISABLE": "1"})
    return answer.stdout.startswith("Terraform v")


def _absolute(executable: str) -> str:
    return str(Path(executable).absolute())


def own_profile(environ: Mapping[str, str], environment: Environment) -> str | None:
    """The guide's `AWS_PROFILE=docustack-dev`, where the worker has no credentials of its own."""
    if any(environ.get(name) for name in (*_CREDENTIALS_AT_HAND, "AWS_PROFILE")):
        return None
    return environment.profile
