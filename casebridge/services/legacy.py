"""What clients of 7.10 and 7.11 ask (contract dialect-7.10.md): today's verbs, as if there were one owner, and the two
steps in which they pushed."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import msgspec

from casebridge.domain.attachment import USER, Attachment
from casebridge.domain.case import LEGACY, Case, ExternalService, NewCase
from casebridge.domain.errors import InvalidInput, NotFound, VersionConflict
from casebridge.domain.incident import PUSHED_TYPES, AcceptedComment
from casebridge.domain.query import CaseQuery, Page
from casebridge.domain.search import Search
from casebridge.domain.space import SECURITY
from casebridge.domain.user_action import UserAction
from casebridge.security.privileges import require
from casebridge.services import attachments, cases, connectors, user_actions
from casebridge.services.cases import FoundCases, WantedChange, load_with_attachments
from casebridge.services.connectors import PUSH, Execution
from casebridge.services.ground import Asking, Ground
from casebridge.services.push_load import Loaded, load
from casebridge.services.push_outcome import closes_by_pushing, outcome, require_open
from casebridge.storage import attachments as stored_attachments
from casebridge.storage import cases as stored_cases
from casebridge.storage import outbox
from casebridge.storage.search import matches
from casebridge.storage.session import Write
from casebridge.wire.legacy_comments import OLD_TYPES

# Cases


async def open_new(ground: Ground, asking: Asking, new: NewCase) -> Case:
    """A new case, its texts kept as sent."""
    return await cases.open_new(ground, asking, new, LEGACY)


async def change(ground: Ground, asking: Asking, wanted: Sequence[WantedChange]) -> list[Case]:
    """The cases that really changed, their texts kept as sent."""
    return await cases.change(ground, asking, wanted, LEGACY, only_owner=SECURITY)


async def delete(ground: Ground, asking: Asking, ids: Sequence[str]) -> None:
    """Delete cases and all that hangs on them."""
    await cases.delete(ground, asking, ids, only_owner=SECURITY)


async def get(ground: Ground, asking: Asking, id_: str) -> Case:
    """One case, without its comments."""
    await _require_visible(ground, asking, id_)
    return await cases.get(ground, asking, id_)


async def get_with_comments(ground: Ground, asking: Asking, id_: str) -> tuple[Case, list[Attachment]]:
    """One case and all its attachments, oldest first."""
    await _require_visible(ground, asking, id_)
    return await cases.get_with_attachments(ground, asking, id_)


async def find(ground: Ground, asking: Asking, query: CaseQuery) -> tuple[FoundCases, dict[str, int]]:
    """One page of cases, and the number of comments of each by case id."""
    found = await cases.find(ground, asking, query, (SECURITY,))
    numbers = {case.id: case.counts.user_comments for case in found.cases}
    mixed = [case.id for case in found.cases if case.counts.attachments != case.counts.user_comments]
    if mixed:
        numbers |= await stored_attachments.count_by_case(ground.database, mixed, OLD_TYPES)
    return found, numbers


async def _require_visible(ground: Ground, asking: Asking, case_id: str) -> None:
    """NotFound for a case of another owner, as if there were none. An owner never changes, so this holds."""
    case = await stored_cases.get(ground.database, asking.space.id, case_id)
    if case is None or case.owner != SECURITY:
        raise NotFound("cases", case_id)


# Comments


async def add_comment(
    ground: Ground, asking: Asking, case_id: str, payload: dict[str, Any]
) -> tuple[Case, list[Attachment]]:
    """The case with the new comment, last of all its attachments."""
    await _require_visible(ground, asking, case_id)
    added = await attachments.add(ground, asking, case_id, payload, alerts_on_closed=True)
    return added.case, list(added.attachments)


async def edit_comment(
    ground: Ground, asking: Asking, case_id: str, id_: str, version: str, payload: dict[str, Any]
) -> tuple[Case, list[Attachment]]:
    """The case with the edited comment; its type cannot change."""
    stored = await get_comment(ground, asking, case_id, id_, operation="updateComment")
    if stored.type != payload["type"]:
        raise InvalidInput("type", f"the type of a comment cannot change from {stored.type}.")
    edited = await attachments.edit(ground, asking, case_id, id_=id_, version=version, payload=payload)
    return edited.case, list(edited.attachments)


async def get_comment(
    ground: Ground, asking: Asking, case_id: str, id_: str, *, operation: str = "getComment"
) -> Attachment:
    """One comment of the case, for who may do `operation` on it."""
    await _require_visible(ground, asking, case_id)
    stored = await attachments.get(ground, asking, case_id, id_, operation=operation)
    if stored.type not in OLD_TYPES:
        raise NotFound("cases-comments", id_)
    return stored


async def list_comments(ground: Ground, asking: Asking, case_id: str) -> list[Attachment]:
    """All comments of the case, oldest first."""
    await _require_visible(ground, asking, case_id)
    found = await attachments.list_all(ground, asking, case_id)
    return [each for each in found if each.type in OLD_TYPES]


async def find_comments(
    ground: Ground, asking: Asking, case_id: str, page: Page, *, search: Search | None, descending: bool
) -> tuple[list[Attachment], int]:
    """One page of the comments of a case that a search finds, and their number; an unknown case has none."""
    try:
        found = await list_comments(ground, asking, case_id)
    except NotFound:
        return [], 0
    if search is not None:
        found = [each for each in found if matches(search, _text(each))]
    if descending:
        found.reverse()
    return found[page.offset : page.offset + page.size], len(found)


def _text(attachment: Attachment) -> str:
    """What a search looks at: the comment, or the ids of an alert."""
    payload = attachment.payload
    values = [payload["comment"]] if attachment.type == USER else [payload["alertId"], payload["index"]]
    return "\n".join("\n".join(each) if isinstance(each, list) else each for each in values)


async def delete_comment(ground: Ground, asking: Asking, case_id: str, id_: str) -> None:
    """Delete one comment of the case."""
    await get_comment(ground, asking, case_id, id_, operation="deleteComment")
    await attachments.delete(ground, asking, case_id, id_)


async def delete_comments(ground: Ground, asking: Asking, case_id: str) -> None:
    """Delete all comments of the case, also when there are none; what these clients cannot see stays."""
    await _require_visible(ground, asking, case_id)
    try:
        await attachments.delete_all(ground, asking, case_id, types=OLD_TYPES)
    except NotFound as missing:
        if missing.kind == "cases":
            raise


# Activity


async def list_user_actions(ground: Ground, asking: Asking, case_id: str) -> list[UserAction]:
    """All records of the case, oldest first; an unknown case has none."""
    try:
        await _require_visible(ground, asking, case_id)
        return await user_actions.list_all(ground, asking, case_id)
    except NotFound:
        return []


# Pushing


async def send(ground: Ground, asking: Asking, connector_id: str, type_id: str, params: dict[str, Any]) -> Execution:
    """Send an incident through a connector of that type; `params` are those of `pushToService`. No case is touched."""
    connector = await connectors.get(ground, asking, connector_id)
    if connector.type != type_id:
        raise InvalidInput("connector_type", f"the connector {connector_id} is of type {connector.type}.")
    return await connectors.execute(ground, asking, connector_id, {"subAction": PUSH, "subActionParams": params})


class Told(msgspec.Struct, frozen=True):
    """What a client says became of its push; it is believed."""

    connector_id: str
    connector_name: str
    external_id: str
    external_title: str
    external_url: str


async def tell_pushed(ground: Ground, asking: Asking, case_id: str, told: Told) -> tuple[Case, list[Attachment]]:
    """The case once it knows that it was pushed, with all its attachments."""
    while True:
        loaded = await load(ground, asking.space.id, case_id, told.connector_id)
        if loaded is None or loaded.case.owner != SECURITY:
            raise NotFound("cases", case_id)
        case = loaded.case
        require(asking.actor, "pushCase", case.owner, asking.space)
        require_open(case)
        service = ExternalService(**msgspec.structs.asdict(told), pushed_at=ground.now(), pushed_by=asking.actor.user)
        closes = await closes_by_pushing(ground, case)
        work = await outcome(ground, asking.actor, case, service, loaded.attachments, closes=closes)
        work.also(*_ledger(loaded, told))
        try:
            await work.save()
        except VersionConflict:
            # The case or a comment moved meanwhile; what is told names no version, so it goes on top of that.
            continue
        return await load_with_attachments(ground, asking.space.id, case_id)


def _ledger(loaded: Loaded, told: Told) -> list[Write]:
    """Count every comment as accepted where our own pushes keep a ledger; without one, the record itself says so."""
    if loaded.record is None:
        return []
    same_record = loaded.record.external_id == told.external_id
    writes = []
    for each in loaded.attachments:
        revision, known = loaded.revisions.get(each.id, 0), loaded.accepted.get(each.id)
        if each.type in PUSHED_TYPES and (known is None or known.revision < revision):
            external_id = known.external_id if known is not None and same_record else None
            entry = AcceptedComment(each.id, revision, "", external_id)
            writes.append(outbox.accepted_write(loaded.case.id, told.connector_id, entry))
    return writes
