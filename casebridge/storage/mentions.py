"""Who was mentioned where and has not seen it yet. A row goes when its reader opens the case, or its text goes."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime

import msgspec

from casebridge.domain.mention import mentioned
from casebridge.storage.session import Database, Write, from_ms, insert_rows, to_ms
from casebridge.storage.where import Where

DESCRIPTION = ""
"""Stands for the description of a case where a comment has its id."""


class Mention(msgspec.Struct, frozen=True):
    """An unseen mention; `comment_id` is empty for the description."""

    case_id: str
    comment_id: str
    at: datetime
    by: str


def writes(
    space: str, case_id: str, comment_id: str, old: str, new: str, *, by: str, username: str | None, at: datetime
) -> list[Write]:
    """What a text that was `old` and is `new` changes; nobody is told of their own words. `by` is a name for people."""
    before, after = mentioned(old), mentioned(new)
    fresh = [each for each in after if each not in before and each != username]
    made = []
    if fresh:
        columns = ("space", "username", "case_id", "comment_id", "at", "author")
        rows = [(space, name, case_id, comment_id, to_ms(at), by) for name in fresh]
        insert = insert_rows("mention", columns, rows)
        made.append(msgspec.structs.replace(insert, sql=f"{insert.sql} ON CONFLICT DO NOTHING"))
    if gone := [each for each in before if each not in after]:
        made.append(_delete(case_id, comment_id, gone))
    return made


def _delete(case_id: str, comment_id: str, usernames: Iterable[str]) -> Write:
    where = Where().also("case_id = :case_id AND comment_id = :comment_id", case_id=case_id, comment_id=comment_id)
    where.among("username", list(usernames))
    return Write(f"DELETE FROM mention WHERE {where.text}", where.params)


async def list_of(database: Database, space: str, username: str, most: int) -> list[Mention]:
    """The unseen mentions of a user in a space, newest first."""
    rows = await database.read(
        "SELECT case_id, comment_id, at, author FROM mention WHERE space = :space AND username = :username "
        f"ORDER BY at DESC, case_id, comment_id LIMIT {most:d}",
        {"space": space, "username": username},
    )
    return [Mention(case_id, comment_id, from_ms(at), by) for case_id, comment_id, at, by in rows]


async def is_waiting(database: Database, case_id: str, username: str) -> bool:
    """Whether a mention of this user in this case is unseen."""
    rows = await database.read(
        "SELECT 1 FROM mention WHERE username = :username AND case_id = :case_id LIMIT 1",
        {"username": username, "case_id": case_id},
    )
    return bool(rows)


def seen_write(case_id: str, username: str) -> Write:
    """Removes a user's mentions in a case."""
    return Write(
        "DELETE FROM mention WHERE username = :username AND case_id = :case_id",
        {"username": username, "case_id": case_id},
    )
