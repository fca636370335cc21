"""Reads YAML and remembers where each key stands, so that whatever is wrong can be pointed at."""

from collections.abc import Collection, Iterator
from typing import NamedTuple

from ruamel.yaml import YAML
from ruamel.yaml.error import MarkedYAMLError, StreamMark, YAMLError
from ruamel.yaml.nodes import MappingNode, Node, ScalarNode, SequenceNode

from docustack.errors import Problem

Value = dict[str, "Value"] | list["Value"] | str | int | float | bool | None
Path = tuple[str | int, ...]

_MOST_NODES = 50_000  # aliases of aliases grow without bounds
_TAG = "tag:yaml.org,2002:"


class Position(NamedTuple):
    """Line and column, both counted from 1."""

    line: int
    column: int


class YamlSource:
    """A parsed file: its value, the position of each key and item, and what YAML itself finds wrong with it."""

    def __init__(self, text: str, file: str) -> None:
        self.file = file
        self.value: Value = None
        self.problems: list[Problem] = []
        self.lines = text.splitlines()
        self._keys: dict[Path, Position] = {}
        self._texts: dict[Path, str] = {}
        self._count = 0
        try:
            documents = list(YAML(typ="safe", pure=True).compose_all(text))
        except MarkedYAMLError as error:
            self._add_syntax_error(error)
            return
        except (YAMLError, ValueError) as error:  # a character that YAML doesn't allow has no mark
            self.problems.append(Problem(file=file, what=f"isn't valid YAML: {str(error).splitlines()[0]}"))
            return
        if len(documents) > 1:
            self._add(documents[1].start_mark, (), "holds more than one YAML document", "remove the second `---`")
        if documents and documents[0] is not None:
            self.value = self._construct(documents[0], ())

    def position(self, path: Path) -> Position | None:
        """Where the key of a path stands; for one that isn't in the file, the nearest that holds it."""
        while path:
            if path in self._keys:
                return self._keys[path]
            path = path[:-1]
        return self._keys.get(())

    def holds(self, path: Path) -> bool:
        """Whether the file has this key or item."""
        return path in self._keys

    def lines_of(self, keys: Collection[str]) -> dict[str, int]:
        """The line of each key with one of these names, wherever it stands, by its dotted path."""
        return {dotted(path): place.line for path, place in self._keys.items() if path and path[-1] in keys}

    def at(self, path: Path) -> Value:
        """The value at a path; None also where the file has none."""
        here = self.value
        for part in path:
            here = child(here, part)
        return here

    def text(self, path: Path) -> str | None:
        """A scalar as it is written: `012345678901` is a number to YAML, and its zero is lost in the value."""
        return self._texts.get(path)

    def problem(self, path: Path, what: str, suggestion: str = "", *, where: str | None = None) -> Problem:
        """A problem at a path; `where` is its dotted name unless given."""
        position = self.position(path) or Position(0, 0)
        return Problem(
            file=self.file,
            line=position.line,
            column=position.column,
            where=dotted(path) if where is None else where,
            what=what,
            suggestion=suggestion,
        )

    def _construct(self, node: Node, path: Path) -> Value:
        self._count += 1
        if self._count > _MOST_NODES:
            if self._count == _MOST_NODES + 1:
                self._add(node.start_mark, path, "is far too large once its aliases are resolved", "write it out")
            return None
        self._keys.setdefault(path, _position(node.start_mark))
        match node:
            case MappingNode():
                return {key: self._construct(value, (*path, key)) for key, value in self._entries(node, path)}
            case SequenceNode():
                return [self._item(item, (*path, index)) for index, item in enumerate(node.value)]
            case ScalarNode():
                self._texts[path] = node.value
                return _scalar(node)
            case _:
                return None

    def _item(self, node: Node, path: Path) -> Value:
        self._keys[path] = _position(node.start_mark)
        return self._construct(node, path)

    def _entries(self, node: MappingNode, path: Path) -> Iterator[tuple[str, Node]]:
        """Key and value of a mapping, merged ones (`<<`) last, since what is written out wins."""
        seen: set[str] = set()
        merged: list[Node] = []
        for key_node, value_node in node.value:
            if key_node.tag == f"{_TAG}merge":
                merged.extend(value_node.value if isinstance(value_node, SequenceNode) else [value_node])
                continue
            key = str(key_node.value) if isinstance(key_node, ScalarNode) else ""
            here = (*path, key)
            if not key or not isinstance(key_node, ScalarNode):
                self._add(key_node.start_mark, path, "has a key that isn't a word", "")
                continue
            if key in seen:
                first = self._keys[here].line
                self._add(
                    key_node.start_mark, here, f"the key `{key}` is here twice (first in line {first})", "keep one"
                )
                continue
            seen.add(key)
            self._keys[here] = _position(key_node.start_mark)
            yield key, value_node
        for other in merged:
            if isinstance(other, MappingNode):
                for key, value_node in self._entries(other, path):
                    if key not in seen:
                        seen.add(key)
                        yield key, value_node

    def _add(self, mark: StreamMark, path: Path, what: str, suggestion: str) -> None:
        line, column = _position(mark)
        self.problems.append(
            Problem(file=self.file, line=line, column=column, where=dotted(path), what=what, suggestion=suggestion)
        )

    def _add_syntax_error(self, error: MarkedYAMLError) -> None:
        mark = error.problem_mark or error.context_mark
        line, column = _position(mark) if mark is not None else Position(0, 0)
        said = (error.problem or str(error)).strip()
        suggestion = "indent with blanks, not tabs" if "\\t" in said else "check indentation, colons and quotes nearby"
        self.problems.append(
            Problem(file=self.file, line=line, column=column, what=f"isn't valid YAML: {said}", suggestion=suggestion)
        )


def child(value: Value, part: str | int) -> Value:
    """One step down; None where there is no such key or item."""
    if isinstance(value, dict) and isinstance(part, str):
        return value.get(part)
    if isinstance(value, list) and isinstance(part, int) and part < len(value):
        return value[part]
    return None


def dotted(path: Path) -> str:
    """`environments.dev.apply[0]`."""
    text = ""
    for part in path:
        text += f"[{part}]" if isinstance(part, int) else (f".{part}" if text else part)
    return text


def _position(mark: StreamMark) -> Position:
    return Position(mark.line + 1, mark.column + 1)


def _scalar(node: ScalarNode) -> Value:
    text = str(node.value)
    kind = str(node.tag).removeprefix(_TAG)
    try:
        match kind:
            case "int":
                return int(text.replace("_", ""), 0 if text[:2].lower() in ("0x", "0o", "0b") else 10)
            case "float":
                return float(text.replace("_", ""))
            case "bool":
                return text.lower() in ("true", "yes", "on")
            case "null":
                return None
            case _:
                return text
    except ValueError:  # `.inf` and the like: nothing that a configuration means
        return text
