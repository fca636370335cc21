"""As whom a worker acts in AWS: the name of its session, and what is told where a role can't be assumed."""

import re

from docustack.comment_text import inline_code

_LONGEST = 64


def session_name(*, pull_request: int | None, run_id: str, actor: str) -> str:
    """Tells pull request (or run) and person, so that CloudTrail names them; of the characters that AWS takes."""
    work = f"pr-{pull_request}" if pull_request is not None else f"run-{run_id}"
    return re.sub(r"[^\w+=,.@-]", "-", f"docustack-{work}-{actor}", flags=re.ASCII)[:_LONGEST]


def cannot_assume(
    role: str, *, doing: str, environment: str, identity: str | None, why: str, profile: str | None
) -> str:
    """The headline, and below it what to do: who may assume the role, and the guide's "Permission Denied".

    `identity` is whom AWS takes the worker for, None where it has no credentials that AWS accepts; `why` AWS's words.
    """
    head = f"{inline_code(role)} could not be assumed to {doing} `{environment}`: {why}"
    login = f"`aws sso login --profile {profile}`" if profile else "`aws sso login --profile <profile>`"
    by_hand = f"On its host: {login}, `aws sts get-caller-identity`, `echo $AWS_PROFILE`."
    if identity is None:
        return f"{head}\nThe worker of `{environment}` has no credentials of its own that AWS accepts. {by_hand}"
    name = role.rpartition("/")[2]
    return (
        f"{head}\nWho may assume it stands in its trust policy (`aws iam get-role --role-name {name}`): that has to "
        f"name the worker of `{environment}`, {inline_code(identity)}, which itself needs `sts:AssumeRole` on the "
        f"role. {by_hand}"
    )


def withheld(role: str) -> str:
    """In place of an apply's output, where nobody could find out any more what in it is secret."""
    return (
        f"The output is not shown: {role} could not be assumed again after the worker was restarted, so it isn't known "
        "what in it is secret."
    )
