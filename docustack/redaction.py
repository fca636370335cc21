"""Takes secrets out of everything that leaves the worker: values that Terraform marks sensitive, known token shapes."""

import base64
import json
import re
from collections.abc import Iterable, Iterator
from decimal import Decimal
from urllib.parse import quote

from docustack.plan_document import Json
from docustack.secret_shapes import mask_shapes
from docustack.sensitive import MASK, Secret

_LONG = 4
"""From this length on a secret is masked wherever it stands, a number at its own bounds; a shorter one only where it
is a whole value."""

_TELLS_NOTHING = frozenset({"true", "false", "null", MASK})

_GAP = r"[\s│╷╵|]+"
"""What may stand between two words of a secret: Terraform wraps long lines, and may draw a margin beside them."""


class Redactor:
    """Knows the secrets of one unit: what it has been through holds none of them in any usual notation."""

    def __init__(self, secrets: Iterable[Secret] = (), folders: Iterable[str] = ()) -> None:
        """`folders` are the worker's own: paths are told from there on, since they mean nothing elsewhere."""
        each = "|".join(re.escape(folder.rstrip("/")) for folder in sorted(folders, key=len, reverse=True))
        self._folders = re.compile(rf"(?:file://)?(?:{each})(?:(?P<inside>/)|(?![\w.-]))") if each else None
        anywhere: set[str] = set()
        patterns: dict[str, list[str]] = {}  # with the words without which it fits nowhere
        self._values: set[str] = set()
        for secret in secrets:
            for form in _forms(secret):
                if form in _TELLS_NOTHING:
                    continue
                self._values.add(form)
                if len(form) < _LONG:
                    patterns[_as_whole_value(form)] = [form]
                elif isinstance(secret, str):
                    anywhere.add(form)
                    if len(words := form.split()) > 1:
                        patterns[_GAP.join(map(re.escape, words))] = words
                else:
                    patterns[_as_whole_number(form)] = [form]
        self._anywhere = sorted(anywhere)
        self._patterns = [(re.compile(pattern), words) for pattern, words in patterns.items()]

    def text(self, text: str) -> str:
        """The text with every secret masked."""
        text = _cover(text, self._spans(text))
        if self._folders is not None:
            text = self._folders.sub(lambda match: "" if match["inside"] else ".", text)
        return mask_shapes(text)

    def document(self, document: Json) -> Json:
        """A JSON value with every secret masked, in keys too."""
        if isinstance(document, dict):
            return {self._leaf(key): self.document(value) for key, value in document.items()}
        if isinstance(document, list):
            return [self.document(each) for each in document]
        if isinstance(document, str):
            return self._leaf(document)
        if isinstance(document, int | float) and not isinstance(document, bool):
            return MASK if str(document) in self._values else document
        return document

    def _leaf(self, value: str) -> str:
        return MASK if value in self._values else self.text(value)

    def _spans(self, text: str) -> Iterator[tuple[int, int]]:
        for form in self._anywhere:
            start = text.find(form)
            while start >= 0:
                yield start, start + len(form)
                start = text.find(form, start + 1)
        for pattern, words in self._patterns:
            if all(word in text for word in words):
                yield from (match.span() for match in pattern.finditer(text))


def _forms(secret: Secret) -> Iterator[str]:
    """A secret as it may be written: plain, escaped for JSON or HCL, line by line, in base64, in an address."""
    plain = str(secret)
    if not isinstance(secret, str):
        yield format(Decimal(plain), "f").removesuffix(".0")  # as Terraform writes numbers, never with an exponent
    if not plain.strip():
        return
    for text in {plain, plain.strip()}:
        yield text
        for ascii_only in (True, False):
            escaped = json.dumps(text, ensure_ascii=ascii_only)[1:-1]
            yield escaped
            # Inside a string that is itself JSON, and as Go writes JSON and HCL: <, > and & escaped, ${ doubled.
            yield json.dumps(escaped, ensure_ascii=ascii_only)[1:-1]
            yield escaped.replace("<", "\\u003c").replace(">", "\\u003e").replace("&", "\\u0026")
            yield escaped.replace("${", "$${").replace("%{", "%%{")
        if isinstance(secret, str) and len(text) >= _LONG:
            yield from _encoded(text)
    lines = [line.strip() for line in plain.splitlines()]
    if len(lines) > 1:
        yield from (line for line in lines if len(line) >= _LONG)


def _encoded(text: str) -> Iterator[str]:
    raw = text.encode("utf-8", "surrogatepass")
    for each in (raw, raw + b"\n"):
        for encode in (base64.b64encode, base64.urlsafe_b64encode):
            yield encode(each).decode().rstrip("=")
    for safe in ("", "/"):
        yield quote(raw, safe=safe)


def _as_whole_value(form: str) -> str:
    """Where a short secret is the whole of a quoted or an assigned value; `1` in `1 to add` is none."""
    escaped = re.escape(form)
    return rf"(?:(?<=[\"'])|(?<== )|(?<=> )){escaped}(?=[\"']|\s|$)"


def _as_whole_number(form: str) -> str:
    """Where a number isn't a part of another one."""
    return rf"(?<!\d)(?<!\d\.){re.escape(form)}(?!\d|\.\d)"


def _cover(text: str, spans: Iterable[tuple[int, int]]) -> str:
    """Masks the union of all spans, so that of two overlapping secrets no end is left over."""
    result, position, end = [], 0, 0
    covered: list[tuple[int, int]] = []
    for start, stop in sorted(spans):
        if covered and start < end:
            covered[-1] = (covered[-1][0], max(end, stop))
        else:
            covered.append((start, stop))
        end = covered[-1][1]
    for start, stop in covered:
        result += [text[position:start], MASK]
        position = stop
    return "".join(result) + text[position:]
