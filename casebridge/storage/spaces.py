"""Spaces in the store. Deleting one deletes everything in it, in the same change."""

from __future__ import annotations

from typing import Any

import msgspec

from casebridge.domain.errors import Conflict, NotFound
from casebridge.domain.space import Space
from casebridge.storage.session import Database, Write

_decoder = msgspec.json.Decoder(Space)

# Children before their parents: SQLite runs the statements in this order. What is named by its case, or its delivery,
# is found through it.
_BY_PARENT = (
    ("attempt", "delivery_id", "delivery"),
    ("user_action", "case_id", "cases"),
    ("pushed_comment", "case_id", "cases"),
    ("file_link", "file_id", "file"),
)
BY_SPACE = (
    "alert_update",
    "attachment",
    "external_record",
    "idempotency",
    "delivery",
    "case_count",
    "observable_link",
    "alert_link",
    "file",
    "cases",
    "configuration",
    "connector",
    "connector_settings",
    "automation",
    "connector_health",
    "saved_view",
    "mention",
)
ONLY_SQLITE = ("case_tag", "case_assignee")


async def get(database: Database, id_: str) -> Space | None:
    """The space of this id."""
    rows = await database.read("SELECT doc FROM space WHERE id = :id", {"id": id_})
    return from_doc(rows[0][0]) if rows else None


async def list_all(database: Database) -> list[Space]:
    """Every space, by id."""
    return [from_doc(row[0]) for row in await database.read("SELECT doc FROM space ORDER BY id")]


async def create(database: Database, space: Space, *more: Write) -> None:
    """Store a new space and begin its numbers, and write `more` with it; Conflict when the id is taken."""
    insert = Write(
        "INSERT INTO space (id, version, doc) VALUES (:id, next_version(), :doc) "
        "ON CONFLICT (id) DO NOTHING RETURNING version",
        _params(space),
        conflict=Conflict(f"There is a space [space/{space.id}] already; choose another id."),
    )
    await database.commit([insert, Write("SELECT start_numbers(:id)", {"id": space.id}), *more])


async def replace(database: Database, space: Space, *more: Write) -> None:
    """Store a space in place of the one with its id; NotFound when there is none."""
    update = Write(
        "UPDATE space SET version = next_version(), doc = :doc WHERE id = :id RETURNING version",
        _params(space),
        conflict=NotFound("space", space.id),
    )
    await database.commit([update, *more])


async def delete(database: Database, id_: str, *more: Write) -> None:
    """Remove a space and everything in it; NotFound when there is none. The audit trail keeps what it knows."""
    params = {"id": id_}
    remove = Write("DELETE FROM space WHERE id = :id RETURNING id", params, conflict=NotFound("space", id_))
    tables = (*BY_SPACE, *ONLY_SQLITE) if database.dialect == "sqlite" else BY_SPACE
    await database.commit(
        [
            remove,
            *(
                Write(f"DELETE FROM {table} WHERE {column} IN (SELECT id FROM {parent} WHERE space = :id)", params)
                for table, column, parent in _BY_PARENT
            ),
            *(Write(f"DELETE FROM {table} WHERE space = :id", params) for table in tables),
            *more,
        ]
    )


def from_doc(doc: str) -> Space:
    """The space of a stored document."""
    return _decoder.decode(doc)


def _params(space: Space) -> dict[str, Any]:
    return {"id": space.id, "doc": msgspec.json.encode(space).decode()}
