"""Many finished cases into the store at once, with everything the server would have written beside them."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import datetime
from typing import Literal

import msgspec

from casebridge.domain.attachment import Attachment
from casebridge.domain.case import Case
from casebridge.domain.user import Actor
from casebridge.domain.user_action import UserAction
from casebridge.storage import attachments, audit, cases, counts, parts, user_actions
from casebridge.storage.session import FEW_ROWS, Database, Write

_CHECKPOINT = "wal_autocheckpoint = 16384"
"""Pages: a log of 64 MB goes into the file at once, so that a page changed by many batches goes there once."""

_TABLES = ("cases", "attachment", "user_action", "case_count")


class History(msgspec.Struct, frozen=True):
    """A case as it is now, and all that was attached to it and recorded of it on the way."""

    case: Case
    attachments: Sequence[Attachment]
    actions: Sequence[UserAction]


def writes(
    histories: Iterable[History], space: str, actor: Actor, at: datetime, dialect: Literal["sqlite", "postgresql"]
) -> list[Write]:
    """What stores these cases, in the order of their creation; for `Database.load`. One audit event names them all.

    They may have user comments and no other attachments, and no observables: the links of those need the numbers that
    a case only gets while it is stored.
    """
    listed = list(histories)
    made: list[Write] = []
    for each in listed:
        made += cases.insert_writes(each.case, dialect)
        for first in range(0, len(each.attachments), FEW_ROWS):
            made.append(attachments.insert_rows_write(each.attachments[first : first + FEW_ROWS], space, dialect))
        if each.actions:
            made.append(user_actions.insert_write(each.actions, dialect))
    made += counts.writes([(None, each.case) for each in listed], dialect, slot=0)
    if dialect == "sqlite":
        made += parts.writes(
            [(None, each.case) for each in listed], [(None, a) for each in listed for a in each.attachments]
        )
    made.append(audit.event_write("case_create", actor, space, "cases", [each.case.id for each in listed], at))
    return made


async def is_in_use(database: Database) -> bool:
    """Whether another process is connected to this PostgreSQL database; `database` may hold one connection only.

    A SQLite database is guarded by the lock of its folder instead.
    """
    if database.dialect == "sqlite":
        return False
    rows = await database.read(
        "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND application_name = 'casebridge' "
        "AND pid <> pg_backend_pid()"
    )
    return bool(rows[0][0])


async def prepare(database: Database) -> None:
    """Before very many writes, which go all over the indexes: let SQLite keep them in memory, as long as it is open.

    What is committed stays as safe as ever.
    """
    if database.dialect == "sqlite":
        await database.commit([Write(f"PRAGMA {each}", {}) for each in ("cache_size = -262144", _CHECKPOINT)])


async def settle(database: Database) -> None:
    """After very many writes."""
    await database.settle(_TABLES)
