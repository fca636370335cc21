"""Which values of a module and of the modules that it calls are sensitive, by their sources and what they are given.

Needed where a plan fails: only a finished one tells by itself what Terraform marks. An expression that can't be
worked out counts as everything that it is made of: rather too much is masked than too little.
"""

import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from posixpath import basename

from docustack.hcl_blocks import read_body, read_json_body, skip_expression, skip_quoted
from docustack.hcl_literals import Expression, template
from docustack.plan_document import Json
from docustack.sensitive import Secret, leaves

_REFERENCE = re.compile(r"""\b(?P<root>var|local|each)\.(?P<name>[\w-]+)(?P<path>(?:\.[\w-]+|\["[^"\n]*"\])*)""")
_STEP = re.compile(r"""\.([\w-]+)|\["([^"\n]*)"\]""")
_HEREDOC = re.compile(
    r"<<(?P<dash>-?)[ ]*(?P<heredoc>\w+)[^\n]*\n(?P<text>.*?)^[ \t]*(?P=heredoc)[ \t]*$", re.DOTALL | re.MULTILINE
)
_NUMBER = re.compile(r"-?\d+(?:\.\d+)?(?:[eE][+-]?\d+)?")
_TOKEN = re.compile(
    r'(?P<space>\s+|\#[^\n]*|//[^\n]*|/\*.*?\*/)|(?P<quote>")|(?P<heredoc><<)|(?P<number>-?\d[\w.+-]*)'
    r"|(?P<key>[A-Za-z_][\w-]*\s*[=:])(?!=)|(?P<word>true|false|null)\b|(?P<bracket>[\[\]{},])",
    re.DOTALL,
)
_KEY_FOLLOWS = re.compile(r"\s*(?:=(?!=)|:)")
_MARKING = re.compile(r"\bsensitive\(")
_DEEPEST = 20
_MOST = 2_000

ROOT = ""
"""The key of the root module; a called one's is that of its caller, a dot, and the name of the call."""


@dataclass(frozen=True)
class ModuleSource:
    """What matters here of a module's files."""

    sensitive: frozenset[str] = frozenset()
    defaults: Mapping[str, str] = field(default_factory=dict)
    local_values: Mapping[str, str] = field(default_factory=dict)
    calls: Mapping[str, Mapping[str, str]] = field(default_factory=dict)
    marked: tuple[str, ...] = ()
    """Expressions that are sensitive whatever they are made of: of `sensitive(…)`, of sensitive outputs."""


def read_module(files: Mapping[str, str]) -> ModuleSource:
    """A module from the texts of its files by their names; overrides come last, as in Terraform."""
    ordered = sorted(files, key=lambda name: (bool(re.search(r"(?:^|_)override\.", basename(name))), name))
    bodies = [read_json_body(files[name]) if name.endswith(".json") else read_body(files[name]) for name in ordered]
    variables: dict[str, dict[str, str]] = {}
    local_values: dict[str, str] = {}
    calls: dict[str, dict[str, str]] = {}
    marked = [argument for text in files.values() for argument in _marked(text)]
    for body in bodies:
        for block in body.of_type("variable"):
            variables.setdefault(_label(block.labels), {}).update(block.body.attributes)
        for block in body.of_type("locals"):
            local_values |= block.body.attributes
        for block in body.of_type("module"):
            calls.setdefault(_label(block.labels), {}).update(block.body.attributes)
        outputs = [block.body.attributes for block in body.of_type("output")]
        marked += [output.get("value", "") for output in outputs if _is_true(output.get("sensitive"))]
    return ModuleSource(
        frozenset(name for name, attributes in variables.items() if _is_true(attributes.get("sensitive"))),
        {name: attributes["default"] for name, attributes in variables.items() if "default" in attributes},
        local_values,
        calls,
        tuple(marked),
    )


def read_values(text: str, *, as_json: bool = False) -> dict[str, Json]:
    """What a `.tfvars` file says; a value is that of a JSON document, or the list of the constants in it."""
    if as_json:
        try:
            document: Json = json.loads(text)
        except ValueError:
            return {}
        return document if isinstance(document, dict) else {}
    return {name: constants(expression) for name, expression in read_body(text).attributes.items()}


def secrets_of_modules(modules: Mapping[str, ModuleSource], given: Mapping[str, Json]) -> set[Secret]:
    """Every sensitive value of the modules by their keys; `given` are the values of the root module's variables."""
    if ROOT not in modules:
        return set()
    found: set[Secret] = set()
    waiting: list[tuple[str, _Scope]] = [(ROOT, _Scope(modules[ROOT], given))]
    while waiting and len(modules) < _MOST:
        key, scope = waiting.pop()
        found |= scope.secrets()
        for call, arguments in scope.module.calls.items():
            called = f"{key}.{call}".lstrip(".")
            if called in modules:
                waiting.append((called, _Scope(modules[called], scope.arguments(arguments))))
    return found


def constants(expression: str) -> Json:
    """The value of a text or a number alone, else the list of all the texts and numbers, names of keys left out."""
    found = list(_constants(expression))
    whole = len(found) == 1 and not expression.lstrip().startswith(("[", "{"))
    return found[0] if whole else [*found]


class _Scope:
    """The names that an expression of a module may use, and what they stand for."""

    def __init__(self, module: ModuleSource, given: Mapping[str, Json]) -> None:
        self.module = module
        self._given = given

    def secrets(self) -> set[Secret]:
        values = [self._variable(name, 0) for name in self.module.sensitive]
        values += [self._value(expression, 0) for expression in self.module.marked]
        return {leaf for value in values for leaf in leaves(value)}

    def arguments(self, call: Mapping[str, str]) -> dict[str, Json]:
        """What a call gives to the variables of its module."""
        each = self._value(call["for_each"], 0) if "for_each" in call else None
        return {name: self._value(expression, 0, each) for name, expression in call.items()}

    def _variable(self, name: str, depth: int) -> Json:
        if name in self._given:
            return self._given[name]
        return self._value(self.module.defaults.get(name, ""), depth + 1)

    def _value(self, expression: str, depth: int, each: Json = None) -> Json:
        expression = expression.strip()
        if depth > _DEEPEST or not expression:
            return None
        if reference := _REFERENCE.fullmatch(expression):
            return self._referred(reference, depth, each)
        parts = template(expression)
        if parts is not None:
            return self._joined(parts, depth, each)
        if _is_constant(expression):
            return constants(expression)
        made_of = [self._referred(reference, depth, each) for reference in _REFERENCE.finditer(expression)]
        # The texts in a call's brackets are keys and formats; those in a list or an object are values.
        return [*made_of, constants(expression)] if expression.startswith(("[", "{")) else made_of

    def _joined(self, parts: tuple[str | Expression, ...], depth: int, each: Json) -> Json:
        """The whole text where all of it is known, else what is known of what it is made of."""
        values = [part if isinstance(part, str) else self._value(part.text, depth + 1, each) for part in parts]
        if all(isinstance(value, str | int | float) and not isinstance(value, bool) for value in values):
            return "".join(str(value) for value in values)
        return [value for part, value in zip(parts, values, strict=True) if isinstance(part, Expression)]

    def _referred(self, reference: re.Match[str], depth: int, each: Json) -> Json:
        match reference["root"]:
            case "var":
                value = self._variable(reference["name"], depth)
            case "local":
                value = self._value(self.module.local_values.get(reference["name"], ""), depth + 1)
            case _:
                return each
        for dotted, quoted in _STEP.findall(reference["path"]):
            if isinstance(value, dict) and (dotted or quoted) in value:
                value = value[dotted or quoted]
        return value


def _constants(expression: str) -> Iterator[Secret]:
    position = 0
    while position < len(expression):
        token = _TOKEN.match(expression, position)
        if token is None:
            position += 1
            continue
        position = token.end()
        if token.lastgroup == "quote":
            position = skip_quoted(expression, position)
            parts = template(expression[token.start() : position])
            if parts is not None and not _KEY_FOLLOWS.match(expression, position):
                yield from (part for part in parts if isinstance(part, str))
        elif token.lastgroup == "heredoc" and (heredoc := _HEREDOC.match(expression, token.start())):
            position = heredoc.end()
            yield heredoc["text"]
        elif token.lastgroup == "number" and _NUMBER.fullmatch(token[0]):
            yield float(token[0]) if re.search("[.eE]", token[0]) else int(token[0])


def _is_constant(expression: str) -> bool:
    """Made of texts, numbers, lists and objects alone."""
    position = 0
    while position < len(expression):
        token = _TOKEN.match(expression, position)
        if token is None:
            return False
        position = token.end()
        if token.lastgroup == "quote":
            position = skip_quoted(expression, position)
            parts = template(expression[token.start() : position])
            if parts is None or any(isinstance(part, Expression) for part in parts):
                return False
        elif token.lastgroup == "heredoc":
            heredoc = _HEREDOC.match(expression, token.start())
            if heredoc is None or re.search(r"(?<!\$)\$\{|(?<!%)%\{", heredoc["text"]):
                return False
            position = heredoc.end()
    return True


def _marked(text: str) -> Iterator[str]:
    """The arguments of calls of `sensitive`."""
    for call in _MARKING.finditer(text):
        # One bracket deeper than a line: the expression ends where that bracket closes.
        yield text[call.end() : skip_expression(text, call.end(), depth=1)]


def _is_true(expression: str | None) -> bool:
    return expression is not None and expression.strip('"') == "true"


def _label(labels: tuple[str, ...]) -> str:
    return labels[0] if labels else ""
