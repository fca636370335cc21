"""Reads blocks and attributes of an HCL or JSON configuration; expressions stay texts, what is broken is left out."""

import json
import re
from collections.abc import Iterator
from dataclasses import dataclass, field

from docustack.plan_document import Json


@dataclass
class Body:
    """What stands between the braces of a block, or in a file; of two attributes of one name the last counts."""

    attributes: dict[str, str] = field(default_factory=dict)
    blocks: list["Block"] = field(default_factory=list)

    def of_type(self, name: str) -> Iterator["Block"]:
        return (block for block in self.blocks if block.type == name)


@dataclass
class Block:
    """`type "label" { … }`"""

    type: str
    labels: tuple[str, ...]
    body: Body


_BODY = re.compile(
    r"""
      (?P<space>\s+)
    | (?P<attribute>[A-Za-z_][\w-]*)[ \t]*=(?!=)
    | (?P<block>[A-Za-z_][\w-]*)(?P<labels>(?:[ \t]+(?:"[^"\n]*"|[\w-]+))*)[ \t]*\{
    | (?P<end>\})
    """,
    re.VERBOSE | re.DOTALL,
)
_EXPRESSION = re.compile(
    r"""
      (?P<comment>\#[^\n]*|//[^\n]*|/\*.*?(?:\*/|\Z))
    | <<-?[ ]*(?P<heredoc>\w+)[^\n]*\n
    | (?P<quote>")
    | (?P<open>[(\[{])
    | (?P<close>[)\]}])
    | (?P<newline>\n)
    """,
    re.VERBOSE | re.DOTALL,
)
_QUOTED = re.compile(r'(?:\\.|\$\$\{|%%\{|[^"\\$%]|[$%](?!\{))*(?P<what>"|[$%]\{)', re.DOTALL)
_DEEPEST = 50


def read_body(text: str) -> Body:
    """An HCL file: `.tf`, `.tfvars`."""
    return _read(_without_comments(text), 0, 0)[0]


def read_json_body(text: str) -> Body:
    """The same of a `.tf.json` file: `variable`, `output` and `module` with one label, `locals` with none."""
    try:
        document: Json = json.loads(text)
    except ValueError:
        return Body()
    body = Body()
    for each in _objects(document):
        for name, content in each.items():
            if name in ("variable", "output", "module"):
                labelled = ((label, inner) for blocks in _objects(content) for label, inner in blocks.items())
                body.blocks += [
                    Block(name, (label,), _attributes(inner, constant=name == "variable"))
                    for label, inners in labelled
                    for inner in _objects(inners)
                ]
            elif name == "locals":
                body.blocks += [Block(name, (), _attributes(inner)) for inner in _objects(content)]
    return body


def as_expression(value: Json, *, constant: bool = True) -> str:
    """A JSON value as HCL writes it; the texts in a `constant` one are no templates."""
    text = json.dumps(value, ensure_ascii=False)
    return text.replace("${", "$${").replace("%{", "%%{") if constant else text


def skip_quoted(text: str, position: int, depth: int = 0) -> int:
    """The position behind the closing quote, from that behind the opening one."""
    while (token := _QUOTED.match(text, position)) is not None:
        position = token.end()
        if token["what"] == '"' or depth > _DEEPEST:
            return position
        position = skip_expression(text, position, depth + 1) + 1
    return len(text)


def skip_expression(text: str, position: int, depth: int = 0) -> int:
    """The end of an expression: that of its line, or the bracket or brace that closes what it stands in."""
    open_brackets = 0
    while (token := _EXPRESSION.search(text, position)) is not None:
        position = token.end()
        match token.lastgroup:
            case "heredoc":
                position = skip_heredoc(text, token)
            case "quote":
                position = skip_quoted(text, position, depth)
            case "open":
                open_brackets += 1
            case "close":
                open_brackets -= 1
                if open_brackets < 0:
                    return token.start()
            case "newline" if open_brackets == 0 and depth == 0:
                return token.start()
            case _:
                pass
    return len(text)


def skip_heredoc(text: str, opening: re.Match[str]) -> int:
    closing = re.compile(rf"^[ \t]*{re.escape(opening['heredoc'])}[ \t]*$", re.MULTILINE)
    found = closing.search(text, opening.end())
    return found.end() if found else len(text)


def _read(text: str, position: int, depth: int) -> tuple[Body, int]:
    body = Body()
    while position < len(text):
        token = _BODY.match(text, position)
        if token is None:
            position += 1
            continue
        position = token.end()
        match token.lastgroup:
            case "attribute":
                end = skip_expression(text, position)
                body.attributes[token["attribute"]] = text[position:end].strip()
                position = end
            case "labels" if depth < _DEEPEST:
                inner, position = _read(text, position, depth + 1)
                labels = tuple(re.findall(r'[^\s"]+', token["labels"]))
                body.blocks.append(Block(token["block"], labels, inner))
            case "end" if depth > 0:
                break
            case _:
                pass
    return body, position


def _without_comments(text: str) -> str:
    kept, start, position = [], 0, 0
    while (token := _EXPRESSION.search(text, position)) is not None:
        position = token.end()
        match token.lastgroup:
            case "heredoc":
                position = skip_heredoc(text, token)
            case "quote":
                position = skip_quoted(text, position)
            case "comment":
                kept.append(text[start : token.start()])
                start = position
            case _:
                pass
    return "".join([*kept, text[start:]])


def _attributes(content: dict[str, Json], *, constant: bool = False) -> Body:
    return Body({name: as_expression(value, constant=constant) for name, value in content.items()})


def _objects(content: Json) -> list[dict[str, Json]]:
    """JSON syntax lets every block be one object or a list of them."""
    return [each for each in (content if isinstance(content, list) else [content]) if isinstance(each, dict)]
