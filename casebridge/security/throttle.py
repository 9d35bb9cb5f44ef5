"""Slowing down who guesses passwords, without keeping out who knows one.

What is counted is kept in the memory of this process: several processes allow a few tries more, none allows many. A
password that was verified a moment ago never comes here; neither do sessions and keys.
"""

from __future__ import annotations

import ipaddress
import math
import time
from collections import Counter, OrderedDict
from collections.abc import Callable

from casebridge.domain.errors import TooManyTries

FREE_TRIES = 5
LONGEST_S = 300.0
MOST_KEPT = 10_000

ADDRESS_TRIES, ADDRESS_LONGEST_S = 30, 60.0
"""Of one address, whatever the user: many names tried with one password."""
USER_TRIES, USER_LONGEST_S = 60, 30.0
"""Of one user, whatever the address: many machines trying one name. Short, since the user may be among them."""

MOST_AT_ONCE, MOST_OF_AN_ADDRESS = 64, 16
"""Passwords that may wait to be verified: about a second of work, of which no address gets all."""
BUSY_S = 1


class Throttle:
    """Failures by whoever they belong to. After `free` ones each further one doubles the wait, up to `longest_s`."""

    def __init__(
        self,
        clock: Callable[[], float] = time.monotonic,
        *,
        free: int = FREE_TRIES,
        longest_s: float = LONGEST_S,
    ) -> None:
        self._clock = clock
        self._free = free
        self._longest_s = longest_s
        self._failures: OrderedDict[str, tuple[int, float]] = OrderedDict()

    def wait_s(self, who: str) -> int:
        """For how many seconds this one must not try again; 0: now is fine."""
        count, until = self._failures.get(who, (0, 0.0))
        return max(0, math.ceil(until - self._clock())) if count >= self._free else 0

    def left(self, who: str) -> int:
        """How many tries are still free."""
        return max(0, self._free - self._failures.get(who, (0, 0.0))[0])

    def failed(self, who: str) -> None:
        """Count a failure."""
        now = self._clock()
        count, until = self._failures.pop(who, (0, now))
        if now - until > LONGEST_S:
            count = 0
        beyond = count + 1 - self._free
        # Beyond 2 ** 20 the longest wait counts anyway, and the power would outgrow a float in the end.
        wait_s = min(self._longest_s, 2.0 ** min(beyond, 20)) if beyond >= 0 else 0.0
        self._failures[who] = (count + 1, now + wait_s)
        if len(self._failures) > MOST_KEPT:
            self._failures.popitem(last=False)

    def succeeded(self, who: str) -> None:
        """Forget the failures."""
        self._failures.pop(who, None)


class Doorkeeper:
    """Who may try a password now. Raises TooManyTries, which says when to come again.

    Who once came in from an address is known there, and is only slowed down for one's own failures from there: neither
    strangers behind the same address nor guesses from all over the world keep such a user out.
    """

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._pairs = Throttle(clock)
        self._addresses = Throttle(clock, free=ADDRESS_TRIES, longest_s=ADDRESS_LONGEST_S)
        self._users = Throttle(clock, free=USER_TRIES, longest_s=USER_LONGEST_S)
        self._known: OrderedDict[str, None] = OrderedDict()
        self._trying: Counter[str] = Counter()
        self._waiting: Counter[str] = Counter()

    def enter(self, username: str, address: str | None) -> None:
        """Begin a try, to be ended by `leave`; TooManyTries, and nothing has begun, when it has to wait."""
        pair, place = _pair(username, address), place_of(address)
        wait_s = self._pairs.wait_s(pair)
        if pair not in self._known:
            wait_s = max(wait_s, self._addresses.wait_s(place), self._users.wait_s(username))
        if wait_s > 0:
            raise TooManyTries(wait_s)
        # What is under way may fail: tries sent all at once gain nothing over tries sent one by one.
        is_early = self._trying[pair] >= max(1, self._pairs.left(pair))
        if is_early or self._waiting.total() >= MOST_AT_ONCE or self._waiting[place] >= MOST_OF_AN_ADDRESS:
            raise TooManyTries(BUSY_S)
        self._trying[pair] += 1
        self._waiting[place] += 1

    def leave(self, username: str, address: str | None, *, came_in: bool | None) -> None:
        """End a try; `came_in` None when it was not decided."""
        pair, place = _pair(username, address), place_of(address)
        _less(self._trying, pair)
        _less(self._waiting, place)
        if came_in:
            self._pairs.succeeded(pair)
            self._known.pop(pair, None)
            self._known[pair] = None
            if len(self._known) > MOST_KEPT:
                self._known.popitem(last=False)
        elif came_in is False:
            self._pairs.failed(pair)
            self._addresses.failed(place)
            self._users.failed(username)


class Allowance:
    """So many things a minute for each address, for what is harmless by itself and not in heaps."""

    def __init__(self, a_minute: int, clock: Callable[[], float] = time.monotonic) -> None:
        self._most = a_minute
        self._clock = clock
        self._minute = -1
        self._taken: Counter[str] = Counter()

    def take(self, address: str | None) -> bool:
        """Whether one more is allowed now."""
        minute = int(self._clock() // 60)
        if minute != self._minute:
            self._minute, self._taken = minute, Counter()
        place = place_of(address)
        if self._taken[place] >= self._most or len(self._taken) >= MOST_KEPT:
            return False
        self._taken[place] += 1
        return True


def place_of(address: str | None) -> str:
    """What counts as one address: of IPv6 the network that one customer gets.

    >>> place_of("192.0.2.7"), place_of("2001:db8::1:2:3"), place_of(None)
    ('192.0.2.7', '2001:db8::/64', '')
    """
    try:
        parsed = ipaddress.ip_address(address or "")
    except ValueError:
        return (address or "")[:64]
    if isinstance(parsed, ipaddress.IPv6Address):
        if parsed.ipv4_mapped is not None:
            return str(parsed.ipv4_mapped)
        return str(ipaddress.ip_network((parsed.packed, 64), strict=False))
    return str(parsed)


def _pair(username: str, address: str | None) -> str:
    return f"{username}\n{place_of(address)}"


def _less(counter: Counter[str], key: str) -> None:
    counter[key] -= 1
    if counter[key] <= 0:
        del counter[key]
