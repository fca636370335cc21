"""A workflow that tries what no workflow may do."""

import random
import time
import uuid
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path

from temporalio import workflow

from docustack.model import Model


class Deed(Model):
    """What the workflow is to try."""

    name: str


DEEDS: dict[str, Callable[[], object]] = {
    "nothing": lambda: None,
    "look at the clock": lambda: datetime.now(UTC),
    "sleep": lambda: time.sleep(0),
    "draw a number": lambda: random.random(),  # noqa: PLW0108
    "make an id": lambda: uuid.uuid4(),  # noqa: PLW0108
    "open a file": lambda: open("/dev/null"),  # noqa: SIM115, PTH123
    "read a file": lambda: Path("/dev/null").read_text(),
}


@workflow.defn(failure_exception_types=[Exception])
class Tries:
    """Does one of them."""

    @workflow.run
    async def run(self, deed: Deed) -> None:
        DEEDS[deed.name]()
