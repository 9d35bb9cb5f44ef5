"""User comments on a case: adding, editing, reading, deleting (contract attachments.md 3)."""

from __future__ import annotations

from collections.abc import Collection
from typing import Any

import msgspec

from casebridge.domain.attachment import USER, Attachment, check_comment
from casebridge.domain.case import Case
from casebridge.domain.errors import InvalidInput, NotFound, VersionConflict
from casebridge.domain.query import Page
from casebridge.domain.user_action import Activity
from casebridge.domain.version import version_text
from casebridge.security.privileges import permitted_owners, require
from casebridge.services.cases import check_budget, load_with_attachments, unit
from casebridge.services.ground import Asking, Ground
from casebridge.storage import attachments, cases


async def add_comment(
    ground: Ground, asking: Asking, case_id: str, *, owner: str, text: str
) -> tuple[Case, list[Attachment]]:
    """The case with the new comment, last of all its attachments; refusals in the order of attachments.md 3.1."""
    check_comment(text)
    while True:
        case = await cases.get(ground.database, asking.space.id, case_id)
        if case is not None:
            check_budget(case, 1)
        require(asking.actor, "createComment", owner, asking.space)
        if case is None:
            raise NotFound("cases", case_id)
        _check_owner(case.owner, owner)
        try:
            await _save_new(ground, asking, case, {"type": USER, "owner": owner, "comment": text})
        except VersionConflict:
            # Somebody wrote the case meanwhile; a comment names no version, so it goes on top of that.
            continue
        return await load_with_attachments(ground, asking.space.id, case_id)


async def _save_new(ground: Ground, asking: Asking, case: Case, payload: dict[str, Any]) -> None:
    now, by = ground.now(), asking.actor.user
    tally = case.counts
    attachment = Attachment(
        id=ground.new_id(),
        case_id=case.id,
        # Every attachment leaves a record, so its number is larger than that of any earlier one.
        seq=tally.actions + 1,
        type=payload["type"],
        owner=case.owner,
        payload=payload,
        created_at=now,
        created_by=by,
    )
    counted = msgspec.structs.replace(tally, attachments=tally.attachments + 1, user_comments=tally.user_comments + 1)
    work = unit(ground, asking, at=now)
    touched = msgspec.structs.replace(case, updated_at=now, updated_by=by, counts=counted)
    work.update(case, touched, [Activity("comment", "create", {"comment": payload}, attachment.id)])
    work.attach(attachment)
    work.audit("case_comment_create", "cases-comments", [attachment.id])
    await work.save()


async def edit_comment(
    ground: Ground, asking: Asking, case_id: str, *, id_: str, version: str, owner: str, text: str
) -> tuple[Case, list[Attachment]]:
    """The case with the edited comment; refusals in the order of attachments.md 3.2."""
    check_comment(text)
    while True:
        case = await cases.get(ground.database, asking.space.id, case_id)
        if case is not None:
            check_budget(case, 1)
        stored = await _stored(ground, asking, id_)
        require(asking.actor, "updateComment", stored.owner, asking.space)
        if case is None:
            raise NotFound("cases", case_id)
        if stored.type != USER:
            raise InvalidInput("type", f"the type of an attachment cannot change from {stored.type}.")
        _check_owner(stored.owner, owner)
        if stored.case_id != case_id:
            raise NotFound("cases-comments", id_)
        if version != version_text(stored.version):
            raise VersionConflict("cases-comments", id_)
        payload = {"type": USER, "owner": owner, "comment": text}
        now, by = ground.now(), asking.actor.user
        edited = msgspec.structs.replace(stored, payload=payload, updated_at=now, updated_by=by)
        work = unit(ground, asking, at=now)
        touched = msgspec.structs.replace(case, updated_at=now, updated_by=by)
        work.update(case, touched, [Activity("comment", "update", {"comment": payload}, id_)])
        work.replace_attachment(stored, edited)
        work.audit("case_comment_update", "cases-comments", [id_])
        try:
            await work.save()
        except VersionConflict:
            # The case moved, or the comment did: the next round tells which, and refuses the latter.
            continue
        return await load_with_attachments(ground, asking.space.id, case_id)


async def get_comment(ground: Ground, asking: Asking, case_id: str, id_: str) -> Attachment:
    """One attachment of the case."""
    stored = await _stored(ground, asking, id_)
    require(asking.actor, "getComment", stored.owner, asking.space)
    if stored.case_id != case_id:
        raise NotFound("cases-comments", id_)
    return stored


async def list_comments(ground: Ground, asking: Asking, case_id: str) -> list[Attachment]:
    """All attachments of a case, oldest first; those of owners the caller may not read are left out."""
    readable = permitted_owners(asking.actor, "getComment", asking.space)
    case = await cases.get(ground.database, asking.space.id, case_id)
    if case is None:
        raise NotFound("cases", case_id)
    if case.owner not in readable:
        return []
    return await attachments.list_all(ground.database, asking.space.id, case_id)


async def find_comments(
    ground: Ground, asking: Asking, case_id: str, page: Page, *, descending: bool
) -> tuple[list[Attachment], int]:
    """One page of the user comments of a case and their number; an unknown case has none."""
    readable = permitted_owners(asking.actor, "getComment", asking.space)
    case = await cases.get(ground.database, asking.space.id, case_id)
    if case is None or case.owner not in readable:
        return [], 0
    return await attachments.find(ground.database, asking.space.id, case_id, USER, page, descending=descending)


async def delete_comment(ground: Ground, asking: Asking, case_id: str, id_: str) -> None:
    """Delete one attachment of the case."""
    while True:
        stored = await _stored(ground, asking, id_)
        require(asking.actor, "deleteComment", stored.owner, asking.space)
        if stored.case_id != case_id:
            raise NotFound("cases-comments", id_)
        if await _delete(ground, asking, case_id, [stored]):
            return


async def delete_comments(
    ground: Ground, asking: Asking, case_id: str, *, types: Collection[str] | None = None
) -> None:
    """Delete every attachment of the case, or those of some types; NotFound when there is none."""
    while True:
        found = await attachments.list_all(ground.database, asking.space.id, case_id)
        stored = [each for each in found if types is None or each.type in types]
        if not stored:
            raise (
                NotFound("cases", case_id)
                if not await _exists(ground, asking, case_id)
                else NotFound("cases-comments", case_id)
            )
        require(asking.actor, "deleteComment", [each.owner for each in stored], asking.space)
        if await _delete(ground, asking, case_id, stored):
            return


async def _exists(ground: Ground, asking: Asking, case_id: str) -> bool:
    return await cases.get(ground.database, asking.space.id, case_id) is not None


async def _delete(ground: Ground, asking: Asking, case_id: str, gone: list[Attachment]) -> bool:
    """Whether the deletion was written; False when the case or an attachment moved meanwhile."""
    case = await cases.get(ground.database, asking.space.id, case_id)
    if case is None:
        raise NotFound("cases", case_id)
    check_budget(case, len(gone))
    now = ground.now()
    tally = msgspec.structs.replace(
        case.counts,
        attachments=case.counts.attachments - len(gone),
        user_comments=case.counts.user_comments - sum(each.type == USER for each in gone),
    )
    touched = msgspec.structs.replace(case, updated_at=now, updated_by=asking.actor.user, counts=tally)
    work = unit(ground, asking, at=now)
    work.update(case, touched, [Activity("comment", "delete", {"comment": each.payload}, each.id) for each in gone])
    for each in gone:
        work.detach(each)
    work.audit("case_comment_delete", "cases-comments", [each.id for each in gone])
    try:
        await work.save()
    except VersionConflict:
        return False
    return True


async def _stored(ground: Ground, asking: Asking, id_: str) -> Attachment:
    stored = await attachments.get(ground.database, asking.space.id, id_)
    if stored is None:
        raise NotFound("cases-comments", id_)
    return stored


def _check_owner(stored: str, sent: str) -> None:
    if stored != sent:
        raise InvalidInput("owner", f"the case belongs to {stored}, not to {sent}.")
