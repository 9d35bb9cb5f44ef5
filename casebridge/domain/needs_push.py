"""Which connectors a case has ever had, and whether each has to be told something new (activity.md 2.6).

A push counts from its read point, the newest record it has read: what was added while it was under way is newer.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import msgspec

from casebridge.domain.case import CLOSED
from casebridge.domain.connector import NO_CONNECTOR_TYPE, CaseConnector
from casebridge.domain.user_action import PUSH_RELEVANT, UserAction

CONNECTOR_TYPES = ("create_case", "connector")
"""Types of records that name the connector of a case."""
HISTORY_TYPES = (*CONNECTOR_TYPES, "pushed", "status")
"""Types of records that `uses` reads whole; of all others their newest number suffices."""

_ALSO_RELEVANT = {
    ".cases-webhook": frozenset({"severity", "status"}),
    ".thehive": frozenset({"severity", "status"}),
}


class Named(msgspec.Struct, frozen=True):
    """A connector as the record of that number named it."""

    seq: int
    connector: CaseConnector


class ConnectorUse(msgspec.Struct, frozen=True):
    """A connector once set on a case, as named last; `pushes` are its `pushed` records, oldest first."""

    connector: CaseConnector
    pushes: tuple[UserAction, ...]
    needs_push: bool


def connectors_named(records: Iterable[UserAction]) -> dict[str, list[Named]]:
    """By connector id, in order of appearance, how each was named, oldest first; `none` is no connector."""
    found: dict[str, list[Named]] = {}
    for record in records:
        if record.type in CONNECTOR_TYPES:
            connector = msgspec.convert(record.payload["connector"], CaseConnector)
            if connector.type != NO_CONNECTOR_TYPE:
                found.setdefault(connector.id, []).append(Named(record.seq, connector))
    return found


def uses(
    records: Sequence[UserAction], newest: Mapping[str, int], read_points: Mapping[str, int]
) -> dict[str, ConnectorUse]:
    """Every connector ever set on a case, by id.

    `records` are those of HISTORY_TYPES, oldest first; `newest` maps a type to the number of its newest record;
    `read_points` maps a connector id to the read point of the last push that the ledger knows.
    """
    pushes: dict[str, list[UserAction]] = {}
    for record in records:
        if record.type == "pushed":
            pushes.setdefault(record.payload["externalService"]["connector_id"], []).append(record)
    statuses = [record for record in records if record.type == "status"]
    return {
        id_: _use(named, pushes.get(id_, []), read_points.get(id_, 0), newest, statuses)
        for id_, named in connectors_named(records).items()
    }


def _use(
    named: Sequence[Named],
    pushes: Sequence[UserAction],
    known_read_point: int,
    newest: Mapping[str, int],
    statuses: Sequence[UserAction],
) -> ConnectorUse:
    connector = named[-1].connector
    if not pushes or named[0].seq > pushes[-1].seq:
        return ConnectorUse(connector, (), needs_push=True)
    read_point = _read_point(pushes, known_read_point)
    pushed_as = [each.connector for each in named if each.seq <= read_point]
    moved = [each for each in statuses if each.seq > read_point and not _is_closing_by(pushes[-1], each)]
    seen = {**newest, "status": moved[-1].seq if moved else 0}
    relevant = PUSH_RELEVANT | _ALSO_RELEVANT.get(connector.type, frozenset())
    needs_push = (
        not pushed_as or pushed_as[-1] != connector or any(seen.get(type_, 0) > read_point for type_ in relevant)
    )
    return ConnectorUse(connector, tuple(pushes), needs_push)


def _read_point(pushes: Sequence[UserAction], known: int) -> int:
    """Of the last push. One without a ledger (imported, or told by a client of 7.10) has read all that came before it.

    The ledger's read point is that of the first push after it, since a pair is pushed by one at a time.
    """
    later = [push for push in pushes if push.seq > known]
    return known if known and len(later) == 1 else pushes[-1].seq


def _is_closing_by(push: UserAction, status: UserAction) -> bool:
    """Whether the push itself closed the case: the record stands right before its own, of the same moment."""
    closes: dict[str, Any] = {"status": CLOSED}
    return status.seq == push.seq - 1 and status.created_at == push.created_at and status.payload == closes
