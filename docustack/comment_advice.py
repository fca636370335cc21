"""What to do about a failure, where the deployment guide's "Troubleshooting" speaks and where it doesn't."""

from docustack.comment_text import fence, inline_code
from docustack.errors import ErrorType

UNEXPECTED_CHANGES = (
    "Changes that you didn't make come from the console (drift), from another pull request that was applied, or from "
    "another version of the provider. In the unit's directory, `terragrunt refresh` shows drift and "
    "`terragrunt import ADDRESS ID` takes over what was made by hand."
)


def advice(error_type: str | None, *, unit: str, environment: str, action: str, prefix: str = "terrateam") -> str:
    """Markdown: what a person does next. `action` is what failed, `plan` or `apply`."""
    again = inline_code(f"{prefix} {action} {unit}")
    plan = inline_code(f"{prefix} plan {unit}")
    match error_type:
        case ErrorType.STATE_LOCKED:
            return _state_lock(prefix, unit, again)
        case ErrorType.LOCK_LOST:
            return (
                "Somebody has released it by hand, or it belongs to another pull request by now; Terraform's own lock "
                f"is another one. Comment {again} to take it again, and {plan} first if somebody else may have applied."
            )
        case ErrorType.CREDENTIALS:
            return _credentials(environment, again)
        case ErrorType.STALE_PLAN:
            return (
                f"The state has changed since this plan was made. Comment {plan} and look again. {UNEXPECTED_CHANGES}"
            )
        case ErrorType.CONFIGURATION | ErrorType.INVALID_INPUT:
            return "Fix the code and push; the plan starts by itself."
        case ErrorType.MERGE_CONFLICT:
            return "Merge the base branch into yours, resolve the conflict and push; the plan starts by itself."
        case ErrorType.NO_OUTPUTS:
            return "Apply the units that it depends on first, or give the dependency `mock_outputs` for plans."
    return _interrupted(error_type, action, again, plan)


def _interrupted(error_type: str | None, action: str, again: str, plan: str) -> str:
    match error_type:
        case ErrorType.TIMEOUT:
            setting = inline_code(f"{action}.timeout_minutes")
            return f"Raise {setting} in `docustack.yaml` if it needs longer, then comment {again}."
        case ErrorType.CANCELLED:
            return f"Comment {again} to start again."
        case ErrorType.INTERRUPTED | ErrorType.PROVIDER_CRASH:
            return f"Comment {plan} to see what is left to do."
        case ErrorType.DISK_FULL:
            return f"Make room on the disk of that worker, then comment {plan} to see what is left to do."
        case ErrorType.THROTTLED | ErrorType.UNAVAILABLE:
            return f"The service on the other side was busy or away for longer than we retry. Comment {again} later."
        case ErrorType.NOT_FOUND:
            return f"Comment {plan} to make what is missing again."
    if action == "apply":
        return (
            "What was done before the failure is recorded in the state. "
            f"Fix the code and push, or comment {plan} to see what is left to do."
        )
    return f"Fix the code and push, or comment {again} if the cause lies elsewhere."


def _state_lock(prefix: str, unit: str, again: str) -> str:
    unlock = inline_code(f"{prefix} unlock {unit}")
    return (
        f"Wait until the other process has ended, then comment {again}. If that process is dead, comment {unlock}. "
        f"By hand, in {inline_code(unit)}: `terragrunt force-unlock <lock-id>`."
    )


def _credentials(environment: str, again: str) -> str:
    profile = environment if environment.isidentifier() or environment.replace("-", "").isalnum() else "<environment>"
    commands = f"aws sso login --profile docustack-{profile}\naws sts get-caller-identity\necho $AWS_PROFILE"
    return (
        f"AWS refused. Check the role and session of the worker for {inline_code(environment)}, "
        f"then comment {again}. By hand:\n\n{fence(commands)}"
    )
