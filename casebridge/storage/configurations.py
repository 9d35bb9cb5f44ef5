"""Case configurations in the store: one per owner and space."""

from __future__ import annotations

from collections.abc import Sequence

import msgspec

from casebridge.domain.configuration import Configuration
from casebridge.domain.errors import Refused
from casebridge.storage.session import Database, Write, to_ms
from casebridge.storage.where import Where

_decoder = msgspec.json.Decoder(Configuration)
_encoder = msgspec.json.Encoder()


async def list_all(database: Database, space: str, owners: Sequence[str]) -> list[Configuration]:
    """Configurations of these owners, oldest first."""
    where = Where().also("space = :space", space=space).among("owner", owners)
    rows = await database.read(
        f"SELECT version, doc FROM configuration WHERE {where.text} ORDER BY created_at, version", where.params
    )
    return [from_row(version, doc) for version, doc in rows]


async def of_owner(database: Database, space: str, owner: str) -> Configuration | None:
    """The configuration of one owner."""
    rows = await database.peek(
        "SELECT version, doc FROM configuration WHERE space = :space AND owner = :owner",
        {"space": space, "owner": owner},
    )
    return from_row(*rows[0]) if rows else None


async def get(database: Database, space: str, id_: str) -> Configuration | None:
    """A configuration by its id."""
    rows = await database.read(
        "SELECT version, doc FROM configuration WHERE id = :id AND space = :space", {"id": id_, "space": space}
    )
    return from_row(*rows[0]) if rows else None


def put_write(configuration: Configuration) -> Write:
    """Stores a configuration in place of the owner's present one, if any; gives back its `version`."""
    return Write(
        "INSERT INTO configuration (version, id, space, owner, created_at, connector_id, doc) "
        "VALUES (next_version(), :id, :space, :owner, :created_at, :connector_id, :doc) "
        "ON CONFLICT (space, owner) DO UPDATE SET id = excluded.id, version = excluded.version, "
        "created_at = excluded.created_at, connector_id = excluded.connector_id, doc = excluded.doc RETURNING version",
        {
            "id": configuration.id,
            "space": configuration.space,
            "owner": configuration.owner,
            "created_at": to_ms(configuration.created_at),
            "connector_id": configuration.connector.id,
            "doc": _encoder.encode(configuration).decode(),
        },
    )


def replace_write(old: Configuration, new: Configuration, conflict: Refused) -> Write:
    """Stores `new`, another id, in place of a configuration still at the version of `old`, else `conflict`."""
    return Write(
        "UPDATE configuration SET version = next_version(), id = :new_id, created_at = :created_at, "
        "connector_id = :connector_id, doc = :doc WHERE id = :id AND version = :at_version RETURNING version",
        {
            "new_id": new.id,
            "created_at": to_ms(new.created_at),
            "connector_id": new.connector.id,
            "doc": _encoder.encode(new).decode(),
            "id": old.id,
            "at_version": old.version,
        },
        conflict=conflict,
    )


def update_write(old: Configuration, new: Configuration, conflict: Refused) -> Write:
    """Replaces a configuration that is still at the version of `old`, else `conflict`; gives back its `version`."""
    return Write(
        "UPDATE configuration SET version = next_version(), connector_id = :connector_id, doc = :doc "
        "WHERE id = :id AND version = :at_version RETURNING version",
        {
            "connector_id": new.connector.id,
            "doc": _encoder.encode(new).decode(),
            "id": old.id,
            "at_version": old.version,
        },
        conflict=conflict,
    )


def from_row(version: int, doc: str) -> Configuration:
    """The configuration of a version and its document."""
    return msgspec.structs.replace(_decoder.decode(doc), version=version)
