"""Long lists travel packed: Temporal takes no payload of more than 2 MB. Short ones stay readable in its UI."""

import base64
import json
import zlib
from typing import Annotated, Any, TypeVar

from pydantic import BeforeValidator, SerializerFunctionWrapHandler, WrapSerializer

PACKED_ABOVE = 100_000
"""Characters of JSON. A run over a hundred units stays readable in Temporal's UI; one over a thousand would not fit."""

_KEY = "packed"

T = TypeVar("T")


def _pack(value: object, serialize: SerializerFunctionWrapHandler) -> Any:
    plain = serialize(value)
    text = json.dumps(plain, separators=(",", ":"))
    if len(text) <= PACKED_ABOVE:
        return plain
    return {_KEY: base64.b64encode(zlib.compress(text.encode())).decode()}


def _unpack(value: object) -> object:
    if isinstance(value, dict) and value.keys() == {_KEY} and isinstance(value[_KEY], str):
        try:
            return json.loads(zlib.decompress(base64.b64decode(value[_KEY])))
        except zlib.error as error:  # what is no ValueError already: pydantic reports those as wrong input
            raise ValueError(f"not packed by us: {error}") from None
    return value


Packed = Annotated[T, WrapSerializer(_pack, when_used="json"), BeforeValidator(_unpack)]
"""A field whose JSON is packed where it is long; it is read in either form, and no code sees a difference."""
