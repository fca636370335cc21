"""What a pull request changes of the rules: two configurations compared, key by key, access and approvals first."""

import hashlib
import json
from collections.abc import Iterable, Iterator, Mapping

from docustack.comment_text import one_line
from docustack.configuration import Configuration
from docustack.configuration_file import ConfigurationFiles
from docustack.model import Model
from docustack.plans import Digest
from docustack.terrateam import TerrateamConfiguration


class RuleChange(Model):
    """One key that has another value; None where it isn't there, before or after."""

    where: str  # the environment, else the part of the file
    rule: str  # the dotted key below it
    before: str | None
    after: str | None


class NewRules(Model):
    """What a pull request does to the configuration files; capped, since whoever wrote them may have written a lot."""

    files: tuple[str, ...]
    problems: tuple[str, ...] = ()  # what is wrong with the new ones: then nothing is compared
    changes: tuple[RuleChange, ...] = ()
    more: int = 0  # changes beyond these
    whole: Digest = ""  # of all of it, also of what is cut off above


_LISTED = 60
_SHOWN = 300
"""Characters of a value that people are shown; compared are whole ones."""

_FIRST = (
    "plan",
    "apply",
    "approvals.from",
    "approvals.minimum",
    "auto_apply_on_merge",
    "allow_destroy",
    "apply_working_copies",
    "mode",
    "trust_temporal_operators",
    "branch",
)
"""Who may do what, and what it takes: these rows of an environment come first, and of a new one alone."""


def new_rules(files: tuple[str, ...], before: ConfigurationFiles, after: ConfigurationFiles) -> NewRules:
    """What is not as it was; no change where only comments or the order of keys differ."""
    if after.configuration is None or before.configuration is None:
        problems = [problem.describe() for problem in after.problems or before.problems]
        shown = tuple(one_line(problem, 500) for problem in problems[:_LISTED])
        return NewRules(files=files, problems=shown, whole=_digest(problems))
    changes = [
        *_environments(before.configuration, after.configuration),
        *_rest("teams", before.configuration.teams, after.configuration.teams),
        *_rest("", _without_environments(before.configuration), _without_environments(after.configuration)),
        *_rest(".terrateam", _filter(before.terrateam), _filter(after.terrateam)),
    ]
    return NewRules(
        files=files,
        changes=tuple(_shortened(change) for change in changes[:_LISTED]),
        more=max(0, len(changes) - _LISTED),
        whole=_digest(change.model_dump_json() for change in changes),
    )


def digest_of_rules(new: NewRules, base_ref: str) -> Digest:
    """What an approval is of: the change, and the branch whose rules it changes."""
    return _digest([base_ref, new.model_dump_json()])


def _digest(texts: Iterable[str]) -> Digest:
    return "sha256:" + hashlib.sha256(json.dumps(list(texts)).encode()).hexdigest()


def _shortened(change: RuleChange) -> RuleChange:
    before, after = (one_line(text, _SHOWN) if text is not None else None for text in (change.before, change.after))
    return change.model_copy(update={"before": before, "after": after})


def _environments(before: Configuration, after: Configuration) -> Iterator[RuleChange]:
    old, new = _rules_of_environments(before), _rules_of_environments(after)
    for name in dict.fromkeys([*new, *old]):
        if name not in new:
            yield RuleChange(where=name, rule="", before="an environment", after=None)
            continue
        there, is_new = old.get(name, {}), name not in old
        keys = sorted(dict.fromkeys([*new[name], *there]), key=_rank)
        for key in keys if not is_new else [key for key in keys if key in _FIRST]:
            if there.get(key) != new[name].get(key):
                yield RuleChange(where=name, rule=key, before=there.get(key), after=new[name].get(key))
    kept = [name for name in old if name in new]
    order = [name for name in new if name in old]
    if kept != order:
        yield RuleChange(where="", rule="order of environments", before=", ".join(kept), after=", ".join(order))


def _rules_of_environments(configuration: Configuration) -> dict[str, dict[str, str]]:
    """Each environment's keys as they take effect: one without a mode has that of the whole file."""
    found = {}
    for name, environment in configuration.environments.items():
        effective = environment.model_copy(update={"mode": environment.mode or configuration.mode})
        found[name] = dict(_leaves(effective.model_dump(by_alias=True)))
    return found


def _without_environments(configuration: Configuration) -> dict[str, object]:
    return configuration.model_dump(by_alias=True, exclude={"environments", "teams"})


def _filter(terrateam: TerrateamConfiguration) -> dict[str, object]:
    return terrateam.model_dump(exclude={"unsupported"})


def _rest(where: str, before: Mapping[str, object], after: Mapping[str, object]) -> Iterator[RuleChange]:
    old, new = dict(_leaves(before)), dict(_leaves(after))
    for key in dict.fromkeys([*new, *old]):
        if old.get(key) != new.get(key):
            yield RuleChange(where=where, rule=key, before=old.get(key), after=new.get(key))


def _leaves(value: object, path: str = "") -> Iterator[tuple[str, str]]:
    """Dotted keys with their values as the file would have them; what is not set is left out."""
    if isinstance(value, Mapping):
        for key, inner in value.items():
            yield from _leaves(inner, f"{path}.{key}" if path else str(key))
    elif value is not None:
        yield path, _written(value)


def _written(value: object) -> str:
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, list | tuple):
        return ", ".join(_written(item) for item in value) or "nobody"
    return str(value)


def _rank(key: str) -> int:
    return _FIRST.index(key) if key in _FIRST else len(_FIRST)
