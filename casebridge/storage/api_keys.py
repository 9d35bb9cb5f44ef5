"""API keys in the store; of a secret it holds only the digest."""

from __future__ import annotations

from collections.abc import Sequence

import msgspec

from casebridge.domain.api_key import ApiKey
from casebridge.domain.errors import Conflict
from casebridge.storage.session import Database, Row, Write, to_ms
from casebridge.storage.where import Where

_decoder = msgspec.json.Decoder(ApiKey)
MOST_LISTED = 10_000


class KeyMoved(Conflict):
    """A key was changed by somebody else in between: look again and repeat."""

    def __init__(self) -> None:
        super().__init__("The keys were changed meanwhile; repeat the request.")


class StoredKey(msgspec.Struct, frozen=True):
    """A key, and the version it is stored at."""

    key: ApiKey
    version: int


def from_doc(doc: str) -> ApiKey:
    """The key of a stored document."""
    return _decoder.decode(doc)


async def find(database: Database, *, ids: Sequence[str] | None = None, username: str | None = None) -> list[StoredKey]:
    """Keys by age, narrowed by what is not None."""
    where = Where()
    if ids is not None:
        where.among("id", ids)
    if username is not None:
        where.also("username = :username", username=username)
    rows = await database.read(
        f"SELECT version, doc FROM api_key WHERE {where.text} ORDER BY created_at, id LIMIT {MOST_LISTED}", where.params
    )
    return [_from_row(row) for row in rows]


def insert_write(key: ApiKey) -> Write:
    """Stores a new key."""
    return Write(
        "INSERT INTO api_key (id, username, created_at, version, doc) "
        "VALUES (:id, :username, :created_at, next_version(), :doc) RETURNING version",
        {"id": key.id, "username": key.username, "created_at": to_ms(key.created_at), "doc": _text(key)},
    )


def update_write(stored: StoredKey, key: ApiKey) -> Write:
    """Replaces a key at the version it was loaded with."""
    return Write(
        "UPDATE api_key SET version = next_version(), doc = :doc WHERE id = :id AND version = :version RETURNING id",
        {"id": key.id, "version": stored.version, "doc": _text(key)},
        conflict=KeyMoved(),
    )


def delete_write(ids: Sequence[str]) -> Write:
    """Removes keys."""
    where = Where().among("id", ids)
    return Write(f"DELETE FROM api_key WHERE {where.text}", where.params)


def delete_of_user_write(username: str) -> Write:
    """Removes all keys of a user."""
    return Write("DELETE FROM api_key WHERE username = :username", {"username": username})


def _from_row(row: Row) -> StoredKey:
    return StoredKey(_decoder.decode(row[1]), row[0])


def _text(key: ApiKey) -> str:
    return msgspec.json.encode(key).decode()
