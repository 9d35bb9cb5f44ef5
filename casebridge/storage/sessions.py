"""Browser sessions in the store, found by the digest of their token."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta

import msgspec

from casebridge.domain.session import MOST_PER_USER, Session, SessionRule
from casebridge.storage.session import Database, Write, to_ms

_decoder = msgspec.json.Decoder(Session)


def from_doc(doc: str) -> Session:
    """The session of a stored document."""
    return _decoder.decode(doc)


async def get(database: Database, digest: str) -> Session | None:
    """The session of this digest."""
    rows = await database.read("SELECT doc FROM session WHERE id = :id", {"id": digest})
    return _decoder.decode(rows[0][0]) if rows else None


async def list_of(database: Database, username: str) -> list[tuple[str, Session]]:
    """Digests and sessions of a user, the one seen last first."""
    rows = await database.read(
        "SELECT id, doc FROM session WHERE username = :username ORDER BY seen_at DESC, id", {"username": username}
    )
    return [(id_, _decoder.decode(doc)) for id_, doc in rows]


def insert_write(digest: str, session: Session) -> Write:
    """Stores a new session."""
    return Write(
        "INSERT INTO session (id, username, created_at, seen_at, doc) "
        "VALUES (:id, :username, :created_at, :seen_at, :doc)",
        {
            "id": digest,
            "username": session.username,
            "created_at": to_ms(session.created_at),
            "seen_at": to_ms(session.seen_at),
            "doc": msgspec.json.encode(session).decode(),
        },
    )


def touch_write(digest: str, session: Session) -> Write:
    """Notes that a session was seen; nothing happens to one that is gone."""
    return Write(
        "UPDATE session SET seen_at = :seen_at, doc = :doc WHERE id = :id",
        {"id": digest, "seen_at": to_ms(session.seen_at), "doc": msgspec.json.encode(session).decode()},
    )


def purge_writes(username: str, rule: SessionRule, now: datetime) -> list[Write]:
    """Removes sessions that are over, and of this user all but the newest."""
    return [
        Write(
            "DELETE FROM session WHERE seen_at <= :idle OR created_at <= :old OR (username = :username AND id NOT IN "
            "(SELECT id FROM session WHERE username = :username ORDER BY seen_at DESC LIMIT :most))",
            {
                "idle": to_ms(now - timedelta(seconds=rule.idle_s)),
                "old": to_ms(now - timedelta(seconds=rule.lifetime_s)),
                "username": username,
                "most": MOST_PER_USER - 1,
            },
        )
    ]


def delete_write(digest: str) -> Write:
    """Ends one session."""
    return Write("DELETE FROM session WHERE id = :id", {"id": digest})


def delete_of_write(username: str, *, but: Sequence[str] = ()) -> Write:
    """Ends the sessions of a user, except the one of this digest if one is given."""
    return Write(
        "DELETE FROM session WHERE username = :username AND id <> :kept",
        {"username": username, "kept": but[0] if but else ""},
    )
