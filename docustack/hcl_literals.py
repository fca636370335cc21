"""Finds the texts in quotes of an HCL file, and the functions around them: what a file may read is named in one."""

import re
from typing import NamedTuple


class Expression(NamedTuple):
    """What stands between `${` and `}`."""

    text: str


class Literal(NamedTuple):
    """A text in quotes, in its parts; `calls` are the functions around it, innermost first."""

    parts: tuple[str | Expression, ...]
    calls: tuple[str, ...]
    attribute: str  # the last `name =` before it


class Scan(NamedTuple):
    """`bare_calls` are the calls that hold no text in quotes, with their arguments: `file(local.path)`."""

    literals: tuple[Literal, ...]
    bare_calls: frozenset[tuple[str, str]]


_CODE = re.compile(
    r"""
      (?P<comment>\#[^\n]*|//[^\n]*|/\*.*?(?:\*/|\Z))
    | <<-?[ ]*(?P<heredoc>\w+)[^\n]*\n
    | (?P<quote>")
    | (?P<attribute>[A-Za-z_][\w-]*)"?[ \t]*=(?![=>])
    | (?P<call>[A-Za-z_]\w*)[ \t]*\(
    | (?P<open>[(])
    | (?P<close>[)])
    | (?P<brace>\{)
    | (?P<unbrace>\})
    """,
    re.VERBOSE | re.DOTALL,
)
_TEMPLATE = re.compile(
    r'(?P<text>(?:\\.|\$\$\{|%%\{|[^"\\$%]|\$(?!\{)|%(?!\{))+)|(?P<expression>[$%]\{~?)|(?P<end>")', re.DOTALL
)
_INTERPOLATION = re.compile(r"(?<!\$)\$\{|(?<!%)%\{")
_ESCAPES = {"\\n": "\n", "\\t": "\t", '\\"': '"', "\\\\": "\\", "$${": "${", "%%{": "%{"}
_DEEPEST = 50


def scan(text: str) -> Scan:
    """All literals, those inside of others' interpolations and of heredocs too. Never fails: what is broken ends it."""
    scanner = _Scanner(text)
    scanner.code(0, (), 0)
    return Scan(tuple(scanner.literals), frozenset(scanner.bare_calls))


def template(text: str) -> tuple[str | Expression, ...] | None:
    """The parts of a text that is one literal in quotes and nothing else."""
    if not text.startswith('"'):
        return None
    scanner = _Scanner(text)
    parts, end = scanner.quoted(1, (), 0)
    return parts if end == len(text) else None


class _Scanner:
    def __init__(self, text: str) -> None:
        self.text = text
        self.literals: list[Literal] = []
        self.bare_calls: set[tuple[str, str]] = set()
        self._attribute = ""

    def code(self, position: int, around: tuple[str, ...], depth: int) -> int:
        """Scan up to the brace that closes an interpolation, or the end; gives the position behind it."""
        calls: list[tuple[str, int, int]] = []  # name, where its arguments begin, how many literals were before
        braces = 0
        while (token := _CODE.search(self.text, position)) is not None and depth < _DEEPEST:
            position = token.end()
            match token.lastgroup:
                case "heredoc":
                    position = self._heredoc(token, around, depth)
                case "quote":
                    names = tuple(name for name, *_ in reversed(calls) if name) + around
                    attribute, place = self._attribute, len(self.literals)
                    parts, position = self.quoted(position, names, depth)
                    self.literals.insert(place, Literal(parts, names, attribute))
                case "attribute":
                    self._attribute = token["attribute"]
                case "call" | "open":
                    calls.append((token["call"] or "", position, len(self.literals)))
                case "close" if calls:
                    name, start, before = calls.pop()
                    if name and len(self.literals) == before:
                        self.bare_calls.add((name, self.text[start : token.start()].strip()))
                case "brace" | "unbrace":
                    braces += 1 if token["brace"] else -1
                    if braces < 0 and depth > 0:
                        return position
        return len(self.text)

    def quoted(self, position: int, calls: tuple[str, ...], depth: int) -> tuple[tuple[str | Expression, ...], int]:
        """Scan from behind the opening quote; gives the parts and the position behind the closing one."""
        parts: list[str | Expression] = []
        while (token := _TEMPLATE.match(self.text, position)) is not None:
            position = token.end()
            if token.lastgroup == "end":
                break
            if token.lastgroup == "text":
                parts.append(
                    re.sub(r"\\.|\$\$\{|%%\{", lambda match: _ESCAPES.get(match[0], match[0][-1]), token["text"])
                )
                continue
            end = self.code(position, calls, depth + 1)
            parts.append(Expression(self.text[position : end - 1].strip("~ \t\n")))
            position = end
        return tuple(parts), position

    def _heredoc(self, token: re.Match[str], around: tuple[str, ...], depth: int) -> int:
        """The text itself is no path; what it interpolates may name one."""
        closing = re.compile(rf"^[ \t]*{re.escape(token['heredoc'])}[ \t]*$", re.MULTILINE)
        found = closing.search(self.text, token.end())
        end = found.start() if found else len(self.text)
        position = token.end()
        while (start := _INTERPOLATION.search(self.text, position, end)) is not None:
            position = self.code(start.end(), around, depth + 1)
        return found.end() if found else len(self.text)
