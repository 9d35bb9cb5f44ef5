"""How values are said on pages: statuses, times, sizes."""

from __future__ import annotations

from datetime import datetime

from casebridge.domain.space import GENERAL, OBSERVABILITY, SECURITY

STATUS = {"open": "Open", "in-progress": "In progress", "closed": "Closed"}
SEVERITY = {"critical": "Critical", "high": "High", "medium": "Medium", "low": "Low"}
OWNER = {SECURITY: "Security", OBSERVABILITY: "Observability", GENERAL: "General"}
DELIVERY = {
    "queued": "Queued",
    "sending": "Sending",
    "waiting": "Waiting",
    "uncertain": "Uncertain",
    "delivered": "Delivered",
    "failed": "Failed",
    "cancelled": "Cancelled",
}
_UNITS = ((1, "s"), (60, "min"), (3_600, "hour"), (86_400, "day"), (2_592_000, "month"), (31_536_000, "year"))


def plural(count: int, noun: str, several: str = "") -> str:
    """
    >>> plural(1, "case"), plural(1200, "case"), plural(2, "reply", "replies")
    ('1 case', '1,200 cases', '2 replies')
    """
    return f"{count:,} {noun if count == 1 else several or noun + 's'}"


def ago(at: datetime, now: datetime) -> str:
    """A time as people say it, from the second to the year.

    >>> from datetime import UTC, timedelta
    >>> now = datetime(2026, 5, 17, 12, tzinfo=UTC)
    >>> ago(now, now), ago(now - timedelta(minutes=5), now), ago(now + timedelta(hours=2), now)
    ('just now', '5 min ago', 'in 2 hours')
    """
    seconds = (now - at).total_seconds()
    away = abs(seconds)
    if away < 10:
        return "just now"
    unit_s, noun = next(each for each in reversed(_UNITS) if away >= each[0])
    said = plural(int(away // unit_s), noun, noun if noun in ("s", "min") else "")
    return f"{said} ago" if seconds > 0 else f"in {said}"


def span(seconds: float | None) -> str:
    """A duration in its two largest units.

    >>> span(4), span(3_720), span(180_000), span(None)
    ('4 s', '1 h 2 min', '2 d 2 h', '–')
    """
    if seconds is None:
        return "–"
    whole = int(seconds)
    units = [(whole // 86_400, "d"), (whole // 3_600 % 24, "h"), (whole // 60 % 60, "min"), (whole % 60, "s")]
    first = next((place for place, (count, _) in enumerate(units) if count), 3)
    kept = [f"{count} {unit}" for count, unit in units[first : first + 2] if count]
    return " ".join(kept) or "0 s"


def size(count: int | None) -> str:
    """
    >>> size(None), size(812), size(1_536), size(5_242_880)
    ('–', '812 B', '1.5 KB', '5.0 MB')
    """
    if count is None:
        return "–"
    if count < 1_024:
        return f"{count} B"
    return f"{count / 1_024:.1f} KB" if count < 1_048_576 else f"{count / 1_048_576:.1f} MB"


_BROWSERS = (("Edg/", "Edge"), ("OPR/", "Opera"), ("Firefox/", "Firefox"), ("Chrome/", "Chrome"), ("Safari/", "Safari"))
_SYSTEMS = (("Android", "Android"), ("iPhone", "iPhone"), ("iPad", "iPad"), ("Windows", "Windows"),
            ("Mac OS X", "macOS"), ("Linux", "Linux"))  # fmt: skip


def agent(given: str) -> str:
    """What a browser calls itself, in words.

    >>> agent("Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/156.0 Safari/537.36")
    'Chrome on Linux'
    >>> agent("curl/8.5.0"), agent("")
    ('curl/8.5.0', 'An unknown browser')
    """
    browser = next((name for sign, name in _BROWSERS if sign in given), "")
    system = next((name for sign, name in _SYSTEMS if sign in given), "")
    return f"{browser} on {system}" if browser and system else browser or given[:60] or "An unknown browser"
