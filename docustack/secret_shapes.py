"""What looks like a secret though nobody marked it: tokens of known shapes, values whose names say what they are."""

import re

from docustack.sensitive import MASK

_TOKENS = (
    r"-----BEGIN [A-Z0-9 ]*PRIVATE KEY[A-Z ]*-----[\s\S]*?(?:-----END [A-Z0-9 ]*PRIVATE KEY[A-Z ]*-----|\Z)",
    r"\b(?:AKIA|ASIA|AROA|AIDA)[0-9A-Z]{16}\b",
    r"\bgh[pousr]_[A-Za-z0-9]{20,}\b",
    r"\bgithub_pat_[A-Za-z0-9_]{20,}\b",
    r"\bgl(?:pat|dt|rt|cbt|ptt|ft|soat|agent)-[A-Za-z0-9_-]{20,}",
    r"\bglsa_[A-Za-z0-9_]{20,}|\bglc_[A-Za-z0-9+/=]{20,}",  # Grafana
    r"\bxox[abeoprs]-[A-Za-z0-9-]{10,}",
    r"\bxapp-[A-Za-z0-9-]{10,}",
    r"https://hooks\.slack\.com/services/[A-Za-z0-9/_-]+",
    r"\beyJ[A-Za-z0-9_-]{8,}\.[A-Za-z0-9_-]{8,}\.[A-Za-z0-9_-]*",
    r"\b[A-Za-z0-9]{14}\.atlasv1\.[A-Za-z0-9_-]{60,}",
    r"\bhv[sbr]\.[A-Za-z0-9_-]{20,}",
    r"\b[sr]k_(?:live|test)_[A-Za-z0-9]{16,}\b",
    r"\bwhsec_[A-Za-z0-9+/=]{20,}",
    r"\bsk-(?:[a-z]+[0-9]*-)*[A-Za-z0-9_-]{24,}",
    r"\bAIza[0-9A-Za-z_-]{35}\b",
    r"\bya29\.[A-Za-z0-9_-]{20,}",
    r"\bGOCSPX-[A-Za-z0-9_-]{20,}",
    r"\bnpm_[A-Za-z0-9]{30,}\b",
    r"\bpypi-[A-Za-z0-9_-]{40,}",
    r"\bSG\.[A-Za-z0-9_-]{16,}\.[A-Za-z0-9_-]{16,}",
    r"\bdo[opr]_v1_[a-f0-9]{32,}\b",
    r"\bshp(?:at|ca|pa|ss)_[A-Fa-f0-9]{32}\b",
    r"\bdckr_pat_[A-Za-z0-9_-]{20,}",
    r"\bhf_[A-Za-z0-9]{30,}\b",
    r"\bdapi[a-f0-9]{32}\b",
    r"\bpul-[a-f0-9]{40}\b",
    r"\bAGE-SECRET-KEY-1[0-9A-Z]{40,}",
)
_TOKEN = re.compile("|".join(_TOKENS))

_WORDS = (
    r"password|passwd|passphrase|secret[_-]?access[_-]?key|secret[_-]?key|secret[_-]?string|client[_-]?secret|"
    r"(?:session|security|auth|access|refresh|bearer|bot)[_-]?token|api[_-]?key|private[_-]?key|"
    r"(?:account|shared[_-]?access)[_-]?key|amz-signature"
)
_NAME = rf"(?:{_WORDS}|(?<![\w.-])(?:secret|token|pwd))"
"""`creation_token` and `password_length` are no secrets; `token` by itself is one."""

_NO_SECRET = (
    rf"(?!{re.escape(MASK)}|\(known after apply\)|arn:aws|\$|<|\*\*\*|(?:true|false|null|none)\b"
    r"|(?:var|local|data|module|each|self|dependency|include|count|path)\.|[a-z][a-z0-9]*_\w+\.\w+\.)"
)
"""What a plan or a line of source says in place of a value: a reference, nothing, what is not known yet."""

_BARE = r"[^\s\"'&;,<>(){}\[\]\\]+(?![(\w])"

_AROUND = tuple(
    re.compile(f"(?i)(?P<before>{before}){_NO_SECRET}(?P<secret>{secret})(?P<after>{after})")
    for before, secret, after in (
        # user:password@ in an address
        (r"[a-z0-9]://[^\s/:@\"']{0,200}:", r"[^\s/@\"']+", "@"),
        # Authorization: Bearer …, and `Bearer …` alone where what follows is no word
        (r"\bauthorization[\"']?[ \t]*[:=][ \t]*[\"']?(?:bearer|basic|token)[ \t]+", r"[^\s\"',]+", ""),
        (r"\bbearer[ \t]{1,40}", r"(?=\S*\d)[\w.~+/=-]{16,}", ""),
        # aws_secret_access_key = "…", "password": "…", and the same within a text in quotes
        (_NAME + r"\"?[ \t]{0,40}[=:][ \t]{0,40}\"", r"(?:\\.|[^\"\\\n])+", r"\"|$"),
        (_NAME + r"(?:\\\")?[ \t]{0,40}[=:][ \t]{0,40}\\\"", r"(?:\\\\\\.|[^\"\\\n])+", r"\\\"|$"),
        (_NAME + r"'?[ \t]{0,40}[=:][ \t]{0,40}'", r"[^'\n]+", "'|$"),
        # ~ password = "…" -> "…"
        (
            _NAME + r"\"?[ \t]{0,40}=[ \t]{0,40}(?:\"(?:\\.|[^\"\\\n])*\"|null)[ \t]{0,40}->[ \t]{0,40}\"",
            r"(?:\\.|[^\"\\\n])+",
            r"\"|$",
        ),
        # password=…, aws_session_token = …
        (_NAME + r"[ \t]{0,40}=(?![=>~])[ \t]{0,40}", _BARE, ""),
        # token: …, where it is all that follows and is no word
        (_NAME + r":[ \t]+", rf"(?=\S*[^\sA-Za-z.,])(?:{_BARE})", r"[ \t]*$"),
        # --db-password …
        (rf"(?<!\S)--?[\w-]{{0,40}}(?:{_WORDS}|secret|token)[ \t]{{1,40}}", rf"(?!-)(?:{_BARE})", ""),
    )
)
"""Where only the middle of a line is secret, and what stands around it says what it was."""

_HINTS = ("://", "auth", "bearer", "pass", "secret", "token", "key", "pwd", "amz-signature")
"""One of them is in every line that any of these fits: most lines need no closer look."""


def mask_shapes(text: str) -> str:
    """The text without what looks like a secret."""
    return "\n".join(_mask_line(line) for line in _TOKEN.sub(MASK, text).split("\n"))


def _mask_line(line: str) -> str:
    lowered = line.lower()
    if not any(hint in lowered for hint in _HINTS):
        return line
    for shape in _AROUND:
        line = shape.sub(lambda match: match["before"] + MASK + match["after"], line)
    return line
