"""The durable outbox: deliveries, their attempts, and the ledger of what external systems have accepted.

A delivery moves only by `move_write`, which names the version it was loaded with: whoever comes second moves nothing.
While it is `sending` nobody but the holder of its lease writes it, until that lease has run out.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Any, Literal

import msgspec

from casebridge.domain.delivery import Attempt, Delivery
from casebridge.domain.errors import Refused
from casebridge.domain.incident import AcceptedComment
from casebridge.domain.query import Page
from casebridge.storage.session import Database, Query, Row, Write, to_ms
from casebridge.storage.where import Where

_decoder = msgspec.json.Decoder(Delivery)
_attempts = msgspec.json.Decoder(Attempt)
_comments = msgspec.json.Decoder(AcceptedComment)
_encoder = msgspec.json.Encoder()
_SELECT = "SELECT version, doc FROM delivery"


class ExternalRecord(msgspec.Struct, frozen=True):
    """The external record of a case and connector; `read_point` is the newest user action its last push has read."""

    external_id: str
    title: str = ""
    url: str = ""
    read_point: int = 0


_records = msgspec.json.Decoder(ExternalRecord)


def insert_write(delivery: Delivery, busy: Refused | None = None) -> Write:
    """Stores a new delivery. One that begins as `sending` takes the turn of its pair; `busy` when that is taken."""
    return Write(
        "INSERT INTO delivery (seq, version, id, space, case_id, connector_id, owner, state, next_attempt_at, "
        "lease_id, lease_until, gathers, doc) VALUES (next_delivery(), next_version(), :id, :space, :case_id, "
        ":connector_id, :owner, :state, :next_attempt_at, :lease_id, :lease_until, :gathers, :doc) "
        "ON CONFLICT (case_id, connector_id) WHERE state = 'sending' DO NOTHING RETURNING version",
        {
            **_moving(delivery),
            "id": delivery.id,
            "space": delivery.space,
            "case_id": delivery.case_id,
            "connector_id": delivery.connector_id,
            "owner": delivery.owner,
        },
        conflict=busy,
    )


def gather_write(delivery: Delivery, dialect: Literal["sqlite", "postgresql"]) -> Write:
    """Stores a delivery that a change asks for, or makes the change part of the one that gathers changes of the pair.

    That keeps its id and times, and is of the newest change and its user from then on.
    """
    insert = insert_write(delivery)
    head, _, _ = insert.sql.partition("ON CONFLICT")
    return Write(
        f"{head}ON CONFLICT (case_id, connector_id) WHERE gathers = 1 "
        f"DO UPDATE SET version = excluded.version, doc = {_MERGED[dialect]}",
        insert.params,
    )


_KEPT = ("id", "created_at", "state", "next_attempt_at")
_MERGED = {
    "sqlite": "json_set(excluded.doc, '$.updated_at', excluded.doc ->> 'created_at', "
    + ", ".join(f"'$.{key}', delivery.doc ->> '{key}'" for key in _KEPT)
    + ")",
    "postgresql": "excluded.doc || jsonb_build_object('updated_at', excluded.doc -> 'created_at', "
    + ", ".join(f"'{key}', delivery.doc -> '{key}'" for key in _KEPT)
    + ")",
}


def move_write(old: Delivery, new: Delivery, conflict: Refused) -> Write:
    """Replaces a delivery that is still at the version of `old`, else `conflict`; gives back the new `version`."""
    return Write(
        "UPDATE delivery SET version = next_version(), state = :state, next_attempt_at = :next_attempt_at, "
        "lease_id = :lease_id, lease_until = :lease_until, gathers = :gathers, doc = :doc "
        "WHERE id = :id AND version = :at_version RETURNING version",
        {**_moving(new), "id": old.id, "at_version": old.version},
        conflict=conflict,
    )


def claim_write(old: Delivery, new: Delivery, busy: Refused) -> Write:
    """Moves a delivery to `sending` unless it moved meanwhile or another one of its pair is being sent."""
    move = move_write(old, new, busy)
    free = (
        "NOT EXISTS (SELECT 1 FROM delivery other WHERE other.case_id = :case_id "
        "AND other.connector_id = :connector_id AND other.state = 'sending')"
    )
    return Write(
        move.sql.replace(" RETURNING", f" AND {free} RETURNING"),
        {**move.params, "case_id": old.case_id, "connector_id": old.connector_id},
        conflict=busy,
    )


def remove_writes(delivery: Delivery) -> list[Write]:
    """Takes back a delivery of which nothing was sent, and the idempotency key that names it."""
    return [
        Write(
            "DELETE FROM delivery WHERE id = :id AND version = :at_version",
            {"id": delivery.id, "at_version": delivery.version},
        ),
        Write("DELETE FROM idempotency WHERE delivery_id = :id", {"id": delivery.id}),
    ]


async def get(database: Database, space: str, id_: str) -> Delivery | None:
    """One delivery of the space."""
    rows = await database.read(f"{_SELECT} WHERE id = :id AND space = :space", {"id": id_, "space": space})
    return _from_row(rows[0]) if rows else None


async def due(database: Database, now: datetime, most: int, *, besides: Sequence[str] = ()) -> list[Delivery]:
    """Deliveries a worker may take up now, the longest due first: whose time has come, or whose lease has run out.

    `besides`: ids of connectors that have enough to do.
    """
    where = Where()
    if besides:
        (busy,) = where.listed("connector_id", besides, "busy")
        where.also(f"NOT ({busy})")
    others = f" AND {where.text}" if besides else ""
    # Each part walks an index from its end, so that a long queue costs no more than a short one.
    parts = [
        f"SELECT * FROM (SELECT version, doc, {column} AS due_at FROM delivery "
        f"WHERE state = '{state}' AND {column} <= :now{others} ORDER BY {column} LIMIT :most) {state}_ones"
        for state, column in _DUE
    ]
    rows = await database.read(
        f"SELECT version, doc FROM ({' UNION ALL '.join(parts)}) due ORDER BY due_at LIMIT :most",
        {**where.params, "now": to_ms(now), "most": most},
    )
    return [_from_row(row) for row in rows]


async def tally(database: Database) -> dict[str, int]:
    """How many deliveries of all spaces are in each state that one is in."""
    return dict(await database.read("SELECT state, count(*) FROM delivery GROUP BY state"))


async def list_oldest(database: Database) -> list[Delivery]:
    """Of each state in which a delivery waits, the one that was made first."""
    rows = await database.read(
        f"{_SELECT} WHERE seq IN (SELECT min(seq) FROM delivery "
        "WHERE state IN ('queued', 'waiting', 'uncertain') GROUP BY state)"
    )
    return [_from_row(row) for row in rows]


_DUE = (
    ("queued", "next_attempt_at"),
    ("waiting", "next_attempt_at"),
    ("uncertain", "next_attempt_at"),
    ("sending", "lease_until"),
)


async def find(
    database: Database,
    space: str,
    owners: Sequence[str],
    page: Page,
    *,
    case_id: str | None = None,
    connector_id: str | None = None,
    states: Sequence[str] | None = None,
) -> tuple[list[Delivery], int]:
    """One page of deliveries, newest first, and how many there are."""
    where = Where().also("space = :space", space=space).among("owner", owners)
    if case_id is not None:
        where.also("case_id = :case_id", case_id=case_id)
    if connector_id is not None:
        where.also("connector_id = :connector_id", connector_id=connector_id)
    if states is not None:
        where.among("state", states)
    rows, totals = await database.read_together(
        [
            Query(
                f"{_SELECT} WHERE {where.text} ORDER BY seq DESC LIMIT :most OFFSET :skip",
                {**where.params, "most": page.size, "skip": page.offset},
            ),
            Query(f"SELECT count(*) FROM delivery WHERE {where.text}", where.params),
        ]
    )
    return [_from_row(row) for row in rows], totals[0][0]


def open_query(case_id: str, connector_id: str | None = None) -> Query:
    """Deliveries of a case (and connector) that are not ended yet, oldest first."""
    where = Where().also("case_id = :case_id", case_id=case_id)
    where.among("state", ("queued", "sending", "waiting", "uncertain"))
    if connector_id is not None:
        where.also("connector_id = :connector_id", connector_id=connector_id)
    return Query(f"{_SELECT} WHERE {where.text} ORDER BY seq", where.params)


def unsettled_query(case_id: str, connector_id: str) -> Query:
    """The pair's deliveries that are not ended yet, and the withdrawn ones that left a write of unknown outcome."""
    where = Where().also("case_id = :case_id AND connector_id = :connector_id")
    (is_open,) = where.listed("state", ("queued", "sending", "waiting", "uncertain"))
    where.also(f"({is_open} OR (state = 'cancelled' AND doc ->> 'step' IS NOT NULL))")
    where.params.update(case_id=case_id, connector_id=connector_id)
    return Query(f"{_SELECT} WHERE {where.text} ORDER BY seq", where.params)


async def first_marks(database: Database, case_id: str, connector_id: str) -> dict[str, Any]:
    """What the first create of the pair was marked with; nothing when there was none."""
    rows = await database.read(
        f"{_SELECT} WHERE case_id = :case_id AND connector_id = :connector_id ORDER BY seq",
        {"case_id": case_id, "connector_id": connector_id},
    )
    return next((marks for row in rows if (marks := _from_row(row).marks)), {})


def from_row(row: Row) -> Delivery:
    """The delivery of a row of `open_query` or `unsettled_query`."""
    return _from_row(row)


def _from_row(row: Row) -> Delivery:
    return msgspec.structs.replace(_decoder.decode(row[1]), version=row[0])


def _moving(delivery: Delivery) -> dict[str, Any]:
    return {
        "state": delivery.state,
        "next_attempt_at": _ms(delivery.next_attempt_at),
        "lease_id": delivery.lease_id,
        "lease_until": _ms(delivery.lease_until),
        "gathers": 1 if delivery.is_gathering else None,
        "doc": _encoder.encode(delivery).decode(),
    }


def _ms(at: datetime | None) -> int | None:
    return None if at is None else to_ms(at)


def attempt_write(delivery_id: str, number: int, attempt: Attempt) -> Write:
    """Stores one try of a delivery."""
    return Write(
        "INSERT INTO attempt (delivery_id, number, doc) VALUES (:delivery_id, :number, :doc) "
        "ON CONFLICT (delivery_id, number) DO UPDATE SET doc = excluded.doc",
        {"delivery_id": delivery_id, "number": number, "doc": _encoder.encode(attempt).decode()},
    )


async def list_attempts(database: Database, delivery_id: str) -> list[Attempt]:
    """All tries of a delivery, oldest first."""
    rows = await database.read("SELECT doc FROM attempt WHERE delivery_id = :id ORDER BY number", {"id": delivery_id})
    return [_attempts.decode(row[0]) for row in rows]


def record_query(case_id: str, connector_id: str) -> Query:
    """The external record of a case and connector."""
    return Query(
        "SELECT doc FROM external_record WHERE case_id = :case_id AND connector_id = :connector_id",
        {"case_id": case_id, "connector_id": connector_id},
    )


def record_from_row(row: Row) -> ExternalRecord:
    """The record of a row of `record_query`."""
    return _records.decode(row[0])


def read_points_query(case_id: str) -> Query:
    """The external records of a case through all connectors, to be read together with its activity."""
    return Query("SELECT connector_id, doc FROM external_record WHERE case_id = :case_id", {"case_id": case_id})


def read_points_from_rows(rows: Sequence[Row]) -> dict[str, int]:
    """By connector id, up to which record the last push has read; 0: none ended well."""
    return {connector_id: _records.decode(doc).read_point for connector_id, doc in rows}


def record_write(space: str, case_id: str, connector_id: str, record: ExternalRecord) -> Write:
    """Keeps the external record of a case and connector."""
    return Write(
        "INSERT INTO external_record (case_id, connector_id, space, external_id, doc) "
        "VALUES (:case_id, :connector_id, :space, :external_id, :doc) ON CONFLICT (case_id, connector_id) "
        "DO UPDATE SET external_id = excluded.external_id, doc = excluded.doc",
        {
            "case_id": case_id,
            "connector_id": connector_id,
            "space": space,
            "external_id": record.external_id,
            "doc": _encoder.encode(record).decode(),
        },
    )


async def linked_elsewhere(
    database: Database, case_id: str, connector_id: str, external_ids: Sequence[str]
) -> list[tuple[str, str, bool]]:
    """Which of these external ids other pairs hold: rows `(external id, address, of the same connector)`."""
    where = Where().among("external_id", external_ids)
    where.also("NOT (case_id = :case_id AND connector_id = :connector_id)", case_id=case_id, connector_id=connector_id)
    rows = await database.read(f"SELECT doc, connector_id FROM external_record WHERE {where.text}", where.params)
    found = [(_records.decode(doc), other) for doc, other in rows]
    return [(record.external_id, record.url, other == connector_id) for record, other in found]


def accepted_query(case_id: str, connector_id: str) -> Query:
    """What the external system has accepted of each comment."""
    return Query(
        "SELECT doc FROM pushed_comment WHERE case_id = :case_id AND connector_id = :connector_id",
        {"case_id": case_id, "connector_id": connector_id},
    )


def accepted_from_row(row: Row) -> AcceptedComment:
    """The entry of a row of `accepted_query`."""
    return _comments.decode(row[0])


def accepted_write(case_id: str, connector_id: str, accepted: AcceptedComment) -> Write:
    """Keeps that a comment was accepted in this revision and text."""
    return Write(
        "INSERT INTO pushed_comment (case_id, connector_id, comment_id, revision, doc) "
        "VALUES (:case_id, :connector_id, :comment_id, :revision, :doc) "
        "ON CONFLICT (case_id, connector_id, comment_id) "
        "DO UPDATE SET revision = excluded.revision, doc = excluded.doc",
        {
            "case_id": case_id,
            "connector_id": connector_id,
            "comment_id": accepted.comment_id,
            "revision": accepted.revision,
            "doc": _encoder.encode(accepted).decode(),
        },
    )


async def by_idempotency_key(
    database: Database, space: str, username: str, key: str, since: datetime
) -> Delivery | None:
    """The delivery this user asked for with this key, if not longer ago than `since`."""
    rows = await database.read(
        "SELECT d.version, d.doc FROM idempotency i JOIN delivery d ON d.id = i.delivery_id "
        "WHERE i.space = :space AND i.username = :username AND i.key = :key AND i.created_at >= :since",
        {"space": space, "username": username, "key": key, "since": to_ms(since)},
    )
    return _from_row(rows[0]) if rows else None


def idempotency_write(
    space: str, username: str, key: str, delivery_id: str, at: datetime, since: datetime, taken: Refused
) -> Write:
    """Ties a key to a delivery; `taken` when it is tied to another since `since`."""
    return Write(
        "INSERT INTO idempotency (space, username, key, delivery_id, created_at) "
        "VALUES (:space, :username, :key, :delivery_id, :at) ON CONFLICT (space, username, key) DO UPDATE "
        "SET delivery_id = excluded.delivery_id, created_at = excluded.created_at "
        "WHERE idempotency.created_at < :since RETURNING delivery_id",
        {
            "space": space,
            "username": username,
            "key": key,
            "delivery_id": delivery_id,
            "at": to_ms(at),
            "since": to_ms(since),
        },
        conflict=taken,
    )
