"""The sandbox is loaded once for all runs, so nothing in the workflows' modules may change while they run."""

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

import workflows

MODULES = sorted(Path(workflows.__path__[0]).glob("*.py"))
CHANGING = {"add", "append", "clear", "discard", "extend", "insert", "pop", "popitem", "remove", "setdefault", "update"}


def changed_variables(source: str) -> Iterator[str]:
    """What a module's functions change of its own variables."""
    tree = ast.parse(source)
    targets = [
        target
        for node in tree.body
        if isinstance(node, ast.Assign | ast.AnnAssign)
        for target in (node.targets if isinstance(node, ast.Assign) else [node.target])
    ]
    names = {target.id for target in targets if isinstance(target, ast.Name)}
    for node in ast.walk(tree):
        if isinstance(node, ast.Global):
            yield from node.names
        elif isinstance(node, ast.Subscript | ast.Attribute) and isinstance(node.value, ast.Name):
            stored = isinstance(node.ctx, ast.Store | ast.Del)
            called = isinstance(node, ast.Attribute) and node.attr in CHANGING
            if node.value.id in names and (stored or called):
                yield node.value.id


@pytest.mark.parametrize("module", MODULES, ids=lambda module: module.name)
def test_no_workflow_changes_a_variable_that_all_runs_share(module: Path) -> None:
    assert [*changed_variables(module.read_text())] == []


@pytest.mark.parametrize(
    "source",
    [
        "COUNT = 0\ndef f():\n    global COUNT\n    COUNT += 1",
        "SEEN = []\ndef f(x):\n    SEEN.append(x)",
        "KNOWN: dict = {}\ndef f(x):\n    KNOWN[x] = 1",
        "class S: pass\nSTATE = S()\ndef f(x):\n    STATE.x = x",
    ],
)
def test_a_change_of_a_shared_variable_would_be_found(source: str) -> None:
    assert [*changed_variables(source)]
