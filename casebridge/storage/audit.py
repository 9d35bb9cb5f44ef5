"""The audit trail in the store: one event per write, inside the change that it tells of, and per denied attempt."""

from __future__ import annotations

from datetime import datetime
from typing import Any, Literal

import msgspec

from casebridge.domain.user import Actor
from casebridge.storage.session import Database, Query, Write, from_ms, to_ms

Outcome = Literal["success", "failure"]


def event_write(
    action: str,
    actor: Actor,
    space: str | None,
    kind: str,
    ids: list[str],
    at: datetime,
    *,
    outcome: Outcome = "success",
    category: str = "database",
    **more: Any,
) -> Write:
    """Stores one ECS-style event: who did, or tried, what to which objects, in which space, from where.

    `more` goes beside space and object: what was changed, and never anything secret.
    """
    if actor.key_id is not None:
        more["api_key"] = {"id": actor.key_id}
    doc = {
        "@timestamp": at,
        "event": {"action": action, "outcome": outcome, "category": [category]},
        "user": {"name": actor.user.username, "roles": list(actor.roles)},
        "source": {"address": actor.address},
        "http": {"request": {"id": actor.request_id}},
        "casebridge": {"space": space, "object": {"type": kind, "ids": ids}, **more},
    }
    return Write(
        "INSERT INTO audit_event (seq, at, space, doc, sealed) VALUES (next_audit(), :at, :space, :doc, :sealed)",
        {"at": to_ms(at), "space": space, "doc": msgspec.json.encode(doc).decode(), "sealed": False},
    )


class Wanted(msgspec.Struct, frozen=True, kw_only=True):
    """Which events are asked for; None: no matter. Times are inclusive."""

    user: str | None = None
    action: str | None = None
    outcome: Outcome | None = None
    object_type: str | None = None
    object_id: str | None = None
    space: str | None = None
    from_: datetime | None = None
    to: datetime | None = None


class Record(msgspec.Struct, frozen=True):
    """A stored event; place and digest None until it is sealed."""

    seq: int
    doc: dict[str, Any]
    place: int | None
    digest: str | None


class Found(msgspec.Struct, frozen=True):
    """Events newest first, and the running number before which to go on; None: there are no more."""

    records: list[Record]
    before: int | None


async def newest(database: Database) -> datetime | None:
    """When the last few events were written; None without any."""
    rows = await database.read(
        "SELECT max(at) FROM (SELECT at FROM audit_event ORDER BY seq DESC LIMIT 100) AS last_ones"
    )
    return None if rows[0][0] is None else from_ms(rows[0][0])


WINDOW = 20_000
"""So many events are looked through for one answer: with a narrow filter it may then hold few, or none."""

_LARGEST = 2**63 - 1
_SLACK_MS = 86_400_000
"""Events are in order of their numbers, and of their times nearly: changes end late, and clocks are set."""


async def find(database: Database, wanted: Wanted, before: int | None, limit: int) -> Found:
    """The newest of these events before a running number."""
    window = (
        "SELECT seq, at, space, doc, place, digest FROM audit_event WHERE seq < :before ORDER BY seq DESC LIMIT :window"
    )
    where, params = _conditions(database, wanted)
    looked = {"before": _LARGEST if before is None else before, "window": WINDOW}
    rows, [(floor, seen, newest)] = await database.read_together(
        [
            Query(
                f"SELECT seq, doc, place, digest FROM ({window}) looked WHERE {where} ORDER BY seq DESC LIMIT :limit",
                {**looked, **params, "limit": limit + 1},
            ),
            Query(f"SELECT min(seq), count(*), max(at) FROM ({window}) looked", looked),
        ]
    )
    records = [Record(row[0], msgspec.json.decode(row[1]), row[2], row[3]) for row in rows[:limit]]
    if len(rows) > limit:
        return Found(records, records[-1].seq)
    is_past = wanted.from_ is not None and newest is not None and newest < to_ms(wanted.from_) - _SLACK_MS
    return Found(records, floor if seen == WINDOW and not is_past else None)


def _conditions(database: Database, wanted: Wanted) -> tuple[str, dict[str, Any]]:
    """What narrows down a window, and its parameters."""
    inner = "doc -> 'casebridge' -> 'object'"
    ids = "json_each" if database.dialect == "sqlite" else "jsonb_array_elements_text"
    places: dict[str, tuple[str, Any]] = {
        "username": ("doc -> 'user' ->> 'name' = :username", wanted.user),
        "action": ("doc -> 'event' ->> 'action' = :action", wanted.action),
        "outcome": ("doc -> 'event' ->> 'outcome' = :outcome", wanted.outcome),
        "type": (f"{inner} ->> 'type' = :type", wanted.object_type),
        "id": (f"EXISTS (SELECT 1 FROM {ids}({inner} -> 'ids') each_id WHERE each_id.value = :id)", wanted.object_id),
        "space": ("space = :space", wanted.space),
        "first": ("at >= :first", None if wanted.from_ is None else to_ms(wanted.from_)),
        "last": ("at <= :last", None if wanted.to is None else to_ms(wanted.to)),
    }
    asked = {name: value for name, (_, value) in places.items() if value is not None}
    return " AND ".join(["true", *(places[name][0] for name in asked)]), asked
