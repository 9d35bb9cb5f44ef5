"""What is kept beside a connector: our own settings of it, and how it is."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Any

import msgspec

from casebridge.domain.circuit import ConnectorHealth, LastError
from casebridge.domain.delivery import FAILED, QUEUED, SENDING, UNCERTAIN, WAITING
from casebridge.domain.errors import Refused
from casebridge.storage.session import Database, Write, from_ms, to_ms
from casebridge.storage.where import Where

UNSETTLED = (QUEUED, SENDING, WAITING, UNCERTAIN, FAILED)
_errors = msgspec.json.Decoder(LastError)


async def get_settings(database: Database, space: str, id_: str) -> tuple[int | None, dict[str, Any]]:
    """Version and settings; no version: none were ever saved."""
    rows = await database.peek(
        "SELECT version, doc FROM connector_settings WHERE space = :space AND connector_id = :id",
        {"space": space, "id": id_},
    )
    return (rows[0][0], msgspec.json.decode(rows[0][1])) if rows else (None, {})


def settings_write(space: str, id_: str, at_version: int | None, settings: dict[str, Any], conflict: Refused) -> Write:
    """Saves settings that are still at a version (None: there are none yet), else `conflict`; their new `version`."""
    params: dict[str, Any] = {"space": space, "id": id_, "doc": msgspec.json.encode(settings).decode()}
    if at_version is None:
        insert = (
            "INSERT INTO connector_settings (version, space, connector_id, doc) "
            "VALUES (next_version(), :space, :id, :doc) ON CONFLICT (space, connector_id) DO NOTHING RETURNING version"
        )
        return Write(insert, params, conflict)
    update = (
        "UPDATE connector_settings SET version = next_version(), doc = :doc "
        "WHERE space = :space AND connector_id = :id AND version = :at_version RETURNING version"
    )
    return Write(update, {**params, "at_version": at_version}, conflict)


def forget_writes(space: str, id_: str) -> list[Write]:
    """What goes with a deleted connector."""
    return [
        Write(f"DELETE FROM {table} WHERE space = :space AND connector_id = :id", {"space": space, "id": id_})
        for table in ("connector_settings", "connector_health")
    ]


async def get_health(database: Database, space: str, id_: str) -> ConnectorHealth:
    """How a connector is; one that was never used is well."""
    rows = await database.peek(
        "SELECT faults, probe_at, last_success_at, last_error FROM connector_health "
        "WHERE space = :space AND connector_id = :id",
        {"space": space, "id": id_},
    )
    return _health(rows[0]) if rows else ConnectorHealth()


async def list_health(database: Database, space: str) -> dict[str, ConnectorHealth]:
    """How the connectors of a space are, by id; one that is missing was never used."""
    rows = await database.read(
        "SELECT connector_id, faults, probe_at, last_success_at, last_error FROM connector_health WHERE space = :space",
        {"space": space},
    )
    return {row[0]: _health(row[1:]) for row in rows}


def _health(row: Sequence[Any]) -> ConnectorHealth:
    faults, probe_at, last_success_at, last_error = row
    return ConnectorHealth(
        faults=faults,
        probe_at=None if probe_at is None else from_ms(probe_at),
        last_success_at=None if last_success_at is None else from_ms(last_success_at),
        last_error=None if last_error is None else _errors.decode(last_error),
    )


async def list_faulty(database: Database) -> list[ConnectorHealth]:
    """Of every connector that had a fault since its last success: how many, and when it may be probed."""
    rows = await database.read("SELECT faults, probe_at FROM connector_health WHERE faults > 0")
    return [ConnectorHealth(faults=row[0], probe_at=None if row[1] is None else from_ms(row[1])) for row in rows]


async def count_used(database: Database) -> int:
    """How many connectors were ever used."""
    return int((await database.read("SELECT count(*) FROM connector_health"))[0][0])


_INSERT = (
    "INSERT INTO connector_health (space, connector_id, faults, probe_at, last_success_at, last_error) "
    "VALUES (:space, :id, :faults, :probe_at, :success_at, :error) ON CONFLICT (space, connector_id) DO UPDATE SET "
)


def success_write(space: str, id_: str, at: datetime) -> Write:
    """The connector did what it was asked: its circuit is closed."""
    return Write(
        _INSERT + "faults = 0, probe_at = NULL, last_success_at = excluded.last_success_at",
        {"space": space, "id": id_, "faults": 0, "probe_at": None, "success_at": to_ms(at), "error": None},
    )


def fault_write(space: str, id_: str, error: LastError, probe_at: datetime) -> Write:
    """A passing fault more. `probe_at` matters once the circuit is open."""
    return Write(
        _INSERT
        + "faults = connector_health.faults + 1, probe_at = excluded.probe_at, last_error = excluded.last_error",
        {
            "space": space,
            "id": id_,
            "faults": 1,
            "probe_at": to_ms(probe_at),
            "success_at": None,
            "error": msgspec.json.encode(error).decode(),
        },
    )


def probe_write(space: str, id_: str, seen: datetime, next_: datetime, taken: Refused) -> Write:
    """Takes the probe of an open circuit that was seen due at `seen`; `taken` when another worker has it."""
    return Write(
        "UPDATE connector_health SET probe_at = :next WHERE space = :space AND connector_id = :id "
        "AND probe_at = :seen RETURNING faults",
        {"next": to_ms(next_), "space": space, "id": id_, "seen": to_ms(seen)},
        conflict=taken,
    )


async def count_unsettled(database: Database, space: str) -> dict[str, dict[str, int]]:
    """Connector id -> state -> deliveries of a space that wait for something: a try, an answer, or a person."""
    where = Where().also("space = :space", space=space).among("state", UNSETTLED)
    rows = await database.read(
        f"SELECT connector_id, state, count(*) FROM delivery WHERE {where.text} GROUP BY connector_id, state",
        where.params,
    )
    counts: dict[str, dict[str, int]] = {}
    for id_, state, count in rows:
        counts.setdefault(id_, {})[state] = count
    return counts


async def count_deliveries(database: Database, space: str, id_: str) -> dict[str, int]:
    """How many deliveries of a connector are in each state."""
    where = Where().also("space = :space AND connector_id = :id", space=space, id=id_)
    rows = await database.read(f"SELECT state, count(*) FROM delivery WHERE {where.text} GROUP BY state", where.params)
    return {row[0]: row[1] for row in rows}
