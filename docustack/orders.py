"""What a person may order without a pull request (guide, "Manual Deployment"), as far as it can be told by itself."""

import re
from collections.abc import Sequence

from docustack.import_block import address_problem, id_problem
from docustack.runs import ManualOrder, Operation

ORDERED = (Operation.PLAN, Operation.APPLY, Operation.DESTROY, Operation.REFRESH, Operation.IMPORT)
"""The operations that need no pull request."""

MANY = 50
"""Paths or targets of one order."""

_REF = re.compile(r"(?!-)(?!.*\.\.)[^\s~^:?*\[\\\x00-\x1f]{1,250}")
_TARGET = re.compile(r"[A-Za-z_][^\s\x00-\x1f]{0,500}")


def order_problem(operation: Operation, paths: Sequence[str], order: ManualOrder) -> str:
    """What is wrong with an order, whatever the repository holds; empty where nothing is."""
    if operation not in ORDERED:
        return f"`{operation.value}` is nothing that can be ordered: {', '.join(each.value for each in ORDERED)} are."
    problems = [*map(path_problem, paths), *map(_target_problem, order.targets), _import_problem(operation, order)]
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


def _target_problem(target: str) -> str:
    if _TARGET.fullmatch(target):
        return ""
    return f"{target[:200]!r} is no address of a resource or module, as `aws_ecs_cluster.main`."


def _import_problem(operation: Operation, order: ManualOrder) -> str:
    if operation is Operation.IMPORT:
        return address_problem(order.address) or id_problem(order.resource_id)
    return "Only an import has an address and an id." if order.address or order.resource_id else ""
