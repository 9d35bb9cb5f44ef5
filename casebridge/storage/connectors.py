"""Connectors in the store; their secrets only ever as sealed bytes."""

from __future__ import annotations

from typing import Any

import msgspec

from casebridge.domain.connector import Connector
from casebridge.domain.errors import NotFound, Refused
from casebridge.storage.session import Database, Query, Row, Write


class _Doc(msgspec.Struct, frozen=True):
    name: str
    type: str
    config: dict[str, Any]
    is_missing_secrets: bool = False


_decoder = msgspec.json.Decoder(_Doc)
_SELECT = "SELECT space, id, version, sealed, doc FROM connector"


def get_query(space: str, id_: str) -> Query:
    """The read of one connector, to be sent together with others."""
    return Query(f"{_SELECT} WHERE space = :space AND id = :id", {"space": space, "id": id_})


async def get(database: Database, space: str, id_: str) -> Connector | None:
    """One stored connector of the space."""
    query = get_query(space, id_)
    rows = await database.peek(query.sql, query.params)
    return from_row(rows[0]) if rows else None


async def list_all(database: Database, space: str, most: int) -> list[Connector]:
    """The stored connectors of a space, in no particular order."""
    rows = await database.read(f"{_SELECT} WHERE space = :space LIMIT :most", {"space": space, "most": most})
    return [from_row(row) for row in rows]


async def count_references(database: Database) -> dict[str, int]:
    """How many cases and configurations of the instance name each connector id."""
    rows = await database.read(
        "SELECT connector_id, CAST(sum(n) AS bigint) FROM ("
        "SELECT connector_id, count(*) AS n FROM cases WHERE connector_id <> 'none' GROUP BY connector_id UNION ALL "
        "SELECT connector_id, count(*) AS n FROM configuration WHERE connector_id <> 'none' GROUP BY connector_id"
        ") named GROUP BY connector_id"
    )
    return {row[0]: row[1] for row in rows}


def insert_write(connector: Connector, conflict: Refused) -> Write:
    """Stores a new connector; `conflict` when its id is taken in the space."""
    return Write(
        "INSERT INTO connector (version, space, id, sealed, doc) "
        "VALUES (next_version(), :space, :id, :sealed, :doc) ON CONFLICT (space, id) DO NOTHING RETURNING version",
        _params(connector),
        conflict=conflict,
    )


def update_write(connector: Connector) -> Write:
    """Replaces name, config and secrets; NotFound when it is gone."""
    return Write(
        "UPDATE connector SET version = next_version(), sealed = :sealed, doc = :doc "
        "WHERE space = :space AND id = :id RETURNING version",
        _params(connector),
        conflict=NotFound("action", connector.id),
    )


def delete_write(space: str, id_: str) -> Write:
    """Removes a connector; NotFound when there is none."""
    return Write(
        "DELETE FROM connector WHERE space = :space AND id = :id RETURNING id",
        {"space": space, "id": id_},
        conflict=NotFound("action", id_),
    )


async def list_sealed(database: Database) -> list[tuple[str, str, bytes]]:
    """Every sealed envelope as (space, connector id, bytes), for a change of keys."""
    rows = await database.read("SELECT space, id, sealed FROM connector WHERE sealed IS NOT NULL")
    return [(space, id_, bytes(sealed)) for space, id_, sealed in rows]


def reseal_write(space: str, id_: str, old: bytes, new: bytes) -> Write:
    """Replaces an envelope by the same secrets under another key, unless it was changed meanwhile."""
    return Write(
        "UPDATE connector SET sealed = :new WHERE space = :space AND id = :id AND sealed = :old",
        {"new": new, "space": space, "id": id_, "old": old},
    )


def from_row(row: Row) -> Connector:
    """The connector of a row of `get_query`."""
    space, id_, version, sealed, text = row
    doc = _decoder.decode(text)
    return Connector(
        id=id_,
        space=space,
        name=doc.name,
        type=doc.type,
        config=doc.config,
        sealed=None if sealed is None else bytes(sealed),
        version=version,
        is_missing_secrets=doc.is_missing_secrets,
    )


def _params(connector: Connector) -> dict[str, Any]:
    doc = _Doc(connector.name, connector.type, connector.config, connector.is_missing_secrets)
    return {
        "space": connector.space,
        "id": connector.id,
        "sealed": connector.sealed,
        "doc": msgspec.json.encode(doc).decode(),
    }
