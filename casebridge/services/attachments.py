"""Attachments of a case: adding, editing, reading, deleting (contract attachments.md 3 to 5).

Whatever changes them writes the case too, at the version it was loaded with: that keeps the case's counts and limits
true under parallel requests.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from typing import Any

import msgspec

from casebridge.domain import limits
from casebridge.domain.attachment import (
    ALERT,
    EXTERNAL_REFERENCE,
    USER,
    Alert,
    Attachment,
    Payload,
    alert_ids,
    alerts_of,
    check_limits,
    check_pairs,
    check_payload,
    file_ids,
    is_file,
    normalised,
    recounted,
    without_repeats,
)
from casebridge.domain.case import CLOSED, Case
from casebridge.domain.errors import InvalidInput, LimitExceeded, NotFound, VersionConflict
from casebridge.domain.file import FAILED
from casebridge.domain.query import Page
from casebridge.domain.text import trimmed
from casebridge.domain.user_action import Activity
from casebridge.domain.version import version_text
from casebridge.security.privileges import permitted_owners, require
from casebridge.services import alert_sync, automation
from casebridge.services.automation import Changed
from casebridge.services.cases import check_budget, load_with_attachments, unit
from casebridge.services.ground import Asking, Ground
from casebridge.storage import alerts, attachments, cases, files
from casebridge.storage.session import Write


class WithAttachments(msgspec.Struct, frozen=True):
    """A case as stored and all its attachments, oldest first."""

    case: Case
    attachments: Sequence[Attachment]


class AttachmentsByIds(msgspec.Struct, frozen=True):
    """The attachments among some ids that are the case's and readable, in the order asked; the others by reason."""

    found: list[Attachment]
    unknown: list[str]
    foreign: list[str]
    forbidden: list[Attachment]


# Adding


async def add(
    ground: Ground,
    asking: Asking,
    case_id: str,
    payload: Payload,
    *,
    alerts_on_closed: bool = False,
    id_: str | None = None,
) -> WithAttachments:
    """The case with the new attachment; refusals in the order of attachments.md 3.1.

    `alerts_on_closed`: the 7.10 dialect lets a closed case take alerts too. `id_`: what it shall be called.
    """
    check_payload(payload)
    while True:
        case, attached = await _load(ground, asking, case_id, [payload])
        if case is not None:
            check_budget(case, 1)
        check_pairs(payload)
        require(asking.actor, "createComment", payload["owner"], asking.space)
        ground.attachment_types.check(payload)
        ids = () if id_ is None else (id_,)
        if await _attach(
            ground, asking, case_id, case, attached, [payload], alerts_on_closed=alerts_on_closed, ids=ids
        ):
            return WithAttachments(*await load_with_attachments(ground, asking.space.id, case_id))


async def add_many(ground: Ground, asking: Asking, case_id: str, payloads: Sequence[Payload]) -> WithAttachments:
    """The case with all of the new attachments, or a refusal and none of them (attachments.md 4)."""
    if len(payloads) > limits.ATTACHMENTS_PER_BULK_CREATE:
        most = limits.ATTACHMENTS_PER_BULK_CREATE
        raise LimitExceeded("attachments", most, len(payloads), "attachments in one request")
    for each in payloads:
        check_payload(each)
    while True:
        case, attached = await _load(ground, asking, case_id, payloads)
        if case is not None:
            check_budget(case, len(payloads))
        for each in payloads:
            check_pairs(each)
            ground.attachment_types.check(each)
        owners = [each["owner"] for each in payloads] or ([] if case is None else [case.owner])
        require(asking.actor, "createComment", owners, asking.space)
        if await _attach(ground, asking, case_id, case, attached, payloads, as_sent=True):
            return WithAttachments(*await load_with_attachments(ground, asking.space.id, case_id))


async def _load(
    ground: Ground, asking: Asking, case_id: str, payloads: Sequence[Payload]
) -> tuple[Case | None, Sequence[Attachment]]:
    """The case and, where some of these payloads have to be compared with them, its attachments as of that moment."""
    if not any(each["type"] == ALERT or is_file(each) for each in payloads):
        return await cases.get(ground.database, asking.space.id, case_id), ()
    try:
        return await load_with_attachments(ground, asking.space.id, case_id)
    except NotFound:
        return None, ()


async def _attach(
    ground: Ground,
    asking: Asking,
    case_id: str,
    case: Case | None,
    attached: Sequence[Attachment],
    payloads: Sequence[Payload],
    *,
    as_sent: bool = False,
    alerts_on_closed: bool = False,
    ids: Sequence[str] = (),
) -> bool:
    """Whether these are on the case now; False when it moved meanwhile, so that the caller looks again.

    `as_sent`: the activity holds alerts as the caller listed them, repeats included.
    """
    if case is None:
        raise NotFound("cases", case_id)
    if case.status == CLOSED and not alerts_on_closed and any(each["type"] == ALERT for each in payloads):
        raise InvalidInput("type", f"the case {case_id} is closed; alerts cannot be attached to it.")
    for each in payloads:
        _check_owner(case.owner, each["owner"])
    before = [each.payload for each in attached]
    known_files = file_ids(before)
    if file_ids(payloads):
        listed = await files.list_of_case(ground.database, asking.space.id, case_id)
        known_files |= {each.id for each in listed if each.status != FAILED}
    check_limits(case.counts, payloads, known_files)
    known = set(alert_ids(before))
    kept = without_repeats(payloads, known)
    new = [each for each in kept if each is not None]
    if not new:
        return True
    told = [sent if as_sent else each for sent, each in zip(payloads, kept, strict=True) if each is not None]
    return await save_new(ground, asking, case, new, told, known, ids=ids)


async def save_new(
    ground: Ground,
    asking: Asking,
    case: Case,
    new: Sequence[dict[str, Any]],
    told: Sequence[Payload],
    known: Collection[str],
    also: Sequence[Write] = (),
    *,
    ids: Sequence[str] = (),
) -> bool:
    """Whether these payloads are on the case now; False when it moved meanwhile.

    `told` is what the activity holds of each, `known` the case's alert ids if alerts are among them; `also` is written
    in the same change. `ids` are the attachments' ids, if it matters which they get.
    """
    now, by = ground.now(), asking.actor.user
    made = [
        Attachment(
            id=id_,
            case_id=case.id,
            # Every attachment leaves a record, so its number is larger than that of any earlier one.
            seq=seq,
            type=payload["type"],
            owner=case.owner,
            payload=payload,
            created_at=now,
            created_by=by,
        )
        for id_, (seq, payload) in zip(
            ids or [ground.new_id() for _ in new], enumerate(new, case.counts.actions + 1), strict=True
        )
    ]
    all_alerts = {*known, *alert_ids(new)}
    # Without an alert in the request the present ones were not looked at.
    counts = recounted(case.counts, (), new, len(all_alerts) if alert_ids(new) else case.counts.alerts)
    work = unit(ground, asking, at=now)
    activity = [
        Activity("comment", "create", {"comment": dict(payload)}, each.id)
        for payload, each in zip(told, made, strict=True)
    ]
    touched = msgspec.structs.replace(case, updated_at=now, updated_by=by, counts=counts)
    work.update(case, touched, activity)
    work.also(*await automation.pushes(ground, asking, [Changed(touched, activity)]))
    for each in made:
        work.attach(each)
    told_alerts = alert_sync.of_attachments(ground, case, (), made)
    work.also(*alerts.link_writes(case, known, all_alerts), *told_alerts, *also)
    work.audit("case_comment_create", "cases-comments", [each.id for each in made])
    try:
        await work.save()
    except VersionConflict:
        # Somebody wrote the case meanwhile; an attachment names no version, so it goes on top of that.
        return False
    await alert_sync.announce(ground, told_alerts)
    return True


# Editing


async def edit(
    ground: Ground, asking: Asking, case_id: str, *, id_: str, version: str, payload: Payload
) -> WithAttachments:
    """The case with the replaced attachment; refusals in the order of attachments.md 3.2."""
    check_payload(payload)
    check_pairs(payload)
    ground.attachment_types.check(payload)
    while True:
        case, attached = await _load(ground, asking, case_id, [payload])
        if case is not None:
            check_budget(case, 1)
        stored = await _stored(ground, asking, id_)
        require(asking.actor, "updateComment", stored.owner, asking.space)
        if case is None:
            raise NotFound("cases", case_id)
        _check_same_kind(stored, payload)
        if stored.case_id != case_id:
            raise NotFound("cases-comments", id_)
        if version != version_text(stored.version):
            raise VersionConflict("cases-comments", id_)
        if await _save_edited(ground, asking, case, attached, stored, payload):
            return WithAttachments(*await load_with_attachments(ground, asking.space.id, case_id))


def _check_same_kind(stored: Attachment, payload: Payload) -> None:
    if stored.type != payload["type"]:
        raise InvalidInput("type", f"the type of an attachment cannot change from {stored.type}.")
    _check_owner(stored.owner, payload["owner"])
    if stored.type == EXTERNAL_REFERENCE:
        kept, given = (each["externalReferenceStorage"]["type"] for each in (stored.payload, payload))
        if kept != given:
            raise InvalidInput("externalReferenceStorage.type", f"it cannot change from {kept}.")


async def _save_edited(
    ground: Ground,
    asking: Asking,
    case: Case,
    attached: Sequence[Attachment],
    stored: Attachment,
    payload: Payload,
) -> bool:
    """Whether it was written; False when the case or the attachment moved: the next round tells which."""
    now, by = ground.now(), asking.actor.user
    new = normalised(payload)
    before = alert_ids(each.payload for each in attached)
    after = alert_ids(new if each.id == stored.id else each.payload for each in attached)
    total = len(set(after)) if stored.type == ALERT else case.counts.alerts
    if total > max(limits.ALERTS, case.counts.alerts):
        raise LimitExceeded("alertId", limits.ALERTS, total, "alerts")
    edited = msgspec.structs.replace(stored, payload=new, updated_at=now, updated_by=by)
    counts = recounted(case.counts, [stored.payload], [new], total)
    work = unit(ground, asking, at=now)
    touched = msgspec.structs.replace(case, updated_at=now, updated_by=by, counts=counts)
    activity = [Activity("comment", "update", {"comment": new}, stored.id)]
    work.update(case, touched, activity)
    work.also(*await automation.pushes(ground, asking, [Changed(touched, activity)]))
    work.replace_attachment(stored, edited)
    told = alert_sync.of_attachments(
        ground, case, attached, [edited if each.id == edited.id else each for each in attached]
    )
    work.also(*alerts.link_writes(case, before, after), *told)
    work.audit("case_comment_update", "cases-comments", [stored.id])
    try:
        await work.save()
    except VersionConflict:
        return False
    await alert_sync.announce(ground, told)
    return True


# Reading


async def get(ground: Ground, asking: Asking, case_id: str, id_: str, *, operation: str = "getComment") -> Attachment:
    """One attachment of the case, for who may do `operation` on it: looking at it, or what it is looked up for."""
    stored = await _stored(ground, asking, id_)
    require(asking.actor, operation, stored.owner, asking.space)
    if stored.case_id != case_id:
        raise NotFound("cases-comments", id_)
    return stored


async def get_many(ground: Ground, asking: Asking, case_id: str, ids: Sequence[str]) -> AttachmentsByIds:
    """Which of these ids are attachments of the case that the caller may read."""
    if not 1 <= len(ids) <= limits.ATTACHMENTS_PER_BULK_GET:
        raise InvalidInput("ids", f"expected 1 to {limits.ATTACHMENTS_PER_BULK_GET} ids, given {len(ids)}.")
    readable = permitted_owners(asking.actor, "getComment", asking.space)
    case = await _case(ground, asking, case_id)
    require(asking.actor, "getCase", case.owner, asking.space)
    stored = await attachments.get_many(ground.database, asking.space.id, ids)
    present = [stored[each] for each in ids if each in stored]
    own = [each for each in present if each.case_id == case_id]
    return AttachmentsByIds(
        found=[each for each in own if each.owner in readable],
        unknown=[each for each in ids if each not in stored],
        foreign=[each.id for each in present if each.case_id != case_id],
        forbidden=[each for each in own if each.owner not in readable],
    )


async def list_all(ground: Ground, asking: Asking, case_id: str) -> list[Attachment]:
    """All attachments of a case, oldest first; those of owners the caller may not read are left out."""
    readable = permitted_owners(asking.actor, "getComment", asking.space)
    case = await _case(ground, asking, case_id)
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


async def list_alerts(ground: Ground, asking: Asking, case_id: str) -> list[Alert]:
    """The alerts of a case in the order in which they were attached."""
    case, attached = await load_with_attachments(ground, asking.space.id, case_id)
    require(asking.actor, "getCase", case.owner, asking.space)
    require(asking.actor, "getComment", case.owner, asking.space)
    return alerts_of(attached)


async def list_cases_of_alert(
    ground: Ground, asking: Asking, alert_id: str, owners: Sequence[str] | None
) -> list[Case]:
    """The cases that hold an alert and that the caller may read, oldest first."""
    if not trimmed(alert_id):
        raise InvalidInput("alert_id", "must not be empty or only white space.")
    readable = permitted_owners(asking.actor, "getCase", asking.space, owners)
    return await alerts.list_cases(ground.database, asking.space.id, alert_id, readable)


# Deleting


async def delete(ground: Ground, asking: Asking, case_id: str, id_: str) -> None:
    """Delete one attachment of the case."""
    while True:
        stored = await _stored(ground, asking, id_)
        require(asking.actor, "deleteComment", stored.owner, asking.space)
        if stored.case_id != case_id:
            raise NotFound("cases-comments", id_)
        case, attached = await load_with_attachments(ground, asking.space.id, case_id)
        if await save_without(ground, asking, case, attached, {id_}):
            return


async def delete_all(ground: Ground, asking: Asking, case_id: str, *, types: Collection[str] | None = None) -> None:
    """Delete every attachment of the case, or those of some types; NotFound when there is none."""
    while True:
        case, attached = await load_with_attachments(ground, asking.space.id, case_id)
        gone = [each for each in attached if types is None or each.type in types]
        require(asking.actor, "deleteComment", [case.owner, *(each.owner for each in gone)], asking.space)
        if not gone:
            raise NotFound("cases-comments", case_id)
        if await save_without(ground, asking, case, attached, {each.id for each in gone}):
            return


async def save_without(
    ground: Ground,
    asking: Asking,
    case: Case,
    attached: Sequence[Attachment],
    ids: Collection[str],
    also: Sequence[Write] = (),
) -> bool:
    """Whether the case was written without these of its attachments; False when it moved meanwhile.

    `also` is written in the same change.
    """
    gone = [each for each in attached if each.id in ids]
    if not gone:
        return False
    check_budget(case, len(gone))
    now = ground.now()
    before = set(alert_ids(each.payload for each in attached))
    after = set(alert_ids(each.payload for each in attached if each.id not in ids))
    counts = recounted(case.counts, [each.payload for each in gone], (), len(after))
    touched = msgspec.structs.replace(case, updated_at=now, updated_by=asking.actor.user, counts=counts)
    work = unit(ground, asking, at=now)
    work.update(case, touched, [Activity("comment", "delete", {"comment": each.payload}, each.id) for each in gone])
    for each in gone:
        work.detach(each)
    told = alert_sync.of_attachments(ground, case, attached, [each for each in attached if each.id not in ids])
    work.also(*alerts.link_writes(case, before, after), *told, *also)
    work.audit("case_comment_delete", "cases-comments", [each.id for each in gone])
    try:
        await work.save()
    except VersionConflict:
        return False
    await alert_sync.announce(ground, told)
    return True


async def _case(ground: Ground, asking: Asking, case_id: str) -> Case:
    case = await cases.get(ground.database, asking.space.id, case_id)
    if case is None:
        raise NotFound("cases", case_id)
    return case


async def _stored(ground: Ground, asking: Asking, id_: str) -> Attachment:
    stored = await attachments.get(ground.database, asking.space.id, id_)
    if stored is None:
        raise NotFound("cases-comments", id_)
    return stored


def _check_owner(stored: str, sent: str) -> None:
    if stored != sent:
        raise InvalidInput("owner", f"the case belongs to {stored}, not to {sent}.")
