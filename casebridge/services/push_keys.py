"""Idempotency keys of pushes: a repeat with the same key answers what became of the first (extensions.md 1.2)."""

from __future__ import annotations

import asyncio
import time
from datetime import datetime, timedelta

from casebridge.domain.delivery import CANCELLED, DELIVERED, FAILED, UNCERTAIN, Delivery
from casebridge.domain.errors import Conflict, PushFailed
from casebridge.services.ground import Asking, Ground
from casebridge.services.push_fault import failure_text
from casebridge.services.push_success import Pushed, as_stored
from casebridge.storage import outbox
from casebridge.storage.session import Write

_POLL_S = 0.05
_KEY_LIFE = timedelta(hours=24)


class KeyTaken(Conflict):
    """The idempotency key belongs to another delivery already."""


def key_writes(asking: Asking, delivery: Delivery, now: datetime) -> list[Write]:
    """Ties the caller's key to a delivery, if there is one; KeyTaken when it is another delivery's."""
    if delivery.idempotency_key is None:
        return []
    username = asking.actor.user.username or ""
    taken = KeyTaken("The idempotency key is in use.")
    return [
        outbox.idempotency_write(
            delivery.space, username, delivery.idempotency_key, delivery.id, now, now - _KEY_LIFE, taken
        )
    ]


async def by_key(ground: Ground, asking: Asking, key: str, case_id: str, connector_id: str) -> Delivery | None:
    """The delivery the caller used this key for; Conflict when that was of another case or connector."""
    username = asking.actor.user.username or ""
    since = ground.now() - _KEY_LIFE
    delivery = await outbox.by_idempotency_key(ground.database, asking.space.id, username, key, since)
    if delivery is not None and (delivery.case_id, delivery.connector_id) != (case_id, connector_id):
        raise Conflict("This idempotency key was used for the push of another case or connector; choose a new one.")
    return delivery


async def repeated(ground: Ground, asking: Asking, first: Delivery, until: float) -> Pushed:
    """What became of the push that the key was used for first."""
    delivery: Delivery | None = first
    while delivery is not None:
        if delivery.state == DELIVERED:
            return await as_stored(ground, delivery.space, delivery.case_id)
        if delivery.state == CANCELLED and delivery.overtaken_by is not None:
            # Sent all the same, by a newer one.
            delivery = await outbox.get(ground.database, asking.space.id, delivery.overtaken_by)
            continue
        if delivery.state in (FAILED, UNCERTAIN, CANCELLED):
            text = delivery.error.message if delivery.error else "The push did not succeed."
            raise PushFailed(failure_text(text), delivery.id)
        if time.monotonic() >= until:
            break
        await asyncio.sleep(_POLL_S)
        delivery = await outbox.get(ground.database, asking.space.id, first.id)
    raise Conflict("The first push with this idempotency key is still under way; ask again later.")
