"""What a worker does with a delivery whose time has come or whose sender died."""

from __future__ import annotations

import msgspec

from casebridge.connectors.http import CallLog
from casebridge.domain.delivery import MANUAL, QUEUED, SENDING, Delivery
from casebridge.domain.errors import ConnectorError, NotFound, PushFailed
from casebridge.domain.user import Actor
from casebridge.services import circuit, push_hold
from casebridge.services import connectors as connector_verbs
from casebridge.services.ground import Ground
from casebridge.services.push_fault import settle_fault
from casebridge.services.push_send import LeaseLost, lease_until
from casebridge.services.push_try import attempt
from casebridge.services.push_turn import Busy, abandon, held
from casebridge.storage import outbox
from casebridge.storage.session import ConstraintBroken


async def take_up(ground: Ground, delivery: Delivery) -> None:
    """Work on a delivery whose time has come, or whose lease ran out: for the worker, nobody waits for an answer."""
    if delivery.state == SENDING:
        await abandon(ground, delivery)
        return
    if await push_hold.holds_back(ground, delivery) or await circuit.holds_back(ground, delivery):
        return
    now = ground.now()
    first = delivery.attempt_count == 0
    # A person queues a new delivery of their own, and queues one again that was tried before.
    by_hand = delivery.state == QUEUED and (delivery.origin == MANUAL or not first)
    claimed = msgspec.structs.replace(
        delivery,
        state=SENDING,
        lease_id=ground.new_id(),
        lease_until=lease_until(now, ground.push),
        next_attempt_at=None,
        updated_at=now,
        attempt_count=delivery.attempt_count + 1,
        error=None,
    )
    try:
        rows = await ground.database.commit([outbox.claim_write(delivery, claimed, Busy("taken"))])
    except (Busy, ConstraintBroken):
        # Somebody else was quicker; the index that allows one sender of a pair may be what told us.
        return
    claimed = msgspec.structs.replace(claimed, version=rows[0][0]["version"])
    async with held(ground, claimed):
        await _work_on(ground, claimed, first=first, by_hand=by_hand)


async def _work_on(ground: Ground, claimed: Delivery, *, first: bool, by_hand: bool) -> None:
    actor = Actor(claimed.created_by, roles=())
    log, started = CallLog(), ground.now()
    try:
        try:
            connector = await connector_verbs.find_usable(ground, claimed.space, claimed.connector_id)
        except NotFound as gone:
            fault = ConnectorError(str(gone), code="configuration", permanent=True)
            await settle_fault(ground, claimed, fault, log, started, before=claimed.step)
            return
        only_open = first and claimed.origin == MANUAL
        await attempt(ground, actor, claimed, connector, by_hand=by_hand, only_open=only_open)
    except (NotFound, PushFailed, LeaseLost):
        # All are in the ledger already: the case that is gone, the reason, or the new holder.
        return
