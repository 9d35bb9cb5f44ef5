"""Date expressions of filters: ISO dates, epoch milliseconds and date arithmetic (contract find.md 1.2)."""

from __future__ import annotations

import calendar
import re
from datetime import UTC, datetime, timedelta

from casebridge.domain.errors import InvalidInput

_ISO = re.compile(
    r"(?P<year>\d{4})(?:-(?P<month>\d{2})(?:-(?P<day>\d{2})"
    r"(?:T(?P<hour>\d{2})(?::(?P<minute>\d{2})(?::(?P<second>\d{2})(?:[.,](?P<fraction>\d{1,9}))?)?)?)?"
    r"(?P<zone>Z|[+-]\d{2}(?::?\d{2})?)?)?)?",
    re.ASCII,
)
_EPOCH_MS = re.compile(r"-\d{1,15}|\d{1,3}|\d{5,15}", re.ASCII)
"""Four digits without a sign are a year."""
_STEP = re.compile(r"(?P<sign>[+-])(?P<number>\d{1,9})?(?P<unit>[yMwdhHms])|/(?P<round>[yMwdhHms])", re.ASCII)
_MILLISECOND = timedelta(milliseconds=1)
_LENGTHS = {
    "w": timedelta(weeks=1),
    "d": timedelta(days=1),
    "h": timedelta(hours=1),
    "H": timedelta(hours=1),
    "m": timedelta(minutes=1),
    "s": timedelta(seconds=1),
}


def read_date(field: str, text: str, now: datetime, *, upper: bool) -> datetime:
    """The moment an expression names, in UTC and whole milliseconds; InvalidInput when it names none.

    `upper`: parts that are missing are filled upwards, and `/` rounds to the end of its unit, as `to` wants it.
    """
    try:
        return _read(text, now, upper)
    except (ValueError, OverflowError):
        raise InvalidInput(
            field, f"{text!r} is no date; expected one like 2024-05-17, 2024-05-17T08:00:00.000Z, now-7d or now/d."
        ) from None


def _read(text: str, now: datetime, upper: bool) -> datetime:
    if text.startswith("now"):
        return _calculated(now, text[3:], upper)
    anchor, separator, steps = text.partition("||")
    return _calculated(_anchor(anchor, upper and not separator), steps, upper)


def _anchor(text: str, upper: bool) -> datetime:
    if _EPOCH_MS.fullmatch(text):
        return datetime(1970, 1, 1, tzinfo=UTC) + int(text) * _MILLISECOND
    parts = _ISO.fullmatch(text)
    if parts is None:
        raise ValueError(text)
    fill = (23, 59, 59) if upper else (0, 0, 0)
    hour, minute, second = (
        int(parts[name]) if parts[name] else filler
        for name, filler in zip(("hour", "minute", "second"), fill, strict=True)
    )
    fraction = parts["fraction"]
    if fraction:
        milliseconds = int(fraction.ljust(3, "0")[:3])
    else:
        milliseconds = 999 if upper else 0
    at = datetime(
        int(parts["year"]), int(parts["month"] or 1), int(parts["day"] or 1), hour, minute, second, milliseconds * 1000
    )
    return (at - _offset(parts["zone"])).replace(tzinfo=UTC)


def _offset(zone: str | None) -> timedelta:
    if zone in (None, "Z"):
        return timedelta()
    assert zone is not None
    digits = zone[1:].replace(":", "").ljust(4, "0")
    hours, minutes = int(digits[:2]), int(digits[2:])
    if hours > 18 or minutes > 59:
        raise ValueError(zone)
    offset = timedelta(hours=hours, minutes=minutes)
    return -offset if zone[0] == "-" else offset


def _calculated(at: datetime, steps: str, upper: bool) -> datetime:
    end = 0
    for step in _STEP.finditer(steps):
        if step.start() != end:
            break
        end = step.end()
        if step["round"]:
            at = _rounded(at, step["round"], upper)
        else:
            number = int(step["number"] or 1)
            at = _moved(at, -number if step["sign"] == "-" else number, step["unit"])
    if end != len(steps):
        raise ValueError(steps)
    return at


def _moved(at: datetime, number: int, unit: str) -> datetime:
    if unit not in ("y", "M"):
        return at + number * _LENGTHS[unit]
    months = at.year * 12 + at.month - 1 + number * (12 if unit == "y" else 1)
    year, month = divmod(months, 12)
    last_day = calendar.monthrange(year, month + 1)[1] if year >= 1 else 1
    return at.replace(year=year, month=month + 1, day=min(at.day, last_day))


def _rounded(at: datetime, unit: str, upper: bool) -> datetime:
    start = at.replace(microsecond=0)
    if unit in "mhHdwMy":
        start = start.replace(second=0)
    if unit in "hHdwMy":
        start = start.replace(minute=0)
    if unit in "dwMy":
        start = start.replace(hour=0)
    if unit == "w":
        start -= timedelta(days=start.weekday())
    if unit in "My":
        start = start.replace(day=1)
    if unit == "y":
        start = start.replace(month=1)
    return _moved(start, 1, unit) - _MILLISECOND if upper else start
