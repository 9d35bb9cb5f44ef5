"""The one read that every request begins with: who the credentials name, the space, and the turn of users and roles."""

from __future__ import annotations

from typing import NamedTuple

import msgspec

from casebridge.domain.space import Space
from casebridge.domain.user import Account
from casebridge.storage import spaces
from casebridge.storage.roles import TURN
from casebridge.storage.session import Database

_decoder = msgspec.json.Decoder(Account)

_SPACE = "(SELECT doc FROM space WHERE id = :space_id)"
_BY_NAME = f"SELECT (SELECT doc FROM account WHERE username = :username), {_SPACE}, {TURN}"
_BY_KEY = (
    f"SELECT (SELECT doc FROM account WHERE username = (SELECT username FROM api_key WHERE id = :id)), {_SPACE}, "
    f"{TURN}, (SELECT doc FROM api_key WHERE id = :id)"
)
_BY_SESSION = (
    f"SELECT (SELECT doc FROM account WHERE username = (SELECT username FROM session WHERE id = :id)), {_SPACE}, "
    f"{TURN}, (SELECT doc FROM session WHERE id = :id)"
)


class Found(NamedTuple):
    """The account and the space a request names, each None if there is none such.

    `turn` is the present turn; `key` the stored document of the key that was named, if one was, and `session` that of
    a browser session.
    """

    account: Account | None
    space: Space | None
    turn: str
    key: str | None = None
    session: str | None = None


async def by_username(database: Database, username: str | None, space_id: str) -> Found:
    """For who says a user name."""
    rows = await database.peek(_BY_NAME, {"username": username, "space_id": space_id})
    account, space, turn = rows[0]
    return Found(_account(account), _space(space), turn)


async def by_key(database: Database, id_: str, space_id: str) -> Found:
    """For who shows an API key: the account is that of its owner."""
    rows = await database.peek(_BY_KEY, {"id": id_, "space_id": space_id})
    account, space, turn, key = rows[0]
    return Found(_account(account), _space(space), turn, key)


async def by_session(database: Database, digest: str, space_id: str) -> Found:
    """For who shows the token of a browser session with this digest."""
    rows = await database.peek(_BY_SESSION, {"id": digest, "space_id": space_id})
    account, space, turn, session = rows[0]
    return Found(_account(account), _space(space), turn, session=session)


def _account(doc: str | None) -> Account | None:
    return None if doc is None else _decoder.decode(doc)


def _space(doc: str | None) -> Space | None:
    return None if doc is None else spaces.from_doc(doc)
