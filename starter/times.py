"""Times and durations as people read them."""

from datetime import UTC, datetime, timedelta

_MINUTE, _HOUR, _DAY = 60, 3_600, 86_400


def now() -> datetime:
    return datetime.now(UTC)


def duration(seconds: float) -> str:
    """`7 s`, `3 min 20 s`, `2 h 5 min`, `3 d 4 h`."""
    whole = max(0, int(seconds))
    if whole < _MINUTE:
        return f"{whole} s"
    if whole < _HOUR:
        return _two(whole // _MINUTE, "min", whole % _MINUTE, "s")
    if whole < _DAY:
        return _two(whole // _HOUR, "h", whole % _HOUR // _MINUTE, "min")
    return _two(whole // _DAY, "d", whole % _DAY // _HOUR, "h")


def ago(moment: datetime) -> str:
    """`3 min ago`; only the larger part, since a list is looked at, not measured by."""
    return " ".join(duration((now() - moment) / timedelta(seconds=1)).split()[:2]) + " ago"


def at(moment: datetime) -> str:
    """In UTC, as everything else that DocuStack writes."""
    return f"{moment.astimezone(UTC):%Y-%m-%d %H:%M:%S} UTC"


def _two(big: int, big_name: str, small: int, small_name: str) -> str:
    return f"{big} {big_name} {small} {small_name}" if small else f"{big} {big_name}"
