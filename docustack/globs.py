"""Globs over paths of the live repository, as Terrateam's documentation and pull request commands write them."""

import re
from functools import lru_cache

_TOKEN = re.compile(
    r"(?P<any_directories>(?:^|(?<=/))\*\*/)"  # `**/`: any number of directories, none included
    r"|(?P<anything>\*\*)"  # `**`: whatever follows, slashes included
    r"|(?P<star>\*)"
    r"|(?P<one>\?)"
    r"|(?P<set>\[[!^]?\]?[^\]/]*\])"
    r"|(?P<alternatives>\{[^{}]*\})"
    r"|(?P<literal>.)",
    re.DOTALL,
)


def is_glob(text: str) -> bool:
    """Whether a path is meant as a pattern: `dev/*/vpc` is, `dev/us-east-1/vpc` isn't."""
    return any(character in text for character in "*?[{")


def matches(pattern: str, path: str) -> bool:
    """Whether a whole path matches: `*` and `?` stay within a directory, `**` crosses them, `{a,b}` chooses."""
    return _compiled(pattern).fullmatch(path) is not None


def covers(directory: str, path: str) -> bool:
    """Whether a path is what a directory or a glob names, or lies below it; `` is the whole repository."""
    if directory == "":
        return True
    if is_glob(directory):
        return matches(directory, path) or matches(f"{directory}/**", path)
    return path == directory or path.startswith(f"{directory}/")


@lru_cache(maxsize=4096)
def _compiled(pattern: str) -> re.Pattern[str]:
    return re.compile(_expression(pattern), re.DOTALL)


def _expression(pattern: str) -> str:
    return "".join(_translated(token) for token in _TOKEN.finditer(pattern))


def _translated(token: re.Match[str]) -> str:
    text = token.group()
    match token.lastgroup:
        case "any_directories":
            return "(?:[^/]+/)*"
        case "anything":
            return ".*"
        case "star":
            return "[^/]*"
        case "one":
            return "[^/]"
        case "set":
            return _character_set(text)
        case "alternatives":
            return "(?:" + "|".join(_expression(choice) for choice in text[1:-1].split(",")) + ")"
        case _:
            return re.escape(text)


def _character_set(text: str) -> str:
    body = text[1:-1]
    negated = body.startswith(("!", "^"))
    inside = body[1:] if negated else body
    escaped = re.sub(r"([\\\[\]^&~|])", r"\\\1", inside)
    expression = f"[{'^/' if negated else ''}{escaped}]"
    try:
        re.compile(expression)
    except re.error:  # a range the wrong way round, `[z-a]`: then the brackets stand for themselves
        return re.escape(text)
    return expression
