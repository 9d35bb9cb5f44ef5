"""Automatic deliveries that must wait for a person, behind a write that nobody can look up (extensions.md 1)."""

from __future__ import annotations

from contextlib import suppress
from datetime import timedelta

import msgspec

from casebridge.connectors.http import CallLog
from casebridge.domain.delivery import AUTOMATIC, SENDING, UNCERTAIN, WAITING, Delivery, DeliveryError
from casebridge.domain.errors import ConnectorError, NotFound
from casebridge.services import connectors as connector_verbs
from casebridge.services.ground import Ground
from casebridge.services.push_send import can_settle
from casebridge.services.push_turn import Busy
from casebridge.storage import outbox


async def holds_back(ground: Ground, delivery: Delivery) -> bool:
    """Whether a worker must leave an automatic delivery alone by now; it is looked at again after `retry.first_s`.

    A person decides by retrying or cancelling the delivery that is uncertain, or by pushing the case.
    """
    if delivery.origin != AUTOMATIC or not await _is_behind_the_unknowable(ground, delivery):
        return False
    now = ground.now()
    held = msgspec.structs.replace(
        delivery,
        state=WAITING,
        next_attempt_at=now + timedelta(seconds=ground.push.retry.first_s),
        updated_at=now,
        error=DeliveryError(
            "configuration",
            "An earlier push of this case is uncertain and cannot be looked up: this one waits until somebody retries "
            "or cancels that one, or pushes the case.",
            permanent=False,
        ),
    )
    with suppress(Busy):
        await ground.database.commit([outbox.move_write(delivery, held, Busy("moved"))])
    return True


async def _is_behind_the_unknowable(ground: Ground, delivery: Delivery) -> bool:
    query = outbox.open_query(delivery.case_id, delivery.connector_id)
    rows = await ground.database.read(query.sql, query.params)
    others = [each for each in map(outbox.from_row, rows) if each.id != delivery.id]
    steps = [each.step for each in others if each.state == UNCERTAIN and each.step is not None]
    if not steps or any(each.state == SENDING for each in others):
        return False
    try:
        connector = await connector_verbs.find_usable(ground, delivery.space, delivery.connector_id)
        worker = await connector_verbs.working(ground, delivery.space, connector, log=CallLog(), before_call=None)
    except (NotFound, ConnectorError):
        # The try itself will tell what is wrong with it.
        return False
    return not all(can_settle(worker, step) for step in steps)
