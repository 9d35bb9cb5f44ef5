"""Profiles in the store, read together with the accounts they belong to."""

from __future__ import annotations

from collections.abc import Sequence

import msgspec

from casebridge.domain.profile import Profile, refreshed
from casebridge.domain.user import Account
from casebridge.storage.session import Database, Row, Write
from casebridge.storage.where import Where

_decoder = msgspec.json.Decoder(Profile)
_accounts = msgspec.json.Decoder(Account)
_SELECT = "SELECT p.doc, a.doc FROM profile p LEFT JOIN account a ON a.username = p.username"

MOST_READ = 10_000


async def of_user(database: Database, username: str) -> Profile | None:
    """The profile of a user, if there is one."""
    rows = await database.read(f"{_SELECT} WHERE p.username = :username", {"username": username})
    return _from_row(rows[0]) if rows else None


async def get_many(database: Database, uids: Sequence[str]) -> list[Profile]:
    """The profiles that exist among these ids, in the order asked."""
    where = Where().among("p.uid", uids)
    found = {
        each.uid: each for each in map(_from_row, await database.read(f"{_SELECT} WHERE {where.text}", where.params))
    }
    return [found[uid] for uid in uids if uid in found]


async def list_all(database: Database) -> list[Profile]:
    """Every profile, by user name."""
    return [_from_row(row) for row in await database.read(f"{_SELECT} ORDER BY p.username LIMIT {MOST_READ}")]


def put_write(profile: Profile) -> Write:
    """Stores a profile; of one that the user has already the id stays. RETURNING gives the id."""
    return Write(
        "INSERT INTO profile (uid, username, version, doc) VALUES (:uid, :username, next_version(), :doc) "
        "ON CONFLICT (username) DO UPDATE SET version = excluded.version RETURNING uid",
        {"uid": profile.uid, "username": profile.username, "doc": _text(profile)},
    )


def update_write(profile: Profile) -> Write:
    """Replaces the stored copy of the profile of this id."""
    return Write(
        "UPDATE profile SET version = next_version(), doc = :doc WHERE uid = :uid RETURNING uid",
        {"uid": profile.uid, "doc": _text(profile)},
    )


def _from_row(row: Row) -> Profile:
    profile, account = row
    return refreshed(_decoder.decode(profile), None if account is None else _accounts.decode(account))


def _text(profile: Profile) -> str:
    return msgspec.json.encode(profile).decode()
