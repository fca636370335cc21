"""Signals from Temporal's own UI or CLI to a run: whatever somebody has typed there, as far as it can be understood."""

import json
from collections.abc import Sequence

from docustack.comment_text import inline_code, one_line
from docustack.model import Model
from docustack.signed_approvals import SIGNALS, Verdict


class Signal(Model):
    """A signal from Temporal's own UI or CLI, as far as it can be understood."""

    name: str
    login: str = ""
    reason: str = ""
    problem: str = ""  # what is wrong with it


def read_signal(name: str, payloads: Sequence[object]) -> Signal:
    """Whatever somebody has typed there: understood if it is one object that names who sends it."""
    if name not in SIGNALS:
        return Signal(name=one_line(name, 100), problem="there is no such signal: `approve` and `reject` are")
    why = ', "reason": "…"' if name == Verdict.REJECT.value else ""
    usage = f'its input is an object that says who you are: `{{"actor": "<your login>"{why}}}`'
    if len(payloads) != 1 or not isinstance(payloads[0], dict):
        given = f", not {_shown(payloads[0])}" if len(payloads) == 1 else f", not {len(payloads)} of them"
        return Signal(name=name, problem=usage + (given if payloads else ""))
    fields = payloads[0]
    login, reason = (one_line(str(fields.get(key) or ""), limit) for key, limit in (("actor", 100), ("reason", 500)))
    login = login.removeprefix("@")
    problem = "" if login else usage
    if not problem and name == Verdict.REJECT.value and not reason:
        problem = f"a rejection says why: {usage}"
    return Signal(name=name, login=login, reason=reason, problem=problem)


def _shown(value: object) -> str:
    return inline_code(json.dumps(value, ensure_ascii=False, default=str), 80)
