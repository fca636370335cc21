"""Takes secrets out of everything that leaves the worker: values that Terraform marks sensitive, known token shapes."""

import base64
import json
import re
from collections.abc import Iterable, Iterator
from urllib.parse import quote

from docustack.plan_document import Json
from docustack.sensitive import MASK, Secret

_LONG = 4
"""From this length on a secret is masked wherever it stands; a shorter one only where it is a whole value."""

_TELLS_NOTHING = frozenset({"true", "false", "null", MASK})

_SHAPES = tuple(
    re.compile(pattern)
    for pattern in (
        r"-----BEGIN [A-Z0-9 ]*PRIVATE KEY[A-Z ]*-----[\s\S]*?(?:-----END [A-Z0-9 ]*PRIVATE KEY[A-Z ]*-----|\Z)",
        r"\b(?:AKIA|ASIA|AROA|AIDA)[0-9A-Z]{16}\b",
        r"\bgh[pousr]_[A-Za-z0-9]{20,}\b",
        r"\bgithub_pat_[A-Za-z0-9_]{20,}\b",
        r"\bglpat-[A-Za-z0-9_-]{20,}",
        r"\bxox[abeoprs]-[A-Za-z0-9-]{10,}",
        r"\bxapp-[A-Za-z0-9-]{10,}",
        r"https://hooks\.slack\.com/services/[A-Za-z0-9/_-]+",
        r"\beyJ[A-Za-z0-9_-]{8,}\.[A-Za-z0-9_-]{8,}\.[A-Za-z0-9_-]*",
        r"\b[A-Za-z0-9]{14}\.atlasv1\.[A-Za-z0-9_-]{60,}",
        r"\bhv[sbr]\.[A-Za-z0-9_-]{20,}",
        r"\bsk_live_[A-Za-z0-9]{16,}\b",
        r"\bAIza[0-9A-Za-z_-]{35}\b",
        r"\bAGE-SECRET-KEY-1[0-9A-Z]{40,}",
    )
)

_NAMED = (
    r"\b[\w-]*(?:password|passwd|secret_access_key|secret_key|session_token|client_secret|api_?key|auth_?token|"
    r"private_?key|access_token)"
)

_KEPT_AROUND = tuple(
    re.compile(f"(?i)(?P<before>{before})(?P<secret>{secret})(?P<after>{after})")
    for before, secret, after in (
        # user:password@ in an address
        (r"\b[a-z][a-z0-9+.-]*://[^\s/:@\"']*:", r"[^\s/@\"']+", "@"),
        # Authorization: Bearer …
        (r"\bauthorization[\"']?\s*[:=]\s*[\"']?(?:bearer|basic|token)\s+", r"[^\s\"',]+", ""),
        # aws_secret_access_key = "…", \"password\": \"…\"
        (_NAMED + r"\\?[\"']?\s*(?:=|:)\s*\\?[\"']", r"[^\"'\\\n]+", r"\\?[\"']"),
        # password=…
        (_NAMED + "=", r"[^\s\"'&;,<>()]+", ""),
    )
)
"""Where only the middle is secret, and what stands around it says what it was."""


class Redactor:
    """Knows the secrets of one unit; what it has been through holds none of them in any usual notation."""

    def __init__(self, secrets: Iterable[Secret] = ()) -> None:
        anywhere: set[str] = set()
        whole: set[str] = set()
        for secret in secrets:
            for form in _forms(secret):
                if form in _TELLS_NOTHING:
                    continue
                (anywhere if len(form) >= _LONG and isinstance(secret, str) else whole).add(form)
        self._anywhere = sorted(anywhere, key=len, reverse=True)
        self._whole = [re.compile(_as_whole_value(form)) for form in sorted(whole, key=len, reverse=True)]
        self._values = anywhere | whole

    def text(self, text: str) -> str:
        """The text with every secret masked."""
        text = _cover(text, self._spans(text))
        for shape in _SHAPES:
            text = shape.sub(MASK, text)
        for shape in _KEPT_AROUND:
            text = shape.sub(_mask_middle, text)
        return text

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
        for pattern in self._whole:
            for match in pattern.finditer(text):
                yield match.span("secret")


def _forms(secret: Secret) -> Iterator[str]:
    """A secret as it may be written: plain, escaped for JSON or HCL, line by line, in base64, in an address."""
    plain = str(secret)
    if isinstance(secret, float) and secret.is_integer():
        yield str(int(secret))
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
    return rf"(?:(?<=[\"'])|(?<== )|(?<=> ))(?P<secret>{escaped})(?=[\"']|\s|$)"


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


def _mask_middle(match: re.Match[str]) -> str:
    if match.group("secret") in MASK or match.group("secret").startswith(MASK[:10]):
        return match.group(0)
    return match.group("before") + MASK + match.group("after")
