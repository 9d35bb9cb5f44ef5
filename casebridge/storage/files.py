"""Records of files in the store; their contents are in `storage/blobs.py`."""

from __future__ import annotations

from collections.abc import Sequence

import msgspec

from casebridge.domain.errors import VersionConflict
from casebridge.domain.file import StoredFile
from casebridge.storage.session import Database, Row, Write, insert_rows
from casebridge.storage.where import Where

_decoder = msgspec.json.Decoder(StoredFile)
_encoder = msgspec.json.Encoder()
_SELECT = "SELECT f.version, f.doc FROM file f"


def _from_row(row: Row) -> StoredFile:
    return msgspec.structs.replace(_decoder.decode(row[1]), version=row[0])


async def get(database: Database, space: str, id_: str) -> StoredFile | None:
    """One file of the space."""
    rows = await database.read(f"{_SELECT} WHERE f.id = :id AND f.space = :space", {"id": id_, "space": space})
    return _from_row(rows[0]) if rows else None


async def get_many(database: Database, space: str, ids: Sequence[str]) -> dict[str, StoredFile]:
    """The files that exist among these ids, by id."""
    where = Where().also("f.space = :space", space=space).among("f.id", list(dict.fromkeys(ids)))
    rows = await database.read(f"{_SELECT} WHERE {where.text}", where.params)
    return {each.id: each for each in map(_from_row, rows)}


async def list_of_case(database: Database, space: str, case_id: str) -> list[StoredFile]:
    """The files that say they belong to a case, in the order in which they were begun."""
    return await list_of_cases(database, space, [case_id])


async def list_of_cases(database: Database, space: str, case_ids: Sequence[str]) -> list[StoredFile]:
    """The files that say they belong to one of these cases, each once, in the order in which they were begun."""
    where = Where().also("f.space = :space", space=space)
    (linked,) = where.listed("l.case_id", case_ids)
    where.also(f"f.id IN (SELECT l.file_id FROM file_link l WHERE {linked})")
    rows = await database.read(f"{_SELECT} WHERE {where.text} ORDER BY f.number", where.params)
    return [_from_row(row) for row in rows]


async def list_of_kind(database: Database, space: str, kind: str) -> list[StoredFile]:
    """All files of a kind, in the order in which they were begun."""
    rows = await database.read(
        f"{_SELECT} WHERE f.space = :space AND f.kind = :kind ORDER BY f.number", {"space": space, "kind": kind}
    )
    return [_from_row(row) for row in rows]


async def list_everywhere(database: Database) -> list[StoredFile]:
    """Every file of every space: for the sweep at start."""
    return [_from_row(row) for row in await database.read(f"{_SELECT} ORDER BY f.number")]


def insert_writes(file: StoredFile) -> list[Write]:
    """The statements that store a new record. The first gives back its `version`."""
    insert = Write(
        "INSERT INTO file (version, number, id, space, kind, doc) "
        "VALUES (next_version(), next_version(), :id, :space, :kind, :doc) RETURNING version",
        {"id": file.id, "space": file.space, "kind": file.kind, "doc": _encoder.encode(file).decode()},
    )
    links = [(case_id, file.id) for case_id in dict.fromkeys(file.case_ids)]
    return [insert, insert_rows("file_link", ("case_id", "file_id"), links)] if links else [insert]


def update_write(old: StoredFile, new: StoredFile) -> Write:
    """Replaces a record that is still at the version of `old`; gives back the new `version`."""
    return Write(
        "UPDATE file SET version = next_version(), doc = :doc WHERE id = :id AND version = :at_version "
        "RETURNING version",
        {"doc": _encoder.encode(new).decode(), "id": old.id, "at_version": old.version},
        conflict=VersionConflict("file", old.id),
    )


def delete_unmoved_writes(file: StoredFile) -> list[Write]:
    """The statements that remove a record still at the version it was loaded with; else nothing is written."""
    return [
        Write(
            "DELETE FROM file WHERE id = :id AND version = :at_version RETURNING id",
            {"id": file.id, "at_version": file.version},
            conflict=VersionConflict("file", file.id),
        ),
        Write("DELETE FROM file_link WHERE file_id = :id", {"id": file.id}),
    ]


def delete_writes(ids: Sequence[str]) -> list[Write]:
    """The statements that remove records."""
    if not ids:
        return []
    of_file, of_link = Where().among("id", ids), Where().among("file_id", ids)
    return [
        Write(f"DELETE FROM file WHERE {of_file.text}", of_file.params),
        Write(f"DELETE FROM file_link WHERE {of_link.text}", of_link.params),
    ]
