"""Slowing down who guesses passwords: after a few failures every further one makes the wait longer.

Kept in the memory of this process: several processes allow a few tries more, none allows many.
"""

from __future__ import annotations

import math
import time
from collections import OrderedDict
from collections.abc import Callable

FREE_TRIES = 5
LONGEST_S = 300.0
MOST_KEPT = 10_000


class Throttle:
    """Failures by whoever they belong to, such as a user name and an address."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._failures: OrderedDict[str, tuple[int, float]] = OrderedDict()

    def wait_s(self, who: str) -> int:
        """For how many seconds this one must not try again; 0: now is fine."""
        count, until = self._failures.get(who, (0, 0.0))
        return max(0, math.ceil(until - self._clock())) if count >= FREE_TRIES else 0

    def failed(self, who: str) -> None:
        """Count a failure."""
        now = self._clock()
        count, until = self._failures.pop(who, (0, now))
        if now - until > LONGEST_S:
            count = 0
        wait_s = min(LONGEST_S, 2.0 ** (count + 1 - FREE_TRIES)) if count + 1 >= FREE_TRIES else 0.0
        self._failures[who] = (count + 1, now + wait_s)
        if len(self._failures) > MOST_KEPT:
            self._failures.popitem(last=False)

    def succeeded(self, who: str) -> None:
        """Forget the failures."""
        self._failures.pop(who, None)
