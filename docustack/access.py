"""Who may plan, apply and reject where (guide, "Access Control")."""

from docustack.configuration import Configuration, Environment, Who
from docustack.model import Model
from docustack.runs import Operation


class Person(Model):
    """Active memberships only, by the team names of docustack.yaml; nested teams count as GitHub counts them."""

    login: str
    teams: tuple[str, ...] = ()
    can_push: bool = False


class Decision(Model):
    """`message` is what the person reads in the pull request; `rule` names the key of docustack.yaml that decided."""

    allowed: bool
    rule: str
    who_can: tuple[str, ...] = ()
    message: str


def decide_access(configuration: Configuration, environment: str, operation: Operation, person: Person) -> Decision:
    """May this person do this there? The guide's table "Access Control".

    Push access to the repository is the prerequisite of everything (guide, "GitHub Access"): it is what `anyone` means,
    and a member of a team that the rule names needs it too.
    """
    rule = f"environments.{environment}.{operation.value}"
    known = configuration.environments.get(environment)
    if known is None:
        return no_environment(configuration, environment, rule)
    who: Who = known.plan if operation is Operation.PLAN else known.apply
    who_can = _who_can(who)
    if not person.can_push:
        why = f"@{person.login} has no push access to the repository"
    elif _is_among(person, who):
        return Decision(
            allowed=True,
            rule=rule,
            who_can=who_can,
            message=f"@{person.login} may {operation.value} `{environment}` (rule `{rule}`).",
        )
    else:
        why = f"@{person.login} is not a member"
    return Decision(
        allowed=False,
        rule=rule,
        who_can=who_can,
        message=(
            f"@{person.login} may not {operation.value} `{environment}`: "
            f"that takes {who_it_takes(who)}, and {why} (rule `{rule}` in `docustack.yaml`)."
        ),
    )


def decide_branch(configuration: Configuration, environment: str, base_ref: str) -> Decision:
    """May a pull request to this branch be applied there? Each environment names the branch that is its truth."""
    rule = f"environments.{environment}.branch"
    known = configuration.environments.get(environment)
    if known is None:
        return no_environment(configuration, environment, rule)
    if known.branch == base_ref:
        return Decision(allowed=True, rule=rule, message=f"`{environment}` is applied from `{base_ref}`.")
    return Decision(
        allowed=False,
        rule=rule,
        message=(
            f"`{environment}` is applied only from pull requests to `{known.branch}`, and this one is to `{base_ref}` "
            f"(rule `{rule}` in `docustack.yaml`). Its plan is for information; to apply it, open a pull request to "
            f"`{known.branch}`."
        ),
    )


def may_reject(environment: Environment, person: Person) -> bool:
    """Whose no ends an apply there: who could approve it, were they not its author, or could apply it themselves."""
    return person.can_push and any(_is_among(person, who) for who in (environment.approvals.from_, environment.apply))


def no_environment(configuration: Configuration, environment: str, rule: str) -> Decision:
    known = ", ".join(f"`{name}`" for name in configuration.environments)
    return Decision(
        allowed=False,
        rule=rule,
        message=f"`{environment}` is not an environment of `docustack.yaml`, so nobody may do anything there; "
        f"there are {known}.",
    )


def _is_among(person: Person, who: Who) -> bool:
    return who == "anyone" or bool(set(who) & set(person.teams))


def _who_can(who: Who) -> tuple[str, ...]:
    return ("anyone with push access",) if who == "anyone" else tuple(who)


def who_it_takes(who: Who) -> str:
    return "anybody with push access" if who == "anyone" else f"a member of {named_teams(who)}"


def named_teams(who: Who) -> str:
    names = [f"`{name}`" for name in who]
    if not names:
        return "a team, but the rule names none"
    joined = names[0] if len(names) == 1 else ", ".join(names[:-1]) + f" or {names[-1]}"
    return f"the {joined} team"
