"""The base of every model that crosses a boundary: immutable, and lenient to fields that it doesn't know yet."""

from pydantic import BaseModel, ConfigDict


class Model(BaseModel):
    """A value that travels between workflows and activities.

    Unknown fields are ignored, so that an older worker can read what a newer one wrote: fields may be added, nothing
    else may change.
    """

    model_config = ConfigDict(frozen=True, extra="ignore", defer_build=True)


class State(BaseModel):
    """A value that one owner changes in place: the state of an entity or of a run."""

    model_config = ConfigDict(frozen=False, extra="ignore", defer_build=True)


class Nothing(Model):
    """The question or answer of what has nothing to ask or to say."""
