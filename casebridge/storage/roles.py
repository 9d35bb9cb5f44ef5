"""Roles in the store, and the turn: a number that changes with every change of users and roles.

Such a change carries `turn_write`, guarded by the turn it was decided upon. So a rule about all users together
(somebody must remain who may do everything) holds under parallel changes, and what a server remembers of roles is good
for one turn only.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import msgspec

from casebridge.domain.errors import Conflict, NotFound
from casebridge.domain.role import Role
from casebridge.storage.session import Database, Write
from casebridge.storage.where import Where

_decoder = msgspec.json.Decoder(Role)

TURN = "(SELECT value FROM meta WHERE key = 'access')"
"""SQL of the present turn, as text."""


class TurnedMeanwhile(Conflict):
    """Users or roles were changed by somebody else in between: look again and repeat."""

    def __init__(self) -> None:
        super().__init__("Users or roles were changed meanwhile; repeat the request.")


async def get_turn(database: Database) -> str:
    """The present turn."""
    rows = await database.read(f"SELECT {TURN}")
    return str(rows[0][0])


def turn_write(seen: str) -> Write:
    """Begins the next turn; TurnedMeanwhile unless the present one is still the one that was seen."""
    return Write(
        "UPDATE meta SET value = CAST(next_version() AS TEXT) WHERE key = 'access' AND value = :seen RETURNING value",
        {"seen": seen},
        conflict=TurnedMeanwhile(),
    )


async def get(database: Database, name: str) -> Role | None:
    """The role of this name."""
    return (await get_many(database, [name])).get(name)


async def get_many(database: Database, names: Sequence[str]) -> dict[str, Role]:
    """The roles that exist among these names, by name."""
    where = Where().among("name", names)
    rows = await database.peek(f"SELECT doc FROM role WHERE {where.text}", where.params)
    return {role.name: role for role in (_decoder.decode(row[0]) for row in rows)}


async def list_all(database: Database) -> list[Role]:
    """Every role, by name."""
    return [_decoder.decode(row[0]) for row in await database.read("SELECT doc FROM role ORDER BY name")]


def put_write(role: Role, *, create_only: bool) -> Write:
    """Stores a role in place of the one of its name; `create_only`: Conflict when there is one."""
    taken = "ON CONFLICT (name) DO UPDATE SET version = excluded.version, doc = excluded.doc"
    if create_only:
        taken = "ON CONFLICT (name) DO NOTHING"
    return Write(
        f"INSERT INTO role (name, version, doc) VALUES (:name, next_version(), :doc) {taken} RETURNING version",
        _params(role),
        conflict=Conflict(f"There is a role {role.name!r} already; without createOnly it is replaced."),
    )


def delete_write(name: str) -> Write:
    """Removes a role; NotFound when there is none."""
    return Write("DELETE FROM role WHERE name = :name RETURNING name", {"name": name}, conflict=NotFound("role", name))


def _params(role: Role) -> dict[str, Any]:
    return {"name": role.name, "doc": msgspec.json.encode(role).decode()}
