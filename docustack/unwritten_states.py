"""A state that Terraform could not write to its backend: kept by us, and written before the unit is applied again."""

from collections.abc import Iterable
from datetime import datetime
from enum import StrEnum

from docustack.model import Model
from docustack.state_document import StateFacts

ERRORED = "errored.tfstate"
"""The file in its working folder in which Terraform leaves such a state."""


class UnwrittenState(Model):
    """What is told of one; the state itself, with its secrets, lies sealed under `artifact`."""

    unit: str
    run_id: str
    host: str  # where it was left
    found_at: datetime
    artifact: str
    facts: StateFacts | None  # None: the file is no whole state document
    location: str = ""  # of the state that it belongs to; empty where Terragrunt doesn't tell
    only_on_host: bool = False  # the artifact store could not be reached
    closed: str = ""  # why nothing is to be done with it any more: written, dismissed

    @property
    def place(self) -> str:
        """Where it is, for people."""
        return (
            f"`{self.artifact}` in the data folder of the worker on {self.host}"
            if self.only_on_host
            else (f"the artifact `{self.artifact}`")
        )


class Standing(StrEnum):
    """Where a kept state stands to what the backend has now."""

    WRITTEN = "written"  # the backend has it: a person has pushed it, or we have and were killed before we told
    MISSING = "missing"  # the backend has what it has grown from, or nothing: it can be pushed
    OVERTAKEN = "overtaken"  # somebody has written another one since; only a person knows which is true


def standing(kept: StateFacts | None, present: StateFacts, *, same_place: bool) -> Standing:
    """Terraform gives a state that comes into an empty place another lineage, so what it holds is compared first."""
    if kept is None or not same_place:
        return Standing.OVERTAKEN
    if kept.holds_the_same(present):
        return Standing.WRITTEN
    is_older = present.lineage == kept.lineage and present.serial < kept.serial
    return Standing.MISSING if is_older or not present.lineage else Standing.OVERTAKEN


def was_left(states: Iterable[UnwrittenState], why: str, *, ended: str = "") -> str:
    """How such an apply ended, and behind the first line what to do."""
    states = list(states)
    unit = states[0].unit
    places = " and ".join(state.place for state in states)
    facts = states[-1].facts
    holds = f" (serial {facts.serial}, {_resources(len(facts.addresses))})" if facts else " (it may not be whole)"
    return (
        f"Terraform could not write the state of {unit} to its backend{f': {why}' if why else ''}. {ended}"
        f"What it has done is real; the state that tells of it{holds} is kept, sealed, as {places}.\n"
        f"Make the backend reachable again, then comment `terrateam apply {unit}`: the kept state is written first, "
        "the unit is planned again, and only what is left is applied. Don't apply it in any other way before that: it "
        f"would be made a second time. By hand: {by_hand(states[-1])}."
    )


def _resources(count: int) -> str:
    return "1 resource" if count == 1 else f"{count} resources"


def by_hand(state: UnwrittenState) -> str:
    """The commands with which a person writes it, or says that it isn't needed."""
    return (
        f"on a worker of its environment `docustack states save {state.artifact} FILE`, in `{state.unit}` "
        f"`terragrunt state push FILE`; if it is not to be written, `docustack states dismiss {state.artifact}`"
    )


def cannot_be_written(state: UnwrittenState, why: str) -> str:
    """Why a unit is not applied now."""
    return (
        f"Not applied: run {state.run_id} could not write the state of {state.unit}, which is kept as {state.place}, "
        f"and it can't be written now: {why}\n"
        f"When that is mended, comment `terrateam apply {state.unit}` again. By hand: {by_hand(state)}."
    )


OVERTAKEN = (
    "the backend has another state now, which didn't grow from the same one (or the unit's state lies elsewhere now). "
    "Applying it could make the same resources twice."
)

WRITTEN_NOW = (
    "The state of {unit} that an earlier apply could not write has been written now (`terragrunt state push`); "
    "plans made before it are stale."
)

PLAN_NOTE = (
    "> **Warning:** an earlier apply of this unit could not write its state, so this plan doesn't know what that apply "
    "has made. The next apply writes the kept state first, and plans again before it changes anything."
)
