"""API keys: credentials of a user for programs, with privileges of their own (access.md 8)."""

from __future__ import annotations

import re
from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Any

import msgspec

from casebridge.domain.errors import InvalidInput
from casebridge.domain.role import RoleEntry

_DURATION = re.compile(r"([0-9]{1,12})(ms|s|m|h|d|micros|nanos)")
_UNITS_S = {"nanos": 1e-9, "micros": 1e-6, "ms": 1e-3, "s": 1.0, "m": 60.0, "h": 3600.0, "d": 86400.0}
LONGEST = timedelta(days=36_500)
KEPT_FOR = timedelta(days=7)
MOST_PER_USER = 1_000
NAME_LENGTH = 256


class KeyLayer(msgspec.Struct, frozen=True):
    """Privileges as entries of roles; `is_superuser`: all there are."""

    entries: tuple[RoleEntry, ...] = ()
    is_superuser: bool = False


class ApiKey(msgspec.Struct, frozen=True):
    """A stored key. `digest` is the SHA-256 of its secret in hex, which is kept nowhere.

    A request with the key may do what every one of `layers` grants: the owner's privileges when it was made, and what
    was asked for it. `role_descriptors` is the latter as it was sent. `account_id` tells its owner from a later
    user of the same name.
    """

    id: str
    name: str
    username: str
    digest: str
    created_at: datetime
    roles: tuple[str, ...]
    layers: tuple[KeyLayer, ...]
    account_id: str = ""
    expires_at: datetime | None = None
    invalidated_at: datetime | None = None
    metadata: Mapping[str, Any] = {}
    role_descriptors: Mapping[str, Any] = {}

    def is_valid(self, now: datetime) -> bool:
        """Whether the key may still be used."""
        return self.invalidated_at is None and (self.expires_at is None or now < self.expires_at)

    def is_forgotten(self, now: datetime) -> bool:
        """Whether the key has been of no use for so long that it need not be kept."""
        ends = [at for at in (self.expires_at, self.invalidated_at) if at is not None]
        return bool(ends) and min(ends) + KEPT_FOR < now

    def __repr__(self) -> str:
        return f"ApiKey({self.id!r}, {self.name!r}, {self.username!r})"


def read_duration(text: str, field: str) -> timedelta:
    """A positive duration such as `30d`; InvalidInput for anything else, and beyond a hundred years.

    >>> read_duration("36h", "expiration")
    datetime.timedelta(days=1, seconds=43200)
    """
    found = _DURATION.fullmatch(text)
    if found is None:
        raise InvalidInput(field, f"expected a duration such as 30d, 12h or 45m, given {text[:40]!r}.")
    seconds = int(found[1]) * _UNITS_S[found[2]]
    if not 0 < seconds <= LONGEST.total_seconds():
        raise InvalidInput(field, f"expected more than nothing and at most {LONGEST.days}d, given {text}.")
    return timedelta(seconds=seconds)
