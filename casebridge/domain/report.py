"""What happened to cases in a span of time: the span, its steps, and what is told of it."""

from __future__ import annotations

import math
from collections.abc import Sequence
from datetime import datetime, timedelta

import msgspec

from casebridge.domain.errors import InvalidInput

MOST_DAYS = 3_660
_DAYS = ((62, 1), (434, 7))
"""Spans of up to so many days are told in steps of so many; longer ones in steps of 28."""


class Span(msgspec.Struct, frozen=True):
    """A span of time, `end` not in it, in steps of whole days from its start; the last step may reach beyond it."""

    start: datetime
    end: datetime

    @property
    def days(self) -> int:
        return math.ceil((self.end - self.start) / timedelta(days=1))

    @property
    def step_days(self) -> int:
        return next((step for most, step in _DAYS if self.days <= most), 28)

    @property
    def steps(self) -> list[datetime]:
        """Where each step begins."""
        count = math.ceil(self.days / self.step_days)
        return [self.start + timedelta(days=self.step_days * number) for number in range(count)]


def check_span(start: datetime, end: datetime) -> Span:
    """The span; InvalidInput when it ends before it begins, or is longer than ten years."""
    if end <= start:
        raise InvalidInput("to", "must not be before `from`.")
    span = Span(start, end)
    if span.days > MOST_DAYS:
        raise InvalidInput("from", f"at most {MOST_DAYS} days can be told at once, given {span.days}.")
    return span


class Spread(msgspec.Struct, frozen=True):
    """How long something took, in seconds, over `count` cases; None: over no case."""

    count: int
    median_s: float | None
    p90_s: float | None


def spread(values: Sequence[int]) -> Spread:
    """
    >>> spread([10, 20, 30]), spread([])
    (Spread(count=3, median_s=20.0, p90_s=28.0), Spread(count=0, median_s=None, p90_s=None))
    """
    ordered = sorted(values)
    return Spread(len(ordered), quantile(ordered, 0.5), quantile(ordered, 0.9))


def quantile(ordered: Sequence[int], share: float) -> float | None:
    """The value below which this share lies, between two neighbours if need be; None of nothing.

    >>> quantile([1, 2, 3, 4], 0.5), quantile([7], 0.9), quantile([], 0.5)
    (2.5, 7.0, None)
    """
    if not ordered:
        return None
    place = (len(ordered) - 1) * share
    low = math.floor(place)
    high = min(low + 1, len(ordered) - 1)
    return round(ordered[low] + (ordered[high] - ordered[low]) * (place - low), 6)
