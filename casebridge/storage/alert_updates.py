"""What documents of alerts are still to be told: one row a document, claimed under a lease, gone once it has arrived.

A newer change goes on top of the row, whoever holds it; its holder then may not let it go. Only one holds a row at a
time, so two updates of a document never pass each other on the way.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime

import msgspec

from casebridge.domain.alert_update import FAILED, QUEUED, AlertUpdate
from casebridge.storage.session import Database, Write, insert_many, to_ms
from casebridge.storage.where import Where

_COLUMNS = {
    "space": "text",
    "digest": "text",
    "index_name": "text",
    "alert_id": "text",
    "status": "text",
    "cases": "jsonb",
    "state": "text",
    "version": "bigint",
    "attempts": "bigint",
    "next_attempt_at": "bigint",
    "updated_at": "bigint",
}
_cases = msgspec.json.Decoder(dict[str, bool])
_DUE = "next_attempt_at <= :now AND (lease_until IS NULL OR lease_until < :now)"


class Claimed(msgspec.Struct, frozen=True):
    """An update that is ours to send, and how often that was tried, this time included."""

    update: AlertUpdate
    attempts: int


def queue_write(database: Database, space: str, updates: Sequence[AlertUpdate], at: datetime) -> Write:
    """Has these updates sent, each of another document, on top of what was still to be sent."""
    now = to_ms(at)
    rows = [
        (
            *(space, each.digest, each.index, each.alert_id, each.status),
            *(msgspec.json.encode(each.cases).decode(), QUEUED, 0, 0, now, now),
        )
        for each in updates
    ]
    insert = insert_many("alert_update", _COLUMNS, rows, database.dialect)
    both = "alert_update.cases || excluded.cases"
    if database.dialect == "sqlite":
        both = "json_patch(alert_update.cases, excluded.cases)"
    return Write(
        f"{insert.sql} ON CONFLICT (space, digest) DO UPDATE SET version = alert_update.version + 1, "
        f"status = coalesce(excluded.status, alert_update.status), cases = {both}, state = excluded.state, "
        "attempts = 0, next_attempt_at = excluded.next_attempt_at, updated_at = excluded.updated_at, error = NULL",
        insert.params,
    )


async def claim(
    database: Database, space: str, lease_id: str, now: datetime, until: datetime, most: int
) -> list[Claimed]:
    """Up to `most` updates that are due, all of one index, ours until `until`; none when there is nothing to do."""
    params = {"space": space, "now": to_ms(now)}
    due = f"SELECT index_name FROM alert_update WHERE space = :space AND {_DUE} ORDER BY next_attempt_at LIMIT 1"
    found = await database.read(due, params)
    if not found:
        return []
    chosen = (
        "SELECT digest FROM alert_update WHERE space = :space AND index_name = :index_name "
        f"AND {_DUE} ORDER BY next_attempt_at LIMIT :most"
    )
    take = Write(
        "UPDATE alert_update SET lease_id = :lease_id, lease_until = :until, sent_version = version, "
        f"attempts = attempts + 1 WHERE space = :space AND digest IN ({chosen}) AND {_DUE} "
        "RETURNING index_name, alert_id, status, cases, attempts",
        {**params, "index_name": found[0][0], "lease_id": lease_id, "until": to_ms(until), "most": most},
    )
    (rows,) = await database.commit([take])
    return [
        Claimed(
            AlertUpdate(
                index=row["index_name"],
                alert_id=row["alert_id"],
                status=row["status"],
                cases=_cases.decode(row["cases"]),
            ),
            row["attempts"],
        )
        for row in rows
    ]


async def renew(database: Database, space: str, lease_id: str, until: datetime) -> bool:
    """Whether the updates of this claim are still ours, now until `until`."""
    write = Write(
        "UPDATE alert_update SET lease_until = :until WHERE space = :space AND lease_id = :lease_id RETURNING digest",
        {"until": to_ms(until), "space": space, "lease_id": lease_id},
    )
    (rows,) = await database.commit([write])
    return bool(rows)


def done_write(space: str, lease_id: str, digests: Sequence[str]) -> Write:
    """Forgets updates that have arrived; one that was changed meanwhile stays."""
    where = _held(space, lease_id, digests)
    return Write(f"DELETE FROM alert_update WHERE {where.text}", where.params)


def fault_write(
    space: str, lease_id: str, digests: Sequence[str], state: str, error: str, again: datetime | None
) -> Write:
    """Puts updates that did not arrive in this state, to be tried `again` or not; one changed meanwhile is due now."""
    where = _held(space, lease_id, digests)
    return Write(
        f"UPDATE alert_update SET state = :state, error = :error, next_attempt_at = :again WHERE {where.text}",
        {**where.params, "state": state, "error": error, "again": None if again is None else to_ms(again)},
    )


def _held(space: str, lease_id: str, digests: Sequence[str]) -> Where:
    where = Where().also("space = :space AND lease_id = :lease_id", space=space, lease_id=lease_id)
    return where.also("version = sent_version").among("digest", digests)


def release_write(space: str, lease_id: str) -> Write:
    """Lets go of whatever this claim still holds."""
    return Write(
        "UPDATE alert_update SET lease_id = NULL, lease_until = NULL WHERE space = :space AND lease_id = :lease_id",
        {"space": space, "lease_id": lease_id},
    )


async def revive(database: Database, space: str, now: datetime) -> None:
    """Have updates that were given up tried anew, as when the settings of the sink may have changed."""
    write = Write(
        "UPDATE alert_update SET state = :queued, attempts = 0, next_attempt_at = :now "
        "WHERE space = :space AND state = :failed",
        {"queued": QUEUED, "now": to_ms(now), "space": space, "failed": FAILED},
    )
    await database.commit([write])


async def tally(database: Database) -> Mapping[str, int]:
    """How many updates have not arrived, by state."""
    return dict(await database.read("SELECT state, count(*) FROM alert_update GROUP BY state"))


class Listed(msgspec.Struct, frozen=True):
    """An update that has not arrived, and why."""

    update: AlertUpdate
    state: str
    error: str | None


async def list_all(database: Database, space: str) -> list[Listed]:
    """Every update of the space that has not arrived, by index and alert."""
    rows = await database.read(
        "SELECT index_name, alert_id, status, cases, state, error FROM alert_update WHERE space = :space "
        "ORDER BY index_name, alert_id",
        {"space": space},
    )
    return [
        Listed(AlertUpdate(index=row[0], alert_id=row[1], status=row[2], cases=_cases.decode(row[3])), row[4], row[5])
        for row in rows
    ]
