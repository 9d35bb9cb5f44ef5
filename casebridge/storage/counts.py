"""How many cases an owner has per status, and per tag and status: kept in each change, never counted at reading."""

from __future__ import annotations

import random
from collections.abc import Iterable
from typing import Literal

import msgspec

from casebridge.domain.case import CLOSED, IN_PROGRESS, OPEN, Case
from casebridge.domain.query import StatusCounts
from casebridge.storage.session import FEW_ROWS, Database, Write, insert_many, insert_rows
from casebridge.storage.tags import tag_key
from casebridge.storage.where import Where

ALL = ""
"""What stands in the place of a tag's key where all cases of an owner are counted; a key is never empty."""

_SLOTS = 16
_PLACES = {OPEN: 0, IN_PROGRESS: 1, CLOSED: 2}
_NUMBERS = ("open", "in_progress", "closed")
_COLUMNS = {**dict.fromkeys(("space", "owner", "tag"), "text"), **dict.fromkeys(("slot", *_NUMBERS), "bigint")}


def writes(
    moves: Iterable[tuple[Case | None, Case | None]],
    dialect: Literal["sqlite", "postgresql"],
    *,
    slot: int | None = None,
) -> list[Write]:
    """What the moves from an old case (None: created) to a new one (None: deleted) do to the counts.

    `slot`: where PostgreSQL shall add it up, when nobody else writes; None: in any.
    """
    deltas: dict[tuple[str, str, str], list[int]] = {}
    for old, new in moves:
        if old is not None and new is not None and old.status == new.status and old.tags == new.tags:
            continue
        _count(deltas, old, -1)
        _count(deltas, new, +1)
    changed = {key: (delta[0], delta[1], delta[2]) for key, delta in deltas.items() if any(delta)}
    if not changed:
        return []
    if dialect == "sqlite":
        return _listed_writes(changed)
    return [_spread_write(changed, random.randrange(_SLOTS) if slot is None else slot)]


_Deltas = dict[tuple[str, str, str], tuple[int, int, int]]
_ADD = "ON CONFLICT (space, owner, tag, slot) DO UPDATE SET " + ", ".join(
    f"{name} = case_count.{name} + excluded.{name}" for name in _NUMBERS
)


def _listed_writes(changed: _Deltas) -> list[Write]:
    """For SQLite: the counts of an owner mostly change alike, so that a list of tags says it all."""
    alike: dict[tuple[str, str, tuple[int, int, int]], list[str]] = {}
    for (space, owner, tag), delta in changed.items():
        alike.setdefault((space, owner, delta), []).append(tag)
    return [
        Write(
            "INSERT INTO case_count (space, owner, tag, slot, open, in_progress, closed) "
            f"SELECT :space, :owner, value, 0, :open, :in_progress, :closed FROM json_each(:tags) WHERE true {_ADD}",
            {
                "space": space,
                "owner": owner,
                "tags": msgspec.json.encode(tags).decode(),
                **dict(zip(_NUMBERS, delta, strict=True)),
            },
        )
        for (space, owner, delta), tags in alike.items()
    ]


def _spread_write(changed: _Deltas, slot: int) -> Write:
    """For PostgreSQL: over slots, so that not every change waits for the same rows."""
    # One order for everybody, so that two changes never wait for each other in a circle.
    rows = [(*key, slot, *delta) for key, delta in sorted(changed.items())]
    if len(rows) <= FEW_ROWS:
        insert = insert_rows("case_count", tuple(_COLUMNS), rows)
    else:
        insert = insert_many("case_count", _COLUMNS, rows, "postgresql")
    return Write(f"{insert.sql} {_ADD}", insert.params)


def _count(deltas: dict[tuple[str, str, str], list[int]], case: Case | None, step: int) -> None:
    if case is None:
        return
    for tag in (ALL, *dict.fromkeys(map(tag_key, case.tags))):
        deltas.setdefault((case.space, case.owner, tag), [0, 0, 0])[_PLACES[case.status]] += step


async def read(database: Database, space: str, owners: tuple[str, ...], key: str = ALL) -> StatusCounts:
    """Cases per status of these owners, all of them or those with the tag of one key."""
    where = Where().also("space = :space AND tag = :tag", space=space, tag=key).among("owner", owners)
    rows = await database.read(
        f"SELECT CAST(sum(open) AS bigint), CAST(sum(in_progress) AS bigint), CAST(sum(closed) AS bigint) "
        f"FROM case_count WHERE {where.text}",
        where.params,
    )
    return StatusCounts(*(value or 0 for value in rows[0]))


async def list_tag_keys(database: Database, space: str, owners: tuple[str, ...], most: int) -> list[str]:
    """Keys of the tags in use among cases of these owners, by code point."""
    where = Where().also("space = :space AND tag <> ''", space=space).among("owner", owners)
    rows = await database.read(
        f"SELECT tag FROM case_count WHERE {where.text} GROUP BY tag "
        f"HAVING sum(open + in_progress + closed) > 0 ORDER BY tag LIMIT :most",
        {**where.params, "most": most},
    )
    return [row[0] for row in rows]
