"""The rules of the guide's two tables, and people who meet them."""

from docustack.access import Person
from docustack.configuration import Approvals, Configuration, Environment, Who

NOW = "2026-01-01T00:00:00Z"
HEAD, OLDER = "a" * 40, "b" * 40
PEOPLE = {
    "developer": Person(login="developer", can_push=True),
    "infra": Person(login="infra-member", teams=("infra",), can_push=True),
    "lead": Person(login="lead", teams=("leads",), can_push=True),
    "outsider": Person(login="outsider"),
}


def environment(path: str, plan: Who, apply: list[str], approvals: Approvals, branch: str) -> Environment:
    return Environment(path=path, account_id="1" * 12, plan=plan, apply=apply, approvals=approvals, branch=branch)


GUIDE = Configuration(
    version=1,
    teams={"infra": "infra", "leads": "leads", "security": "security"},
    environments={
        "dev": environment("dev", "anyone", ["infra"], Approvals(from_="anyone", minimum=0), "main"),
        "staging": environment("staging", "anyone", ["infra"], Approvals(from_=["infra"], minimum=1), "staging"),
        "prod": environment("prod", ["infra"], ["leads"], Approvals(from_=["leads"], minimum=1), "main"),
        "management": environment("management", ["infra"], ["leads"], Approvals(from_=["leads"], minimum=1), "main"),
    },
)
