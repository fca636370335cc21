"""What a signal holds that no handler has decoded, as whoever reads of it can see it."""

from typing import Any

from temporalio import workflow
from temporalio.common import RawValue


def decoded(payload: RawValue) -> object:
    """As what it is; bytes that are no JSON are shown as such."""
    try:
        value: Any = workflow.payload_converter().from_payload(payload.payload)
    except Exception:
        return f"{len(payload.payload.data)} bytes that can't be read"
    return value if not isinstance(value, bytes) else f"{len(value)} bytes"
