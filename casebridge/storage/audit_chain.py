"""The chain of the audit trail in the store: what is not sealed yet, sealing it, following the chain.

Events are chained in the order in which they are found, which is not always that of their numbers: on PostgreSQL a
number is taken before the change that takes it is committed, so a lower one may turn up later, or never.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta

import msgspec

from casebridge.domain.audit_chain import Event, Head, Sealed
from casebridge.domain.errors import Conflict
from casebridge.storage.session import Database, Query, Row, Write, to_ms


class SealedMeanwhile(Conflict):
    """Another process sealed first, or is about to."""


class Chain(msgspec.Struct, frozen=True):
    """The chain's head, the highest number sealed, how far standard output was told, and who seals until when."""

    head: Head
    seq: int
    told: int
    lease_id: str | None
    lease_until_ms: int


async def get(database: Database) -> Chain | None:
    """The chain as it stands; None when its row was taken away."""
    rows = await database.read("SELECT place, digest, seq, told, lease_id, lease_until FROM audit_chain WHERE id = 1")
    return Chain(Head(rows[0][0], rows[0][1]), *rows[0][2:]) if rows else None


async def unsealed(database: Database, chain: Chain, most: int) -> list[Event]:
    """Events that are not sealed, the lowest numbers first."""
    # SQLite gives out numbers in the order of commits, so nothing below the highest sealed one can be missing.
    where = "NOT sealed" if database.dialect == "postgresql" else "seq > :seq AND NOT sealed"
    params = {"most": most} if database.dialect == "postgresql" else {"most": most, "seq": chain.seq}
    rows = await database.read(
        f"SELECT seq, at, space, doc FROM audit_event WHERE {where} ORDER BY seq LIMIT :most", params
    )
    return [_event(row) for row in rows]


def seal_writes(
    database: Database, chain: Chain, sealed: Sequence[Sealed], lease_id: str, now: datetime, lease: timedelta
) -> list[Write]:
    """Moves the head over these events and marks them; SealedMeanwhile when the head is not where it was.

    The head alone makes sealing safe. The lease only keeps other processes from working in vain; one that a wrong
    clock gave for very long does not count.
    """
    last = sealed[-1]
    move = Write(
        """
        UPDATE audit_chain SET place = :place, digest = :digest, seq = :seq, lease_id = :lease_id, lease_until = :until
        WHERE id = 1 AND place = :old_place AND digest = :old_digest
        AND (lease_id = :lease_id OR lease_until <= :now OR lease_until > :far)
        """,
        {
            "place": last.place,
            "digest": last.digest,
            "seq": max(chain.seq, *(each.event.seq for each in sealed)),
            "lease_id": lease_id,
            "until": to_ms(now + lease),
            "far": to_ms(now + 10 * lease),
            "old_place": chain.head.place,
            "old_digest": chain.head.digest,
            "now": to_ms(now),
        },
        SealedMeanwhile("The audit trail was sealed by another process meanwhile."),
    )
    rows = msgspec.json.encode([[each.event.seq, each.place, each.digest] for each in sealed]).decode()
    source = "json_each(:rows)" if database.dialect == "sqlite" else "jsonb_array_elements(CAST(:rows AS jsonb))"
    mark = Write(
        f"""
        UPDATE audit_event SET sealed = true, place = CAST(given.value ->> 1 AS bigint), digest = given.value ->> 2
        FROM {source} given WHERE audit_event.seq = CAST(given.value ->> 0 AS bigint) AND NOT audit_event.sealed
        """,
        {"rows": rows},
    )
    return [move, mark]


async def links(database: Database, after: int, most: int) -> list[Sealed]:
    """Sealed events in the places after this one."""
    rows = await database.read(
        "SELECT seq, at, space, doc, place, digest FROM audit_event WHERE place > :after ORDER BY place LIMIT :most",
        {"after": after, "most": most},
    )
    return [Sealed(_event(row), row[4], row[5]) for row in rows]


def told_write(chain: Chain, place: int) -> Write:
    """Notes how far standard output was told; SealedMeanwhile when another process has told it."""
    return Write(
        "UPDATE audit_chain SET told = :place WHERE id = 1 AND told = :told",
        {"place": place, "told": chain.told},
        SealedMeanwhile("The audit trail was told by another process meanwhile."),
    )


class Tail(msgspec.Struct, frozen=True):
    """What is not part of the chain: events not sealed yet, the time of the oldest, and those wrongly called sealed."""

    count: int
    oldest_ms: int | None
    strays: int


async def tail(database: Database) -> Tail:
    """What is not part of the chain; reads the whole table."""
    counts, strays = await database.read_together(
        [
            Query("SELECT count(*), min(at) FROM audit_event WHERE NOT sealed"),
            Query(
                "SELECT count(*) FROM audit_event "
                "WHERE (sealed AND (place IS NULL OR place < 1)) OR (NOT sealed AND place IS NOT NULL)"
            ),
        ]
    )
    return Tail(counts[0][0], counts[0][1], strays[0][0])


def _event(row: Row) -> Event:
    return Event(row[0], row[1], row[2], msgspec.json.decode(row[3]))
