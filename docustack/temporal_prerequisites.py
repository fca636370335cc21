"""What DocuStack needs of Temporal: a server, its namespace with our search attributes, and workers on every queue."""

from collections.abc import Mapping, Sequence
from datetime import timedelta

from docustack.prerequisites import Area, Expected, Prerequisite

POLLS_WITHIN_SECONDS = 90
"""A worker with room asks for work at least each minute."""

KEPT_AT_LEAST = timedelta(days=30)
"""Histories are the audit trail; most namespaces are made to keep them for less."""

_KEPT_BY_OURS = "90d"


class TemporalExpectations:
    """The checks of one Temporal."""

    def __init__(self, address: str, namespace: str) -> None:
        self._address = address
        self._namespace = namespace
        self.server = _expected("Temporal server", "it answers")
        self.namespace = _expected(
            "Temporal namespace", f"it is there, and keeps histories {KEPT_AT_LEAST.days} days or longer"
        )
        self.attributes = _expected("search attributes", "those that DocuStack uses")

    def no_namespace(self) -> Prerequisite:
        found = f"there is no namespace {self._namespace}"
        return self.namespace.failed(found, self._with_retention("create"))

    def judge_namespace(self, kept: timedelta) -> Prerequisite:
        """`kept` is how long it keeps a history after its workflow's end; all works with a short time, too."""
        found = f"{self._namespace}, keeps histories {kept.days} day{'' if kept.days == 1 else 's'}"
        if kept < KEPT_AT_LEAST:
            return self.namespace.optional(f"{found}: then the audit trail is gone", self._with_retention("update"))
        return self.namespace.met(found)

    def _with_retention(self, verb: str) -> str:
        where = f"--namespace {self._namespace} --retention {_KEPT_BY_OURS} --address {self._address}"
        return f"temporal operator namespace {verb} {where}"

    def judge_attributes(self, missing: Mapping[str, str], count: int) -> Prerequisite:
        """`missing` are their names, each with its type as Temporal's command line calls it."""
        if not missing:
            return self.attributes.met(f"all {count}")
        each = " ".join(f"--name {name} --type {kind}" for name, kind in missing.items())
        create = f"temporal operator search-attribute create --namespace {self._namespace} --address {self._address}"
        return self.attributes.failed(f"without {', '.join(missing)}", f"{create} {each}")

    def judge_worker(self, environment: str | None, identities: Sequence[str], idle_seconds: float) -> Prerequisite:
        """`identities` are those of its workers, `idle_seconds` when one of them asked for work last."""
        expected, start = worker_of(environment), start_worker(environment)
        if not identities:
            return expected.failed("there is none", start)
        if idle_seconds > POLLS_WITHIN_SECONDS:
            found = f"{identities[0]} asked for work {idle_seconds:.0f} s ago: it is gone, or all its places are taken"
            return expected.failed(found, start)
        more = f" and {len(identities) - 1} more" if len(identities) > 1 else ""
        return expected.met(f"{identities[0]}{more}")


def worker_of(environment: str | None) -> Expected:
    """Of an environment, or of the control queue."""
    queue = f"docustack-{environment}" if environment else "docustack"
    return _expected("worker", f"one that polls {queue}", environment)


def no_worker(environment: str) -> Prerequisite:
    """Told by who has asked one, and got no answer."""
    return worker_of(environment).failed("none answers", start_worker(environment))


def start_worker(environment: str | None) -> str:
    if environment is None:
        return "DOCUSTACK_CONTROL_QUEUE=true docustack worker"
    return f"DOCUSTACK_CONTROL_QUEUE=false DOCUSTACK_ENVIRONMENTS={environment} docustack worker"


def _expected(name: str, needed: str, environment: str | None = None) -> Expected:
    return Expected(area=Area.TEMPORAL, name=name, needed=needed, environment=environment)
