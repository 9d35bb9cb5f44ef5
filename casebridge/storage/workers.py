"""Signs of life of the workers that share a database, kept among the store's own facts."""

from __future__ import annotations

from datetime import datetime, timedelta

import msgspec

from casebridge.storage.session import Database, Query, Row, Write

_PREFIX = "worker."


class Sign(msgspec.Struct, frozen=True, kw_only=True):
    """A worker that was there at `seen_at`; `command` is what it was started as: `serve` or `worker`."""

    id: str
    command: str
    host: str
    pid: int
    version: str
    started_at: datetime
    seen_at: datetime


_decoder = msgspec.json.Decoder(Sign)
_encoder = msgspec.json.Encoder()


def sign_write(sign: Sign) -> Write:
    """Keeps the newest sign of a worker."""
    return Write(
        "INSERT INTO meta (key, value) VALUES (:key, :value) ON CONFLICT (key) DO UPDATE SET value = excluded.value",
        {"key": _PREFIX + sign.id, "value": _encoder.encode(sign).decode()},
    )


def forget_write(id_: str) -> Write:
    """Forgets a worker."""
    return Write("DELETE FROM meta WHERE key = :key", {"key": _PREFIX + id_})


def signs_query() -> Query:
    """Every worker that was not forgotten."""
    return Query("SELECT value FROM meta WHERE key >= :first AND key < :after", {"first": _PREFIX, "after": "worker/"})


def from_row(row: Row) -> Sign:
    """The sign of a row of `signs_query`."""
    return _decoder.decode(row[0])


async def list_signs(database: Database) -> list[Sign]:
    """The last sign of every worker, longest running first."""
    query = signs_query()
    rows = await database.read(query.sql, query.params)
    return sorted(map(from_row, rows), key=lambda each: each.started_at)


async def forget_older(database: Database, now: datetime, age: timedelta) -> None:
    """Forget workers that ended without saying so."""
    gone = [each.id for each in await list_signs(database) if now - each.seen_at > age]
    await database.commit([forget_write(each) for each in gone])
