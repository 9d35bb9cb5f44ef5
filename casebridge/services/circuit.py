"""The circuit of a connector in use: what counts as a fault, and when it holds a worker back (extensions.md 1)."""

from __future__ import annotations

from datetime import datetime, timedelta

import msgspec

from casebridge.domain.circuit import LastError
from casebridge.domain.delivery import UNCERTAIN, WAITING, Delivery
from casebridge.domain.errors import Conflict, ConnectorError
from casebridge.services.ground import Ground
from casebridge.storage import connector_care, outbox
from casebridge.storage.session import Write


class _Taken(Conflict):
    """Another worker was quicker."""


def fault_write(ground: Ground, delivery: Delivery, fault: ConnectorError, now: datetime) -> Write:
    """A passing fault more for the connector of a delivery, to be written with that delivery's outcome."""
    error = LastError(fault.code, fault.message, fault.permanent, now)
    probe_at = now + timedelta(seconds=ground.push.circuit_probe_s)
    return connector_care.fault_write(delivery.space, delivery.connector_id, error, probe_at)


async def holds_back(ground: Ground, delivery: Delivery) -> bool:
    """Whether a worker must leave a delivery alone by now, because its connector's circuit is open.

    It waits for the next probe then. A circuit that is due for one lets a single delivery through.
    """
    health = await connector_care.get_health(ground.database, delivery.space, delivery.connector_id)
    now = ground.now()
    state = health.state(ground.push.circuit_faults, now)
    if state == "closed" or health.probe_at is None:
        return False
    if state == "half-open":
        next_ = now + timedelta(seconds=ground.push.circuit_probe_s)
        probe = connector_care.probe_write(
            delivery.space, delivery.connector_id, health.probe_at, next_, _Taken("The probe is another's.")
        )
        try:
            await ground.database.commit([probe])
        except _Taken:
            return True
        return False
    await _hold(ground, delivery, health.probe_at)
    return True


async def _hold(ground: Ground, delivery: Delivery, until: datetime) -> None:
    # What is uncertain stays so; anything else is waiting, whatever it was before.
    state = delivery.state if delivery.state == UNCERTAIN else WAITING
    held = msgspec.structs.replace(delivery, state=state, next_attempt_at=until, updated_at=ground.now())
    try:
        await ground.database.commit([outbox.move_write(delivery, held, _Taken("moved"))])
    except _Taken:
        return
