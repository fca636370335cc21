"""The documents that say which test shows what name only tests that there are."""

import re
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
NAMED = re.compile(r"`([\w/]+\.py)(?:::(\w+))?`")


@pytest.mark.parametrize("document", ["approvals.md", "rivals.md"])
def test_every_test_that_a_document_names_is_there(document: str) -> None:
    named = NAMED.findall((ROOT / "docs" / document).read_text())
    assert len(named) > 20
    for path, name in named:
        text = (ROOT / "tests" / path).read_text()
        assert f"def {name}(" in text or not name, f"{path}::{name}"
