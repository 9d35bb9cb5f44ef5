"""What is measured of one case and of all cases, and how a case's life is told from its activity (metrics.md)."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime, timedelta

import msgspec

from casebridge.domain.case import CLOSED, IN_PROGRESS, OPEN
from casebridge.domain.errors import InvalidInput
from casebridge.domain.user_action import UserAction

MTTR, STATUS = "mttr", "status"
ALL_CASES_FEATURES = frozenset({MTTR, STATUS})

ALERTS_COUNT, ALERTS_HOSTS, ALERTS_USERS = "alerts.count", "alerts.hosts", "alerts.users"
ISOLATE_HOST, CONNECTORS, LIFESPAN = "actions.isolateHost", "connectors", "lifespan"
CASE_FEATURES = frozenset({ALERTS_COUNT, ALERTS_HOSTS, ALERTS_USERS, ISOLATE_HOST, CONNECTORS, LIFESPAN})

_MILLISECOND = timedelta(milliseconds=1)


class Lifespan(msgspec.Struct, frozen=True):
    """How long a case was open and in progress, in milliseconds, and when it was reopened; closed time is dropped."""

    open_ms: int
    in_progress_ms: int
    reopened_at: tuple[datetime, ...]


def check_features(asked: Iterable[str], known: frozenset[str]) -> frozenset[str]:
    """The features once each; InvalidInput naming all that are not among the known ones."""
    wanted = frozenset(asked)
    if unknown := sorted(wanted - known):
        named = ", ".join(repr(each[:80]) for each in unknown)
        raise InvalidInput("features", f"not allowed here: {named}; expected some of {', '.join(sorted(known))}.")
    return wanted


def lifespan(created_at: datetime, moves: Iterable[UserAction], now: datetime) -> Lifespan:
    """The life of a case up to now; `moves` are its `status` records, oldest first."""
    spent_ms = {OPEN: 0, IN_PROGRESS: 0, CLOSED: 0}
    reopened = []
    status, since = OPEN, created_at
    for move in moves:
        new = move.payload["status"]
        spent_ms[status] += _ms_between(since, move.created_at)
        if status == CLOSED and new != CLOSED:
            reopened.append(move.created_at)
        status, since = new, move.created_at
    spent_ms[status] += _ms_between(since, now)
    return Lifespan(spent_ms[OPEN], spent_ms[IN_PROGRESS], tuple(reopened))


def _ms_between(start: datetime, end: datetime) -> int:
    """Never less than nothing, also when a clock was set back."""
    return max(0, (end - start) // _MILLISECOND)
