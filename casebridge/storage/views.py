"""Saved views of the list of cases in the store."""

from __future__ import annotations

from casebridge.domain.errors import Conflict, NotFound
from casebridge.domain.saved_view import SavedView
from casebridge.storage.session import Database, Write

_COLUMNS = "id, username, name, shared, query"


async def list_usable(database: Database, space: str, username: str) -> list[SavedView]:
    """A user's own views and those that others share, by name."""
    rows = await database.read(
        f"SELECT {_COLUMNS} FROM saved_view WHERE space = :space AND (username = :username OR shared = :yes) "
        "ORDER BY name, id LIMIT 500",
        {"space": space, "username": username, "yes": True},
    )
    return [SavedView(id_, owner, name, bool(shared), query) for id_, owner, name, shared, query in rows]


def insert_write(space: str, view: SavedView) -> Write:
    """Stores a new view; Conflict when the user has one of that name."""
    return Write(
        "INSERT INTO saved_view (id, space, username, name, shared, query) "
        "VALUES (:id, :space, :username, :name, :shared, :query) "
        "ON CONFLICT (space, username, name) DO NOTHING RETURNING id",
        {
            "id": view.id,
            "space": space,
            "username": view.username,
            "name": view.name,
            "shared": view.shared,
            "query": view.query,
        },
        conflict=Conflict(f"You have a view named {view.name!r} already; choose another name, or delete that one."),
    )


def delete_write(space: str, username: str, id_: str) -> Write:
    """Removes one of a user's own views; NotFound when there is none such."""
    return Write(
        "DELETE FROM saved_view WHERE space = :space AND username = :username AND id = :id RETURNING id",
        {"space": space, "username": username, "id": id_},
        conflict=NotFound("view", id_),
    )
