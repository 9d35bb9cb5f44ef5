"""Attachments in the store."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Any, Literal

import msgspec

from casebridge.domain.attachment import Attachment
from casebridge.domain.errors import VersionConflict
from casebridge.domain.query import Page
from casebridge.storage.parts import comment_text, comment_vector
from casebridge.storage.session import Database, Query, Row, Sql, Write, insert_rows
from casebridge.storage.where import Where

Dialect = Literal["sqlite", "postgresql"]

_decoder = msgspec.json.Decoder(Attachment)
_encoder = msgspec.json.Encoder()


def list_query(space: str, case_id: str) -> Query:
    """All attachments of a case, oldest first, to be read together with the case."""
    return Query(
        "SELECT version, doc FROM attachment WHERE case_id = :case_id AND space = :space ORDER BY seq",
        {"case_id": case_id, "space": space},
    )


def from_row(row: Row) -> Attachment:
    """The attachment of a row of `list_query`."""
    return msgspec.structs.replace(_decoder.decode(row[1]), version=row[0])


async def list_all(database: Database, space: str, case_id: str) -> list[Attachment]:
    """All attachments of a case, oldest first."""
    query = list_query(space, case_id)
    return [from_row(row) for row in await database.read(query.sql, query.params)]


def list_of_type_query(space: str, case_id: str, type_: str) -> Query:
    """Those of one type, likewise."""
    return Query(
        "SELECT version, doc FROM attachment WHERE case_id = :case_id AND space = :space AND type = :type ORDER BY seq",
        {"case_id": case_id, "space": space, "type": type_},
    )


async def get(database: Database, space: str, id_: str) -> Attachment | None:
    """One attachment of the space, whatever its case."""
    rows = await database.read(
        "SELECT version, doc FROM attachment WHERE id = :id AND space = :space", {"id": id_, "space": space}
    )
    return from_row(rows[0]) if rows else None


async def get_many(database: Database, space: str, ids: Sequence[str]) -> dict[str, Attachment]:
    """The attachments of the space that exist among these ids, by id, whatever their cases."""
    where = Where().also("space = :space", space=space).among("id", list(dict.fromkeys(ids)))
    rows = await database.read(f"SELECT version, doc FROM attachment WHERE {where.text}", where.params)
    return {each.id: each for each in map(from_row, rows)}


async def find(
    database: Database, space: str, case_id: str, type_: str | None, page: Page, *, descending: bool
) -> tuple[list[Attachment], int]:
    """One page of a case's attachments of one type, or of all, by age, and how many there are."""
    params: dict[str, Any] = {"case_id": case_id, "space": space}
    where = "case_id = :case_id AND space = :space"
    if type_ is not None:
        params["type"] = type_
        where += " AND type = :type"
    direction = "DESC" if descending else "ASC"
    rows, totals = await database.read_together(
        [
            Query(
                f"SELECT version, doc FROM attachment WHERE {where} ORDER BY seq {direction} LIMIT :most OFFSET :skip",
                {**params, "most": page.size, "skip": page.offset},
            ),
            Query(f"SELECT count(*) FROM attachment WHERE {where}", params),
        ]
    )
    return [from_row(row) for row in rows], totals[0][0]


async def count_by_case(database: Database, case_ids: Sequence[str], types: Sequence[str]) -> dict[str, int]:
    """How many attachments of these types each case has, by case id; cases without any are left out."""
    where = Where().among("case_id", case_ids).among("type", types)
    rows = await database.read(
        f"SELECT case_id, count(*) FROM attachment WHERE {where.text} GROUP BY case_id", where.params
    )
    return {row[0]: row[1] for row in rows}


_VECTOR = "CAST(CAST(:words AS text) AS tsvector)"


def insert_write(attachment: Attachment, space: str, dialect: Dialect) -> Write:
    """Stores a new attachment and gives back its `version`."""
    params = {
        "case_id": attachment.case_id,
        "seq": attachment.seq,
        "id": attachment.id,
        "space": space,
        "type": attachment.type,
        "doc": _encoder.encode(attachment).decode(),
    }
    names, places = "case_id, seq, id, space, type, doc", ":case_id, :seq, :id, :space, :type, :doc"
    text = comment_text(attachment)
    if dialect == "postgresql" and text is not None:
        params["words"] = comment_vector(text)
        names, places = f"{names}, words", f"{places}, {_VECTOR}"
    return Write(
        f"INSERT INTO attachment (version, {names}) VALUES (next_version(), {places}) RETURNING version", params
    )


_COLUMNS = ("version", "case_id", "seq", "id", "space", "type", "doc")


def insert_rows_write(attachments: Sequence[Attachment], space: str, dialect: Dialect) -> Write:
    """Stores a few new attachments at once."""
    version = Sql("next_version()")
    rows = [
        (version, each.case_id, each.seq, each.id, space, each.type, _encoder.encode(each).decode())
        for each in attachments
    ]
    if dialect == "sqlite":
        return insert_rows("attachment", _COLUMNS, rows)
    worded = [(*row, _words(each)) for row, each in zip(rows, attachments, strict=True)]
    write = insert_rows("attachment", (*_COLUMNS, "words"), worded)
    return Write(re.sub(r":words_\d+", r"CAST(CAST(\g<0> AS text) AS tsvector)", write.sql), write.params)


def _words(attachment: Attachment) -> str | None:
    text = comment_text(attachment)
    return None if text is None else comment_vector(text)


def update_write(old: Attachment, new: Attachment, dialect: Dialect) -> Write:
    """Replaces an attachment that is still at the version of `old`; gives back the new `version`."""
    params = {"doc": _encoder.encode(new).decode(), "id": old.id, "at_version": old.version}
    changed = "version = next_version(), doc = :doc"
    text = comment_text(new)
    if dialect == "postgresql" and text != comment_text(old):
        params["words"] = None if text is None else comment_vector(text)
        changed += f", words = {_VECTOR}"
    return Write(
        f"UPDATE attachment SET {changed} WHERE id = :id AND version = :at_version RETURNING version",
        params,
        conflict=VersionConflict("cases-comments", old.id),
    )


def delete_write(attachment: Attachment) -> Write:
    """Removes an attachment that is still at the version it was loaded with."""
    return Write(
        "DELETE FROM attachment WHERE id = :id AND version = :at_version RETURNING id",
        {"id": attachment.id, "at_version": attachment.version},
        conflict=VersionConflict("cases-comments", attachment.id),
    )
