"""Files of cases: attaching them, their store, deleting them, and tidying up after a crash (attachments.md 4 and 6).

A record is there before any content, and says READY only once the content is on the disk: so content without a record
is always left over, and READY without content is always a loss.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Collection, Mapping, Sequence
from contextlib import suppress
from datetime import datetime, timedelta
from typing import Any

import msgspec

from casebridge.domain import limits
from casebridge.domain.attachment import check_limits, file_ids
from casebridge.domain.case import Case
from casebridge.domain.errors import CasebridgeError, InvalidInput, NotFound, StorageUnavailable, VersionConflict
from casebridge.domain.file import (
    AWAITING,
    FAILED,
    KINDS,
    READY,
    UPLOADING,
    FileName,
    StoredFile,
    checked_name,
    file_payload,
    matches,
    split_name,
)
from casebridge.domain.file_types import TYPE_OF_EXTENSION
from casebridge.domain.query import Page
from casebridge.domain.text import check_count, check_length, trimmed
from casebridge.security.privileges import require
from casebridge.services.attachments import WithAttachments, save_new, save_without
from casebridge.services.cases import check_budget, load_with_attachments
from casebridge.services.ground import Asking, Ground
from casebridge.storage import cases, files
from casebridge.storage.blobs import PART, Content, FileStore
from casebridge.storage.session import Database

STORED_NAME = 256


class Upload(msgspec.Struct, frozen=True):
    """A file on its way. `given_name` may still be unknown while there is content left."""

    filename: str
    content: AsyncIterator[bytes]
    given_name: Callable[[], str | None]


# Attaching


async def attach(ground: Ground, asking: Asking, case_id: str, upload: Upload) -> WithAttachments:
    """The case with a new file; refusals in the order of attachments.md 6.1, after any of which nothing is left."""
    named = split_name(upload.filename)
    ground.file_rules.check_type(named.mime_type)
    if upload.given_name() is not None:
        _name(upload, named)
    case = await _permitted(ground, asking, case_id, "createComment")
    check_budget(case, 1)
    begun = await _begin(ground, asking, case, named)
    try:
        most = ground.file_rules.most_bytes(named.mime_type)
        content = await _blobs(ground).receive(begun.id, upload.content, most)
        received = msgspec.structs.replace(begun, name=_name(upload, named))
        return await _attach_received(ground, asking, case_id, received, content)
    except BaseException:
        await asyncio.shield(_take_back(ground, begun))
        raise


async def _permitted(ground: Ground, asking: Asking, case_id: str, operation: str) -> Case:
    """The case, for who may do the operation on it: that needs no other privilege, not even to read it."""
    case = await cases.get(ground.database, asking.space.id, case_id)
    if case is None:
        raise NotFound("cases", case_id)
    require(asking.actor, operation, case.owner, asking.space)
    return case


def _name(upload: Upload, named: FileName) -> str:
    given = upload.given_name()
    return checked_name(named.stem if given is None else given)


async def _begin(ground: Ground, asking: Asking, case: Case, named: FileName) -> StoredFile:
    """The record of an upload, which takes its place among the case's files from now on."""
    now = ground.now()
    file = StoredFile(
        id=ground.new_id(),
        space=asking.space.id,
        kind=next(kind for kind, owner in KINDS.items() if owner == case.owner),
        name=named.stem,
        extension=named.extension,
        mime_type=named.mime_type,
        created_at=now,
        updated_at=now,
        created_by=asking.actor.user,
        status=UPLOADING,
        meta={"caseIds": [case.id], "owner": [case.owner]},
    )
    return await _insert(ground, file)


async def _insert(ground: Ground, file: StoredFile) -> StoredFile:
    rows = await ground.database.commit(files.insert_writes(file))
    return msgspec.structs.replace(file, version=rows[0][0]["version"])


async def _attach_received(
    ground: Ground, asking: Asking, case_id: str, received: StoredFile, content: Content
) -> WithAttachments:
    created = received.created_at.isoformat(timespec="milliseconds").replace("+00:00", "Z")
    payload = file_payload(received, created)
    while True:
        case, attached = await load_with_attachments(ground, asking.space.id, case_id)
        check_budget(case, 1)
        listed = await files.list_of_case(ground.database, asking.space.id, case_id)
        if received.id not in {each.id for each in listed}:
            raise NotFound("file", received.id)
        # Uploads that were begun later do not take this one's place.
        ids = [each.id for each in listed]
        earlier = {each.id for each in listed[: ids.index(received.id)] if each.status != FAILED}
        check_limits(case.counts, [payload], earlier | file_ids(each.payload for each in attached))
        ready = _ready(ground, received, content)
        if await save_new(ground, asking, case, [payload], [payload], (), [files.update_write(received, ready)]):
            return WithAttachments(*await load_with_attachments(ground, asking.space.id, case_id))
        stored = await files.get(ground.database, asking.space.id, received.id)
        if stored is None or stored.version != received.version:
            raise NotFound("file", received.id)


def _ready(ground: Ground, file: StoredFile, content: Content) -> StoredFile:
    return msgspec.structs.replace(
        file, status=READY, size=content.size, sha256=content.sha256, updated_at=ground.now()
    )


async def _take_back(ground: Ground, begun: StoredFile) -> None:
    """Remove record and content of an upload that failed, unless it was finished after all; a sweep does what this
    cannot."""
    with suppress(CasebridgeError):
        await ground.database.commit(files.delete_unmoved_writes(begun))
        await _blobs(ground).remove(begun.id)


# The store


async def make(
    ground: Ground,
    asking: Asking,
    kind: str,
    *,
    name: str,
    alt: str | None,
    mime_type: str | None,
    meta: dict[str, Any],
) -> StoredFile:
    """A record without content yet."""
    require(asking.actor, "createFiles", _owner(kind), asking.space)
    check_length("name", name, STORED_NAME)
    if mime_type is not None:
        ground.file_rules.check_type(mime_type)
    now = ground.now()
    extension = next((each for each, type_ in TYPE_OF_EXTENSION.items() if type_ == mime_type), None)
    file = StoredFile(
        id=ground.new_id(),
        space=asking.space.id,
        kind=kind,
        name=trimmed(name),
        extension=extension,
        mime_type=mime_type,
        created_at=now,
        updated_at=now,
        created_by=asking.actor.user,
        alt=alt,
        meta=meta,
    )
    return await _insert(ground, file)


async def put_content(ground: Ground, asking: Asking, kind: str, id_: str, content: AsyncIterator[bytes]) -> StoredFile:
    """The file with its content. A file that has some, or is just getting it, takes no other."""
    require(asking.actor, "createFiles", _owner(kind), asking.space)
    file = await _file(ground, asking, kind, id_)
    if file.status not in (AWAITING, FAILED):
        raise InvalidInput("id", f"the file {id_} has its content already, or is getting it.")
    begun = await _move(ground, file, UPLOADING)
    try:
        received = await _blobs(ground).receive(id_, content, ground.file_rules.most_bytes(file.mime_type))
        ready = _ready(ground, begun, received)
        await ground.database.commit([files.update_write(begun, ready)])
    except BaseException:
        await asyncio.shield(_fail(ground, begun))
        raise
    return ready


async def _move(ground: Ground, file: StoredFile, status: str) -> StoredFile:
    moved = msgspec.structs.replace(file, status=status, updated_at=ground.now())
    rows = await ground.database.commit([files.update_write(file, moved)])
    return msgspec.structs.replace(moved, version=rows[0][0]["version"])


async def _fail(ground: Ground, begun: StoredFile) -> None:
    with suppress(CasebridgeError):
        await _move(ground, begun, FAILED)
        await _blobs(ground).remove(begun.id)


async def read(ground: Ground, asking: Asking, kind: str, id_: str) -> StoredFile:
    """One file's record."""
    require(asking.actor, "readFiles", _owner(kind), asking.space)
    return await _file(ground, asking, kind, id_)


async def open_content(ground: Ground, asking: Asking, kind: str, id_: str) -> tuple[StoredFile, AsyncIterator[bytes]]:
    """A file and its content, piece by piece; NotFound while there is none."""
    file = await read(ground, asking, kind, id_)
    pieces = await _blobs(ground).read(id_) if file.status == READY else None
    if pieces is None:
        raise NotFound("file", id_)
    return file, pieces


async def find(
    ground: Ground, asking: Asking, kind: str, wanted: Mapping[str, Any], page: Page
) -> tuple[list[StoredFile], int]:
    """One page of the files of a kind that match (see `domain.file.matches`), oldest first, and their number."""
    require(asking.actor, "readFiles", _owner(kind), asking.space)
    case_ids = (wanted.get("meta") or {}).get("caseIds")
    if isinstance(case_ids, list) and all(isinstance(each, str) for each in case_ids):
        check_count("meta.caseIds", case_ids, limits.FILTER_VALUES)
        found = await files.list_of_cases(ground.database, asking.space.id, case_ids)
    else:
        found = await files.list_of_kind(ground.database, asking.space.id, kind)
    found = [each for each in found if each.kind == kind and matches(each, wanted)]
    return found[page.offset : page.offset + page.size], len(found)


def _owner(kind: str) -> str:
    if kind not in KINDS:
        raise NotFound("file-kind", kind)
    return KINDS[kind]


async def _file(ground: Ground, asking: Asking, kind: str, id_: str) -> StoredFile:
    file = await files.get(ground.database, asking.space.id, id_)
    if file is None or file.kind != kind:
        raise NotFound("file", id_)
    return file


def _blobs(ground: Ground) -> FileStore:
    if ground.blobs is None:
        raise StorageUnavailable("This server has no folder for files.")
    return ground.blobs


# Deleting


async def delete_many(ground: Ground, asking: Asking, case_id: str, ids: Sequence[str]) -> None:
    """Delete files of a case and the attachments that stand for them; ids without a file are no error."""
    if not 1 <= len(ids) <= limits.FILES_PER_BULK_DELETE or not all(ids):
        raise InvalidInput("ids", f"expected 1 to {limits.FILES_PER_BULK_DELETE} ids, none of them empty.")
    await _permitted(ground, asking, case_id, "deleteComment")
    while True:
        stored = await files.get_many(ground.database, asking.space.id, ids)
        if foreign := [each.id for each in stored.values() if each.case_ids != (case_id,)]:
            raise InvalidInput("ids", f"these files do not belong to case {case_id} alone: {', '.join(foreign)}.")
        case, attached = await load_with_attachments(ground, asking.space.id, case_id)
        gone = [each for each in attached if file_ids([each.payload]) & set(ids)]
        owners = [each.owner for each in stored.values()] + [each.owner for each in gone]
        require(asking.actor, "deleteComment", owners or case.owner, asking.space)
        writes = files.delete_writes(list(stored))
        if not gone:
            await ground.database.commit(writes)
        elif not await save_without(ground, asking, case, attached, {each.id for each in gone}, writes):
            continue
        if stored:
            # They are gone for everybody, whatever becomes of their contents: a sweep does what this cannot.
            with suppress(StorageUnavailable):
                await _blobs(ground).remove(*stored)
        return


# After a crash


async def sweep(database: Database, blobs: FileStore, now: datetime, patience: timedelta) -> int:
    """Put records and contents in order; how much was put right.

    Content without a record is deleted, READY without content has failed, and so has an upload that nobody has touched
    for `patience`. Safe beside other servers: a content always has its record before it is there. StorageUnavailable,
    and nothing is touched, when contents and records have nothing in common.
    """
    names = await blobs.names()
    known = {each.id: each for each in await files.list_everywhere(database)}
    # Listed again: what became READY in between has its content by now.
    present = await blobs.names()
    _check_belonging(known, names | present)
    orphans = {name for name in names if _is_left_over(name, known)}
    if orphans:
        await blobs.remove(*orphans)
    lost = [
        each
        for each in known.values()
        if (each.status == READY and each.id not in present)
        or (each.status == UPLOADING and each.updated_at <= now - patience)
    ]
    for each in lost:
        failed = msgspec.structs.replace(each, status=FAILED, updated_at=now)
        with suppress(VersionConflict):
            await database.commit([files.update_write(each, failed)])
            await blobs.remove(each.id, f"{each.id}{PART}")
    return len(orphans) + len(lost)


def _check_belonging(known: Mapping[str, StoredFile], names: Collection[str]) -> None:
    """StorageUnavailable when this looks like the contents of another database: no crash loses or leaves them all."""
    whole = {each for each in names if not each.endswith(PART)}
    ready = sum(each.status == READY for each in known.values())
    if (ready > 1 or len(whole) > 1) and not whole & known.keys():
        raise StorageUnavailable(
            f"None of the {ready} files of the database is among the {len(whole)} contents found: "
            "this looks like another folder, bucket, prefix or database than before."
        )


def _is_left_over(name: str, known: Mapping[str, StoredFile]) -> bool:
    """Whether a content, or an unfinished one, belongs to no record that has it or is just getting it."""
    record = known.get(name.removesuffix(PART))
    return record is None or (name.endswith(PART) and record.status != UPLOADING)
