"""Accounts of this server's users in the store, and the one read that every request begins with."""

from __future__ import annotations

from typing import Any

import msgspec

from casebridge.domain.errors import Conflict, NotFound, VersionConflict
from casebridge.domain.space import Space
from casebridge.domain.user import Account
from casebridge.storage import spaces
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


async def account_and_space(
    database: Database, username: str | None, space_id: str
) -> tuple[Account | None, Space | None]:
    """The account and the space a request names, each None if there is none such: one round trip for both."""
    rows = await database.peek(
        "SELECT (SELECT doc FROM account WHERE username = :username), (SELECT doc FROM space WHERE id = :space_id)",
        {"username": username, "space_id": space_id},
    )
    account, space = rows[0]
    return None if account is None else _decoder.decode(account), None if space is None else spaces.from_doc(space)


async def any_exists(database: Database) -> bool:
    """Whether the store knows any user."""
    return bool(await database.read("SELECT 1 FROM account LIMIT 1"))


async def create(database: Database, account: Account) -> None:
    """Store a new account; Conflict when the name is taken."""
    await database.commit([_insert(account)])


async def create_first_admin(database: Database, account: Account) -> bool:
    """Store an account if it is the first of all; False, and nothing is written, if there is one already."""
    nobody = Write("SELECT 1 WHERE NOT EXISTS (SELECT 1 FROM account)", {}, conflict=_taken(account))
    try:
        await database.commit([nobody, _insert(account)])
    except Conflict:
        return False
    return True


async def save(database: Database, account: Account, version: int) -> None:
    """Replace an account that must still be at this version; VersionConflict when it is not, or is gone."""
    update = Write(
        "UPDATE account SET version = next_version(), doc = :doc "
        "WHERE username = :username AND version = :version RETURNING version",
        {**_params(account), "version": version},
        conflict=VersionConflict("account", account.username),
    )
    await database.commit([update])


async def delete(database: Database, username: str) -> None:
    """Remove an account; NotFound when there is none."""
    remove = Write(
        "DELETE FROM account WHERE username = :username RETURNING username",
        {"username": username},
        conflict=NotFound("account", username),
    )
    await database.commit([remove])


def _insert(account: Account) -> Write:
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
