"""Pushing a case by hand: now, within the request, or by a worker (push.md, extensions.md 1)."""

from __future__ import annotations

import time

import msgspec

from casebridge.domain.case import Case
from casebridge.domain.connector import Connector
from casebridge.domain.delivery import QUEUED, SENDING, WAITING, Delivery
from casebridge.security.privileges import require
from casebridge.services import connectors as connector_verbs
from casebridge.services.ground import Asking, Ground
from casebridge.services.push_keys import KeyTaken, by_key, key_writes, repeated
from casebridge.services.push_outcome import require_open
from casebridge.services.push_success import Pushed, as_stored
from casebridge.services.push_try import attempt
from casebridge.services.push_turn import Busy, get_case, new_delivery, take_turn, wait_for_turn
from casebridge.storage import outbox


async def push(ground: Ground, asking: Asking, case_id: str, connector_id: str, *, key: str | None = None) -> Pushed:
    """Push a case now; the case as stored then. PushFailed when the external system did not do it.

    `key` is the caller's idempotency key: a repeat within 24 hours answers what became of the first push.
    """
    until = time.monotonic() + ground.push.wait_s
    while True:
        case, connector = await _permitted(ground, asking, case_id, connector_id)
        if key is not None and (earlier := await by_key(ground, asking, key, case_id, connector_id)):
            return await repeated(ground, asking, earlier, until)
        require_open(case)
        try:
            delivery = await take_turn(ground, asking, case_id, connector, key)
        except (Busy, KeyTaken):
            await wait_for_turn(ground, case_id, connector_id, until)
            continue
        try:
            connector = await _check(ground, asking, case_id, connector_id)
        except Exception:
            # While we waited the case was closed, deleted or taken from the caller: nothing is sent.
            await ground.database.commit(outbox.remove_writes(delivery))
            raise
        await attempt(ground, asking.actor, delivery, connector, by_hand=True)
        return await as_stored(ground, asking.space.id, case_id)


async def queue(
    ground: Ground, asking: Asking, case_id: str, connector_id: str, *, key: str | None = None
) -> Delivery | Pushed:
    """Have a worker push the case, with retries; the delivery, `queued`.

    A repeat with the same key gives the first delivery while it is under way, and then what became of it.
    """
    case, connector = await _permitted(ground, asking, case_id, connector_id)
    if key is not None and (earlier := await by_key(ground, asking, key, case_id, connector_id)):
        if earlier.state in (QUEUED, SENDING, WAITING):
            return earlier
        return await repeated(ground, asking, earlier, time.monotonic())
    require_open(case)
    now = ground.now()
    delivery = new_delivery(ground, asking, case, connector, QUEUED, key)
    delivery = msgspec.structs.replace(delivery, retries=True, next_attempt_at=now)
    writes = [outbox.insert_write(delivery), *key_writes(asking, delivery, now)]
    try:
        await ground.database.commit(writes)
    except KeyTaken:
        return await queue(ground, asking, case_id, connector_id, key=key)
    await ground.database.hint()
    return delivery


async def _check(ground: Ground, asking: Asking, case_id: str, connector_id: str) -> Connector:
    """The connector, once all refusals of push.md 1, steps 1 to 3, are passed."""
    case, connector = await _permitted(ground, asking, case_id, connector_id)
    require_open(case)
    return connector


async def _permitted(ground: Ground, asking: Asking, case_id: str, connector_id: str) -> tuple[Case, Connector]:
    """Case and connector, once it is known that the caller may push the one through the other."""
    case = await get_case(ground, asking.space.id, case_id)
    connector = await connector_verbs.find_usable(ground, asking.space.id, connector_id)
    require(asking.actor, "useConnectors", None, asking.space)
    require(asking.actor, "getCase", case.owner, asking.space)
    require(asking.actor, "getUserActions", case.owner, asking.space)
    require(asking.actor, "pushCase", case.owner, asking.space)
    return case, connector
