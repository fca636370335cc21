"""Which AWS account credentials have to be of, and what is told where they are of another one."""

from collections.abc import Sequence

from docustack.comment_text import inline_code
from docustack.configuration import Environment
from docustack.model import Model


class CallerIdentity(Model):
    """Whom AWS takes somebody for, by its own word."""

    account: str
    arn: str


def is_account_of(environment: Environment, account: str, simulated: str | None) -> bool:
    """`simulated` is the one account of a simulator, which stands for all of them."""
    return account in (environment.account_id, simulated)


def login_command(profile: str | None) -> str:
    return f"aws sso login --profile {profile or '<profile>'}"


def wrong_account(name: str, environment: Environment, identity: CallerIdentity, profile: str | None) -> str:
    """The headline, and below it what to do."""
    log_in = f"`{login_command(profile or environment.profile)}`"
    return (
        f"`{name}` is AWS account {environment.account_id}, and these credentials are of account {identity.account}: "
        f"nothing was started.\nAWS takes the worker of `{name}` for {inline_code(identity.arn)}. Give it credentials "
        f"of account {environment.account_id} ({log_in}, `aws sts get-caller-identity`, `echo $AWS_PROFILE` on its "
        "host) and restart it, or correct `account_id` in docustack.yaml."
    )


def no_identity(name: str, environment: Environment, why: str, profile: str | None) -> str:
    """Nobody knows whose account it would be."""
    log_in = f"`{login_command(profile or environment.profile)}`"
    return (
        f"AWS doesn't say whose the credentials of `{name}` are, so nothing was started: {why}\nNeeded are credentials "
        f"of account {environment.account_id}. On the worker's host: {log_in}, `aws sts get-caller-identity`, "
        "`echo $AWS_PROFILE`."
    )


def bucket_and_table(bucket: str, lock_table: str, name: str, environment: Environment) -> tuple[str, str]:
    """The names of an environment's state bucket and lock table, from the patterns of docustack.yaml."""
    values = {"account_id": environment.account_id, "environment": name, "region": environment.region}
    return _filled(bucket, values), _filled(lock_table, values)


def _filled(pattern: str, values: dict[str, str]) -> str:
    for key, value in values.items():
        pattern = pattern.replace(f"{{{key}}}", value)
    return pattern


def account_of_arn(arn: str) -> str:
    """`arn:aws:sts::111111111111:assumed-role/…`; empty where the text is no ARN."""
    parts: Sequence[str] = arn.split(":")
    return parts[4] if len(parts) > 5 else ""
