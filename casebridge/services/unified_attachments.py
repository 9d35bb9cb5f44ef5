"""Attachments one by one, in the unified form (contract attachments.md 8): the same objects, answered alone."""

from __future__ import annotations

from collections.abc import Callable

from casebridge.domain.attachment import Attachment, Payload, alert_ids
from casebridge.domain.errors import InvalidInput, NotFound
from casebridge.domain.query import Page
from casebridge.security.privileges import permitted_owners, require
from casebridge.services.attachments import add, edit
from casebridge.services.ground import Asking, Ground
from casebridge.storage import attachments, cases


async def add_one(ground: Ground, asking: Asking, case_id: str, payload: Payload) -> tuple[Attachment, bool]:
    """The new attachment and True; the one that holds them already and False, when all alerts were repeats."""
    id_ = ground.new_id()
    after = await add(ground, asking, case_id, payload, id_=id_)
    for each in after.attachments:
        if each.id == id_:
            return each, True
    sent = set(alert_ids([payload]))
    for each in after.attachments:
        if sent.intersection(alert_ids([each.payload])):
            return each, False
    # Somebody deleted it in the meantime.
    raise NotFound("cases-comments", id_)


async def replace_one(
    ground: Ground,
    asking: Asking,
    case_id: str,
    id_: str,
    *,
    version: str,
    payload: Callable[[Payload], Payload],
    kind: Callable[[Payload], str],
) -> Attachment:
    """The replaced attachment. `payload` makes the new one from the stored one, `kind` tells what may not change."""
    stored = await attachments.get(ground.database, asking.space.id, id_)
    if stored is None:
        raise NotFound("cases-comments", id_)
    require(asking.actor, "updateComment", stored.owner, asking.space)
    if stored.case_id != case_id:
        raise NotFound("cases-comments", id_)
    new = payload(stored.payload)
    if new["owner"] == stored.owner and kind(new) != kind(stored.payload):
        raise InvalidInput("type", f"the type of an attachment cannot change from {kind(stored.payload)}.")
    after = await edit(ground, asking, case_id, id_=id_, version=version, payload=new)
    for each in after.attachments:
        if each.id == id_:
            return each
    raise NotFound("cases-comments", id_)


async def find(
    ground: Ground,
    asking: Asking,
    case_id: str,
    page: Page,
    *,
    wanted: Callable[[Payload], bool] | None,
    descending: bool,
) -> tuple[list[Attachment], int]:
    """One page of a case's attachments by age, those that are `wanted`, and their number; an unknown case has none."""
    readable = permitted_owners(asking.actor, "getComment", asking.space)
    case = await cases.get(ground.database, asking.space.id, case_id)
    if case is None or case.owner not in readable:
        return [], 0
    if wanted is None:
        return await attachments.find(ground.database, asking.space.id, case_id, None, page, descending=descending)
    # Which of them are wanted stands inside their documents; a case has a bounded number.
    found = [
        each for each in await attachments.list_all(ground.database, asking.space.id, case_id) if wanted(each.payload)
    ]
    if descending:
        found.reverse()
    return found[page.offset : page.offset + page.size], len(found)
