"""User actions in the store: written once, read by page and type, gone only with their case."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal

import msgspec

from casebridge.domain.participation import UNKNOWN
from casebridge.domain.query import Page
from casebridge.domain.user import User
from casebridge.domain.user_action import ActivityTally, UserAction
from casebridge.storage.session import FEW_ROWS, Database, Query, Row, Write, insert_many, insert_rows
from casebridge.storage.where import Where

_decoder = msgspec.json.Decoder(UserAction)
_encoder = msgspec.json.Encoder()
_users = msgspec.json.Decoder(User)

_PSEUDO_TYPES = {
    "action": "(comment_type IS NULL OR comment_type <> 'user')",
    "user": "(type = 'comment' AND comment_type = 'user' AND action = 'create')",
    "alert": "(type = 'comment' AND comment_type = 'alert')",
    "attachment": "(type = 'comment' AND comment_type IN ('persistableState', 'externalReference'))",
}


_COLUMNS = {
    "case_id": "text",
    "seq": "bigint",
    "type": "text",
    "action": "text",
    "comment_id": "text",
    "comment_type": "text",
    "doc": "jsonb",
}


def insert_write(actions: Sequence[UserAction], dialect: Literal["sqlite", "postgresql"]) -> Write:
    """Stores the records of one change."""
    rows = [
        (
            each.case_id,
            each.seq,
            each.type,
            each.action,
            each.comment_id,
            each.payload["comment"]["type"] if each.type == "comment" else None,
            _encoder.encode(each).decode(),
        )
        for each in actions
    ]
    if len(rows) <= FEW_ROWS:
        return insert_rows("user_action", tuple(_COLUMNS), rows)
    return insert_many("user_action", _COLUMNS, rows, dialect)


def list_query(case_id: str, types: Sequence[str] | None = None) -> Query:
    """All records of a case, or those of some real types, oldest first, to be read together with the case."""
    where = Where().also("case_id = :case_id", case_id=case_id)
    if types is not None:
        where.among("type", types)
    return Query(f"SELECT doc FROM user_action WHERE {where.text} ORDER BY seq", where.params)


async def list_all(database: Database, case_id: str) -> list[UserAction]:
    """All records of a case, oldest first."""
    query = list_query(case_id)
    return [_decoder.decode(row[0]) for row in await database.read(query.sql, query.params)]


def page_queries(case_id: str, types: Sequence[str], page: Page, *, descending: bool) -> list[Query]:
    """The reads of one page of a case's records, as rows `(doc,)`, and of how many there are of these types.

    `types` may hold pseudo types; none at all: every record, whose number the case itself knows, so it is not read.
    """
    where = Where().also("case_id = :case_id", case_id=case_id)
    types = list(dict.fromkeys(types))
    real = [each for each in types if each not in _PSEUDO_TYPES]
    either = [_PSEUDO_TYPES[each] for each in types if each in _PSEUDO_TYPES]
    if real:
        either.extend(where.listed("type", real))
    if either:
        where.also(f"({' OR '.join(either)})")
    direction = "DESC" if descending else "ASC"
    rows = Query(
        f"SELECT doc FROM user_action WHERE {where.text} ORDER BY seq {direction} LIMIT :most OFFSET :skip",
        {**where.params, "most": page.size, "skip": page.offset},
    )
    return [rows, Query(f"SELECT count(*) FROM user_action WHERE {where.text}", where.params)] if either else [rows]


def comment_revisions_query(case_id: str) -> Query:
    """Newest record of each comment's writing, as rows `(comment_id, seq)`: a comment's revision (push.md 2.2)."""
    return Query(
        "SELECT comment_id, max(seq) FROM user_action WHERE case_id = :case_id AND type = 'comment' "
        "AND action IN ('create', 'update') GROUP BY comment_id",
        {"case_id": case_id},
    )


def pushes_query(case_id: str) -> Query:
    """All `pushed` records of a case, oldest first, as rows `(doc,)`."""
    return list_query(case_id, ("pushed",))


def from_doc(doc: str | bytes) -> UserAction:
    """The record of a stored document."""
    return _decoder.decode(doc)


def tally_query(case_id: str) -> Query:
    """How many records a case has of each sort; `tally_from_row` understands its one row."""
    deleted = (
        "comment_id IN (SELECT gone.comment_id FROM user_action gone "
        "WHERE gone.case_id = :case_id AND gone.type = 'comment' AND gone.action = 'delete')"
    )
    by_user = "comment_type = 'user'"
    return Query(
        f"SELECT count(*), count(*) FILTER (WHERE {by_user}), count(*) FILTER (WHERE action = 'delete'), "
        f"count(*) FILTER (WHERE {by_user} AND action = 'delete'), "
        f"count(*) FILTER (WHERE {by_user} AND action = 'create'), "
        f"count(*) FILTER (WHERE {by_user} AND action = 'update' AND {deleted}) "
        f"FROM user_action WHERE case_id = :case_id",
        {"case_id": case_id},
    )


def tally_from_row(row: Row) -> ActivityTally:
    """The numbers of a row of `tally_query`."""
    return ActivityTally(*row)


def participants_query(case_id: str) -> Query:
    """Authors of a case's records by user name, as rows `(user,)`: of each name the newest record's author.

    Records are taken apart in the database, since a comment's text may be long and there may be thousands.
    """
    name = f"coalesce(doc -> 'created_by' ->> 'username', '{UNKNOWN}')"
    return Query(
        f"SELECT u.doc -> 'created_by' FROM user_action u JOIN (SELECT max(seq) AS seq FROM user_action "
        f"WHERE case_id = :case_id GROUP BY {name}) newest ON newest.seq = u.seq WHERE u.case_id = :case_id",
        {"case_id": case_id},
    )


def participant_from_row(row: Row) -> User:
    """The user of a row of `participants_query`."""
    return _users.decode(row[0])


def newest_query(case_id: str) -> Query:
    """Number of the newest record of each type, as rows `(type, seq)`."""
    return Query("SELECT type, max(seq) FROM user_action WHERE case_id = :case_id GROUP BY type", {"case_id": case_id})
