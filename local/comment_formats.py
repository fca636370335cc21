"""Reads comments that are written in the deployment guide's two formats, to the letter."""

import re

from pydantic import BaseModel

_PLAN = re.compile(
    r"\A## Terrateam Plan\n\n\*\*Directory:\*\* `(?P<unit>[^`\n]+)`\n\n(?P<notes>.*?)### Plan Output\n\n(?P<output>.*)",
    re.DOTALL,
)
_APPLY = re.compile(
    r"\A## Terrateam Apply\n\n\*\*Directory:\*\* `(?P<unit>[^`\n]+)`\n\n\*\*Status:\*\* (?P<status>[^\n]+)\n\n"
    r"(?P<notes>.*?)### Apply Output\n\n(?P<output>.*)",
    re.DOTALL,
)
_COUNTS = re.compile(r"^Plan: (\d+) to add, (\d+) to change, (\d+) to destroy\.$", re.MULTILINE)
_DONE = re.compile(r"^Apply complete! Resources: (\d+) added, (\d+) changed, (\d+) destroyed\.$", re.MULTILINE)
_OUTPUT = re.compile(r"^(\w+) = (\"[^\"\n]*\"|\[\n(?:  .*\n)*\])", re.MULTILINE)
_PREVIEW = re.compile(r"^> \*\*Preview:\*\* .*planned again after (?P<units>.*)\.$", re.MULTILINE)
_NAME = re.compile(r"`([^`\n]+)`")


class PlanComment(BaseModel):
    """A plan's comment; `counts` are to add, to change, to destroy."""

    unit: str
    counts: tuple[int, int, int]
    output: str
    planned_again_after: tuple[str, ...] = ()  # the units from whose mock outputs the plan was made

    @property
    def is_preview(self) -> bool:
        return bool(self.planned_again_after)


class ApplyComment(BaseModel):
    """An apply's comment; `counts` are added, changed, destroyed."""

    unit: str
    status: str
    counts: tuple[int, int, int]
    output: str
    notes: str = ""
    outputs: dict[str, str | list[str]] = {}

    @property
    def succeeded(self) -> bool:
        return self.status == "✅ Success"

    def text(self, name: str) -> str:
        """An output that is one text; empty where it isn't there."""
        value = self.outputs.get(name, "")
        return value if isinstance(value, str) else ""

    def texts(self, name: str) -> list[str]:
        """An output that is a list; empty where it isn't there."""
        value = self.outputs.get(name, [])
        return value if isinstance(value, list) else []


def read_plan(body: str) -> PlanComment | None:
    """A comment that is a plan with changes in the guide's format; None for any other."""
    found = _PLAN.match(body)
    counts = _COUNTS.search(found["output"]) if found else None
    if found is None or counts is None:
        return None
    preview = _PREVIEW.search(found["notes"])
    return PlanComment(
        unit=found["unit"],
        counts=_numbers(counts),
        output=found["output"],
        planned_again_after=tuple(_NAME.findall(preview["units"])) if preview else (),
    )


def read_apply(body: str) -> ApplyComment | None:
    """A comment that is an apply that came to its end in the guide's format; None for any other."""
    found = _APPLY.match(body)
    counts = _DONE.search(found["output"]) if found else None
    if found is None or counts is None:
        return None
    return ApplyComment(
        unit=found["unit"],
        status=found["status"],
        counts=_numbers(counts),
        output=found["output"],
        notes=found["notes"],
        outputs=_outputs(found["output"]),
    )


def _outputs(text: str) -> dict[str, str | list[str]]:
    _, _, shown = text.partition("\nOutputs:\n")
    values = dict(_OUTPUT.findall(shown))
    return {
        name: re.findall(r'"([^"\n]*)"', value) if value.startswith("[") else value.strip('"')
        for name, value in values.items()
    }


def _numbers(counts: re.Match[str]) -> tuple[int, int, int]:
    return int(counts[1]), int(counts[2]), int(counts[3])
