"""Cases: opening, reading, finding, changing, deleting (contract cases.md, find.md)."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import suppress
from datetime import datetime

import msgspec

from casebridge.domain import limits
from casebridge.domain.attachment import Attachment
from casebridge.domain.case import (
    CLOSED,
    TODAY,
    Case,
    CaseChanges,
    Change,
    NewCase,
    Rules,
    change_case,
    check_changes,
    check_new_case,
    open_case,
    real_changes,
)
from casebridge.domain.custom_field import CustomFieldDefinition
from casebridge.domain.delivery import CANCELLED, SENDING, DeliveryError
from casebridge.domain.errors import (
    Conflict,
    InvalidInput,
    LimitExceeded,
    NotFound,
    NothingChanged,
    StorageUnavailable,
    VersionConflict,
)
from casebridge.domain.query import CaseFilter, CaseQuery, StatusCounts
from casebridge.domain.text import check_count, repeated
from casebridge.domain.user import User
from casebridge.domain.version import version_text
from casebridge.security.privileges import permitted_owners, require
from casebridge.services import alert_sync, automation
from casebridge.services.automation import Changed
from casebridge.services.ground import Asking, Ground
from casebridge.storage import attachments, cases, categories, configurations, files, outbox
from casebridge.storage import automation as stored_automation
from casebridge.storage.unit import Unit


class WantedChange(msgspec.Struct, frozen=True):
    """One entry of a cases PATCH: which case, at which version, and what shall change."""

    id: str
    version: str
    changes: CaseChanges


class CasesByIds(msgspec.Struct, frozen=True):
    """The cases among some ids that the caller may read, in the order asked; the others with the reason."""

    cases: list[Case]
    unknown: list[str]
    forbidden: list[Case]


class FoundCases(msgspec.Struct, frozen=True):
    """A page of cases, the number of matches, and matches per status whatever the status filter."""

    cases: list[Case]
    total: int
    counts: StatusCounts


def unit(ground: Ground, asking: Asking, *, by: User | None = None, at: datetime | None = None) -> Unit:
    """A new unit of work in the caller's name and space, at the present time if not at another."""
    return Unit(ground.database, asking.actor, asking.space.id, at or ground.now(), ground.new_id, by=by)


async def open_new(ground: Ground, asking: Asking, new: NewCase, rules: Rules = TODAY) -> Case:
    """A new case with the id and numbers the store gave it."""
    check_new_case(new, rules)
    configuration, automated = await stored_automation.beside_configuration(ground.database, asking.space.id, new.owner)
    definitions = () if configuration is None else configuration.custom_fields
    now = ground.now()
    change = open_case(
        new,
        definitions,
        id_=ground.new_id(),
        space=asking.space.id,
        by=asking.actor.user,
        at=now,
        enforce_required=rules.enforce_required,
        trim=rules.trim,
    )
    require(asking.actor, "createCase", new.owner, asking.space)
    if change.case.assignees:
        require(asking.actor, "assignCase", new.owner, asking.space)
    work = unit(ground, asking, at=now)
    work.open(change.case, change.activity)
    work.also(*await automation.pushes(ground, asking, [Changed(change.case, change.activity)], automated))
    work.audit("case_create", "cases", [change.case.id])
    return (await work.save())[0]


async def _definitions(ground: Ground, asking: Asking, owner: str) -> tuple[CustomFieldDefinition, ...]:
    configuration = await configurations.of_owner(ground.database, asking.space.id, owner)
    return () if configuration is None else configuration.custom_fields


async def get(ground: Ground, asking: Asking, id_: str) -> Case:
    """One case the caller may read."""
    case = await cases.get(ground.database, asking.space.id, id_)
    if case is None:
        raise NotFound("cases", id_)
    require(asking.actor, "getCase", case.owner, asking.space)
    return case


async def get_many(ground: Ground, asking: Asking, ids: Sequence[str]) -> CasesByIds:
    """Which of these ids are cases the caller may read; a repeated id counts once."""
    if not 1 <= len(ids) <= limits.CASES_PER_BULK_GET:
        raise InvalidInput("ids", f"expected 1 to {limits.CASES_PER_BULK_GET} ids, given {len(ids)}.")
    readable = permitted_owners(asking.actor, "getCase", asking.space)
    wanted = list(dict.fromkeys(ids))
    stored = await cases.get_many(ground.database, asking.space.id, wanted)
    found = [stored[each] for each in wanted if each in stored]
    return CasesByIds(
        cases=[case for case in found if case.owner in readable],
        unknown=[each for each in wanted if each not in stored],
        forbidden=[case for case in found if case.owner not in readable],
    )


async def get_with_attachments(ground: Ground, asking: Asking, id_: str) -> tuple[Case, list[Attachment]]:
    """One case the caller may read and all its attachments, oldest first, as of one moment."""
    case, found = await load_with_attachments(ground, asking.space.id, id_)
    require(asking.actor, "getCase", case.owner, asking.space)
    require(asking.actor, "getComment", case.owner, asking.space)
    return case, found


async def load_with_attachments(ground: Ground, space_id: str, id_: str) -> tuple[Case, list[Attachment]]:
    """The same without asking for a privilege: the answer to who has just written the case."""
    case_rows, rows = await ground.database.read_together(
        [cases.get_query(space_id, id_), attachments.list_query(space_id, id_)]
    )
    if not case_rows:
        raise NotFound("cases", id_)
    return cases.from_row(case_rows[0]), [attachments.from_row(row) for row in rows]


async def find(ground: Ground, asking: Asking, query: CaseQuery, owners: Sequence[str] | None) -> FoundCases:
    """One page of the cases the caller may read; `owners` are those asked for, None: all."""
    readable = permitted_owners(asking.actor, "getCase", asking.space, owners)
    wanted = msgspec.structs.replace(query.filter, owners=readable)
    tally = await cases.count(ground.database, wanted)
    # How many there are says which way to the page is shorter.
    found = await cases.find(ground.database, msgspec.structs.replace(query, filter=wanted), tally)
    total = cases.among_statuses(tally, wanted.statuses)
    if query.search is not None:
        total = await cases.count_found(ground.database, wanted, query.search)
    return FoundCases(found, total, tally)


async def count(ground: Ground, asking: Asking, wanted: CaseFilter, owners: Sequence[str] | None) -> StatusCounts:
    """Cases per status that the caller may read."""
    readable = permitted_owners(asking.actor, "getCase", asking.space, owners)
    return await cases.count(ground.database, msgspec.structs.replace(wanted, owners=readable))


async def list_tags(ground: Ground, asking: Asking, owners: Sequence[str] | None) -> list[str]:
    """Tags in use, by code point."""
    readable = permitted_owners(asking.actor, "getTags", asking.space, owners)
    return await cases.list_tags(ground.database, asking.space.id, readable)


async def list_categories(ground: Ground, asking: Asking, owners: Sequence[str] | None) -> list[str]:
    """Categories in use, by code point."""
    readable = permitted_owners(asking.actor, "getCase", asking.space, owners)
    return await categories.list_categories(ground.database, asking.space.id, readable, limits.LISTED_TAGS)


async def list_reporters(ground: Ground, asking: Asking, owners: Sequence[str] | None) -> list[User]:
    """Who created cases, by user name."""
    readable = permitted_owners(asking.actor, "getReporters", asking.space, owners)
    return await cases.list_reporters(ground.database, asking.space.id, readable)


async def change(
    ground: Ground,
    asking: Asking,
    wanted: Sequence[WantedChange],
    rules: Rules = TODAY,
    *,
    only_owner: str | None = None,
) -> list[Case]:
    """The cases that really changed, in the order asked; all of them or, when one is refused, none (cases.md 3.1).

    `only_owner`: cases of other owners do not exist for this caller.
    """
    if not 1 <= len(wanted) <= limits.CASES_PER_PATCH:
        raise InvalidInput("cases", f"expected 1 to {limits.CASES_PER_PATCH} entries, given {len(wanted)}.")
    if again := repeated(each.id for each in wanted):
        raise InvalidInput("cases", f"these ids occur more than once: {', '.join(again)}.")
    for place, each in enumerate(wanted):
        check_changes(each.changes, f"cases[{place}].", rules)
    stored = await _stored(ground, asking, [each.id for each in wanted], only_owner)
    _require_change(asking, stored, wanted)
    if unknown := [each.id for each in wanted if each.id not in stored]:
        raise NotFound("cases", unknown)
    if stale := [each.id for each in wanted if version_text(stored[each.id].version) != each.version]:
        raise VersionConflict("cases", stale)
    real = [(stored[each.id], real_changes(stored[each.id], each.changes)) for each in wanted]
    real = [(case, changes) for case, changes in real if changes.given()]
    if not real:
        raise NothingChanged
    now = ground.now()
    work = unit(ground, asking, at=now)
    done, moves = [], []
    for case, changes in real:
        changed = await _changed(ground, asking, case, changes, rules, now)
        work.update(case, changed.case, changed.activity)
        done.append(Changed(changed.case, changed.activity))
        moves.append((case, changed.case))
    told = await alert_sync.of_changes(ground, moves)
    work.also(*await automation.pushes(ground, asking, done), *told)
    work.audit("case_update", "cases", [case.id for case, _ in real])
    saved = await work.save()
    await alert_sync.announce(ground, told)
    return saved


async def _stored(ground: Ground, asking: Asking, ids: Sequence[str], only_owner: str | None) -> dict[str, Case]:
    stored = await cases.get_many(ground.database, asking.space.id, ids)
    return {id_: case for id_, case in stored.items() if only_owner is None or case.owner == only_owner}


async def _changed(
    ground: Ground, asking: Asking, case: Case, changes: CaseChanges, rules: Rules, now: datetime
) -> Change:
    definitions = await _definitions(ground, asking, case.owner) if "custom_fields" in changes.given() else ()
    changed = change_case(case, changes, definitions, by=asking.actor.user, at=now, trim=rules.trim)
    check_budget(case, len(changed.activity))
    return changed


def check_budget(case: Case, more: int) -> None:
    """LimitExceeded when a case would pass its 10,000 user actions."""
    if case.counts.actions + more > limits.USER_ACTIONS:
        raise LimitExceeded(case.id, limits.USER_ACTIONS, case.counts.actions + more, f"user actions of case {case.id}")


def _require_change(asking: Asking, stored: dict[str, Case], wanted: Sequence[WantedChange]) -> None:
    entries = [(stored[each.id], each.changes) for each in wanted if each.id in stored]
    reopened = [
        case.owner
        for case, changes in entries
        if case.status == CLOSED and isinstance(changes.status, str) and changes.status != CLOSED
    ]
    assigned = [
        case.owner
        for case, changes in entries
        if isinstance(changes.assignees, tuple) and set(changes.assignees) != set(case.assignees)
    ]
    keys = [set(each.changes.given()) for each in wanted]
    only_reopens = len(reopened) == len(wanted) and all(each == {"status"} for each in keys)
    only_assigns = all(each == {"assignees"} for each in keys)
    if not only_reopens and not only_assigns:
        require(asking.actor, "updateCase", [case.owner for case, _ in entries], asking.space)
    require(asking.actor, "reopenCase", reopened, asking.space)
    require(asking.actor, "assignCase", assigned, asking.space)


async def delete(ground: Ground, asking: Asking, ids: Sequence[str], *, only_owner: str | None = None) -> None:
    """Delete cases and all that hangs on them; all or none. Deliveries stay readable, open ones are cancelled.

    `only_owner`: cases of other owners do not exist for this caller.
    """
    check_count("ids", ids, limits.CASES_PER_DELETE)
    if not ids or any(not each.strip() for each in ids):
        raise InvalidInput("ids", f"expected 1 to {limits.CASES_PER_DELETE} ids, none of them blank.")
    wanted = list(dict.fromkeys(ids))
    while True:
        stored = await _stored(ground, asking, wanted, only_owner)
        require(asking.actor, "deleteCase", [case.owner for case in stored.values()], asking.space)
        if unknown := [each for each in wanted if each not in stored]:
            raise NotFound("cases", unknown)
        work = unit(ground, asking)
        for id_ in wanted:
            work.remove(stored[id_])
            await _cancel_deliveries(ground, work, id_)
        belonging = await files.list_of_cases(ground.database, asking.space.id, wanted)
        gone = [each.id for each in belonging if set(each.case_ids) <= set(wanted)]
        told = await alert_sync.of_deletions(ground, stored.values())
        work.also(*files.delete_writes(gone), *told)
        work.audit("case_delete", "cases", wanted)
        try:
            await work.save()
        except Conflict:
            # Changed while we looked at it: a deletion names no version, so it looks again.
            continue
        await alert_sync.announce(ground, told)
        if ground.blobs is not None and gone:
            # The cases are gone, whatever becomes of the contents: a sweep does what this cannot.
            with suppress(StorageUnavailable):
                await ground.blobs.remove(*gone)
        return


async def _cancel_deliveries(ground: Ground, work: Unit, case_id: str) -> None:
    query = outbox.open_query(case_id)
    gone = DeliveryError("configuration", "The case was deleted.", permanent=True)
    for row in await ground.database.read(query.sql, query.params):
        delivery = outbox.from_row(row)
        if delivery.state != SENDING:
            cancelled = msgspec.structs.replace(
                delivery, state=CANCELLED, next_attempt_at=None, updated_at=ground.now(), error=gone
            )
            work.also(outbox.move_write(delivery, cancelled, Conflict("The delivery moved meanwhile.")))
