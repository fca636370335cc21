"""What a person may order without a pull request (guide, "Manual Deployment"), as far as it can be told by itself."""

import re
from collections.abc import Iterable, Sequence
from datetime import datetime

from docustack.import_block import address_problem, id_problem
from docustack.model import Model
from docustack.repository import Repository
from docustack.runs import ManualOrder, Operation, RunInput
from docustack.signatures import is_in_time, is_signed_by, signature

ORDERED = (
    Operation.PLAN,
    Operation.APPLY,
    Operation.DESTROY,
    Operation.REFRESH,
    Operation.IMPORT,
    Operation.OUTPUT,
)
"""The operations that need no pull request."""

_PURPOSE = b"docustack order 1\n"

MANY = 50
"""Paths or targets of one order."""

_COMMIT = re.compile(r"[0-9a-f]{40}(?:[0-9a-f]{24})?")
_WORKING_COPY = re.compile(r"working-copies/[0-9a-f]{64}\.patch")
_REF = re.compile(r"(?!-)(?!.*\.\.)[^\s~^:?*\[\\\x00-\x1f]{1,250}")
_TARGET = re.compile(r"[A-Za-z_][^\s\x00-\x1f]{0,500}")


class SignedRun(Model):
    """What a person has ordered, as our server has understood and signed it: the run trusts nobody who reaches
    Temporal."""

    run_id: str
    repository: Repository
    operation: Operation
    login: str
    paths: tuple[str, ...]
    order: ManualOrder


def signed_run(start: RunInput) -> SignedRun:
    """Of a run without a pull request: what of it there is a signature of."""
    assert start.manual is not None
    return SignedRun(
        run_id=start.run_id,
        repository=start.repository,
        operation=start.operation,
        login=start.actor,
        paths=start.directories,
        order=start.manual,
    )


def unsigned(order: ManualOrder) -> ManualOrder:
    """What is ordered, whenever it was, and whoever says so."""
    return order.model_copy(update={"given_at": None, "signature": ""})


def sign_run(start: RunInput, given_at: datetime, key: str) -> RunInput:
    """The same run, signed."""
    assert start.manual is not None
    dated = start.model_copy(update={"manual": start.manual.model_copy(update={"given_at": given_at, "signature": ""})})
    assert dated.manual is not None
    made = signature(_PURPOSE, signed_run(dated), key)
    return dated.model_copy(update={"manual": dated.manual.model_copy(update={"signature": made})})


def is_genuine_run(signed: SignedRun, keys: Iterable[str]) -> bool:
    bare = signed.model_copy(update={"order": signed.order.model_copy(update={"signature": ""})})
    return is_signed_by(signed.order.signature, _PURPOSE, bare, keys)


def is_commit(ref: str) -> bool:
    return _COMMIT.fullmatch(ref) is not None


def begins_in_time(order: ManualOrder, begins_at: datetime) -> bool:
    return order.given_at is not None and is_in_time(order.given_at, begins_at)


def not_believed(*, has_key: bool) -> str:
    if not has_key:
        return "The worker has no DOCUSTACK_APPROVAL_KEYS, so it can't tell whose order this is. Nothing was begun."
    return (
        "Nobody knows whose order this is: it was not signed by this installation's server, or too long ago. "
        "Give it by `docustack`, never by starting the workflow in Temporal. Nothing was begun."
    )


def order_problem(operation: Operation, paths: Sequence[str], order: ManualOrder) -> str:
    """What is wrong with an order, whatever the repository holds; empty where nothing is."""
    if operation not in ORDERED:
        return f"`{operation.value}` is nothing that can be ordered: {', '.join(each.value for each in ORDERED)} are."
    problems = [*map(path_problem, paths), *map(_target_problem, order.targets)]
    problems += [_import_problem(operation, order), _working_copy_problem(operation, order)]
    if not paths:
        problems.append("Which units? An order names at least one path.")
    if len(paths) > MANY or len(order.targets) > MANY:
        problems.append(f"An order has at most {MANY} paths and {MANY} targets.")
    if order.ref and not _REF.fullmatch(order.ref):
        problems.append(f"{order.ref[:100]!r} is no branch, tag or commit.")
    if (order.targets or operation is Operation.IMPORT) and len(paths) > 1:
        problems.append(f"{'Targets are' if order.targets else 'An import is'} of one unit: name one path.")
    return next((problem for problem in problems if problem), "")


def path_problem(path: str) -> str:
    """Whether it stays within the repository; a path is said from its root on, without a slash before."""
    parts = path.split("/")
    if path.startswith("/") or ".." in parts:
        return f"{path[:200]!r} lies outside of the repository: paths are said from its root on, without `..`."
    if not path.strip("/.") or not path.isprintable() or len(path) > 300:
        return f"{path[:200]!r} is no path of a unit or of a folder with units, as `dev/us-east-1/vpc`."
    return ""


def working_copy_refused(environment: str) -> str:
    """The next apply of what the branch has undoes it, and nobody would see why."""
    return (
        f"A working copy is applied to `{environment}` only where its rules say so (`environments.{environment}."
        "apply_working_copies` in `docustack.yaml`). Commit and push it, and say --ref with your branch."
    )


def _working_copy_problem(operation: Operation, order: ManualOrder) -> str:
    if not order.working_copy:
        return ""
    if operation not in (Operation.PLAN, Operation.APPLY):
        return "A working copy can be planned and applied, and nothing else."
    if not _WORKING_COPY.fullmatch(order.working_copy) or not is_commit(order.ref):
        return "A working copy is the key of a kept one, on a commit."
    return ""


def _target_problem(target: str) -> str:
    if _TARGET.fullmatch(target):
        return ""
    return f"{target[:200]!r} is no address of a resource or module, as `aws_ecs_cluster.main`."


def _import_problem(operation: Operation, order: ManualOrder) -> str:
    if operation is Operation.IMPORT:
        return address_problem(order.address) or id_problem(order.resource_id)
    return "Only an import has an address and an id." if order.address or order.resource_id else ""
