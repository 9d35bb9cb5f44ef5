"""Automation of an owner's cases: what was switched on, and the pushes that changes ask for (extensions.md 2)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import timedelta

import msgspec

from casebridge.domain.automation import Automation, AutoPush
from casebridge.domain.case import Case
from casebridge.domain.connector import NO_CONNECTOR_TYPE
from casebridge.domain.delivery import AUTOMATIC, QUEUED, Delivery
from casebridge.domain.errors import InvalidInput, VersionConflict
from casebridge.domain.user_action import Activity
from casebridge.domain.version import version_text
from casebridge.security.privileges import require
from casebridge.services.ground import Asking, Ground
from casebridge.storage import audit, automation, outbox, user_actions
from casebridge.storage.session import Write


class Changed(msgspec.Struct, frozen=True):
    """A case as a change leaves it, and the records of that change; `case` still counts only the earlier records."""

    case: Case
    activity: Sequence[Activity]


async def get(ground: Ground, asking: Asking, owner: str) -> Automation:
    """What was switched on for the cases of an owner."""
    require(asking.actor, "updateConfiguration", owner, asking.space)
    return await automation.get(ground.database, asking.space.id, owner)


async def save(ground: Ground, asking: Asking, owner: str, auto_push: AutoPush, version: str | None) -> Automation:
    """Replace it. `version` None is for the first time; later the present one is needed."""
    auto_push.check()
    require(asking.actor, "updateConfiguration", owner, asking.space)
    stored = await automation.get(ground.database, asking.space.id, owner)
    stale = VersionConflict("automation", owner)
    if version is None and stored.version is not None:
        raise InvalidInput("version", "is required once the automation of this owner was saved.")
    if version is not None and (stored.version is None or version != version_text(stored.version)):
        raise stale
    write = automation.save_write(asking.space.id, stored, auto_push, stale)
    event = audit.event_write("automation_update", asking.actor, asking.space.id, "automation", [owner], ground.now())
    rows = await ground.database.commit([write, event])
    return Automation(owner, rows[0][0]["version"], auto_push)


async def pushes(
    ground: Ground, asking: Asking, changed: Sequence[Changed], known: Mapping[str, AutoPush] | None = None
) -> list[Write]:
    """The deliveries that these changes ask for, to be written with them; none where nothing was switched on.

    `known` is the automation of every owner concerned, if it was read already.
    """
    pushed_to = [each for each in changed if each.case.connector.type != NO_CONNECTOR_TYPE]
    if not pushed_to:
        return []
    if known is None:
        owners = sorted({each.case.owner for each in pushed_to})
        known = await automation.of_owners(ground.database, asking.space.id, owners)
    writes = []
    for each in pushed_to:
        auto = known.get(each.case.owner)
        if auto is None or not auto.asks(each.activity):
            continue
        if auto.create or await _was_pushed(ground, each.case):
            writes.append(outbox.gather_write(_delivery(ground, asking, each), ground.database.dialect))
    return writes


async def _was_pushed(ground: Ground, case: Case) -> bool:
    """Whether the case has a record over there; a push that ends meanwhile writes the case, and so is not missed."""
    if case.external_service is None:
        return False
    query = user_actions.pushes_query(case.id)
    records = [user_actions.from_doc(row[0]) for row in await ground.database.read(query.sql, query.params)]
    return any(each.payload["externalService"]["connector_id"] == case.connector.id for each in records)


def _delivery(ground: Ground, asking: Asking, changed: Changed) -> Delivery:
    case, now = changed.case, ground.now()
    return Delivery(
        id=ground.new_id(),
        space=case.space,
        case_id=case.id,
        connector_id=case.connector.id,
        connector_type=case.connector.type,
        owner=case.owner,
        origin=AUTOMATIC,
        state=QUEUED,
        created_at=now,
        created_by=asking.actor.user,
        retries=True,
        next_attempt_at=now + timedelta(seconds=ground.push.auto_push_quiet_s),
        gathers=True,
        asked_at=case.counts.actions + len(changed.activity),
    )
