"""Accounts of this server's users in the store."""

from __future__ import annotations

from typing import Any

import msgspec

from casebridge.domain.errors import Conflict, NotFound, VersionConflict
from casebridge.domain.user import Account
from casebridge.storage.session import Database, Write

_decoder = msgspec.json.Decoder(Account)


class StoredAccount(msgspec.Struct, frozen=True):
    """An account, and the version it is stored at."""

    account: Account
    version: int


async def get(database: Database, username: str) -> StoredAccount | None:
    """The account of this name."""
    rows = await database.read("SELECT version, doc FROM account WHERE username = :username", {"username": username})
    return StoredAccount(_decoder.decode(rows[0][1]), rows[0][0]) if rows else None


async def list_all(database: Database) -> list[Account]:
    """Every account, by user name."""
    return [_decoder.decode(row[0]) for row in await database.read("SELECT doc FROM account ORDER BY username")]


async def any_exists(database: Database) -> bool:
    """Whether the store knows any user."""
    return bool(await database.read("SELECT 1 FROM account LIMIT 1"))


async def create(database: Database, account: Account) -> None:
    """Store a new account; Conflict when the name is taken."""
    await database.commit([insert_write(account)])


async def create_first_admin(database: Database, account: Account) -> bool:
    """Store an account if it is the first of all; False, and nothing is written, if there is one already."""
    nobody = Write("SELECT 1 WHERE NOT EXISTS (SELECT 1 FROM account)", {}, conflict=_taken(account))
    try:
        await database.commit([nobody, insert_write(account)])
    except Conflict:
        return False
    return True


async def save(database: Database, account: Account, version: int) -> None:
    """Replace an account that must still be at this version; VersionConflict when it is not, or is gone."""
    await database.commit([update_write(account, version)])


async def delete(database: Database, username: str) -> None:
    """Remove an account; NotFound when there is none."""
    await database.commit([delete_write(username)])


def update_write(account: Account, version: int) -> Write:
    """Replaces an account that must still be at this version; VersionConflict when it is not, or is gone."""
    return Write(
        "UPDATE account SET version = next_version(), doc = :doc "
        "WHERE username = :username AND version = :version RETURNING version",
        {**_params(account), "version": version},
        conflict=VersionConflict("account", account.username),
    )


def delete_write(username: str) -> Write:
    """Removes an account; NotFound when there is none."""
    return Write(
        "DELETE FROM account WHERE username = :username RETURNING username",
        {"username": username},
        conflict=NotFound("account", username),
    )


def insert_write(account: Account) -> Write:
    """Stores a new account; Conflict when the name is taken."""
    return Write(
        "INSERT INTO account (username, version, doc) VALUES (:username, next_version(), :doc) "
        "ON CONFLICT (username) DO NOTHING RETURNING version",
        _params(account),
        conflict=_taken(account),
    )


def _taken(account: Account) -> Conflict:
    return Conflict(f"There is a user {account.username} already.")


def _params(account: Account) -> dict[str, Any]:
    return {"username": account.username, "doc": msgspec.json.encode(account).decode()}
