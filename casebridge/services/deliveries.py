"""The ledger of pushes: reading deliveries, trying one again, withdrawing one (extensions.md 1)."""

from __future__ import annotations

from collections.abc import Sequence

import msgspec

from casebridge.domain.delivery import CANCELLED, QUEUED, Attempt, Delivery, check_arrow
from casebridge.domain.errors import Conflict, NotFound
from casebridge.domain.query import Page
from casebridge.security.privileges import permitted_owners, require
from casebridge.services.ground import Asking, Ground
from casebridge.storage import audit, outbox


async def find(
    ground: Ground,
    asking: Asking,
    page: Page,
    *,
    case_id: str | None = None,
    connector_id: str | None = None,
    states: Sequence[str] | None = None,
    owners: Sequence[str] | None = None,
) -> tuple[list[Delivery], int]:
    """One page of deliveries the caller may read, newest first, and their number."""
    readable = permitted_owners(asking.actor, "getUserActions", asking.space, owners)
    return await outbox.find(
        ground.database,
        asking.space.id,
        readable,
        page,
        case_id=case_id,
        connector_id=connector_id,
        states=states,
    )


async def get(ground: Ground, asking: Asking, id_: str) -> tuple[Delivery, list[Attempt]]:
    """One delivery and its tries, oldest first."""
    delivery = await _stored(ground, asking, id_)
    require(asking.actor, "getUserActions", delivery.owner, asking.space)
    return delivery, await outbox.list_attempts(ground.database, id_)


async def retry(ground: Ground, asking: Asking, id_: str) -> Delivery:
    """Queue a delivery again by hand; what is uncertain is still looked up before anything is sent."""
    delivery = await _stored(ground, asking, id_)
    require(asking.actor, "pushCase", delivery.owner, asking.space)
    check_arrow(delivery, QUEUED)
    now = ground.now()
    queued = msgspec.structs.replace(
        delivery, state=QUEUED, retries=True, gathers=False, overtaken_by=None, next_attempt_at=now, updated_at=now
    )
    moved = await _move(ground, asking, "delivery_retry", delivery, queued)
    await ground.database.hint()
    return moved


async def cancel(ground: Ground, asking: Asking, id_: str) -> Delivery:
    """Withdraw a delivery that is not being sent."""
    delivery = await _stored(ground, asking, id_)
    require(asking.actor, "pushCase", delivery.owner, asking.space)
    check_arrow(delivery, CANCELLED)
    cancelled = msgspec.structs.replace(delivery, state=CANCELLED, next_attempt_at=None, updated_at=ground.now())
    return await _move(ground, asking, "delivery_cancel", delivery, cancelled)


async def _stored(ground: Ground, asking: Asking, id_: str) -> Delivery:
    delivery = await outbox.get(ground.database, asking.space.id, id_)
    if delivery is None:
        raise NotFound("deliveries", id_)
    return delivery


async def _move(ground: Ground, asking: Asking, action: str, old: Delivery, new: Delivery) -> Delivery:
    moved = Conflict(f"[deliveries/{old.id}] moved meanwhile; fetch it again.")
    event = audit.event_write(action, asking.actor, asking.space.id, "deliveries", [old.id], ground.now())
    rows = await ground.database.commit([outbox.move_write(old, new, moved), event])
    return msgspec.structs.replace(new, version=rows[0][0]["version"])
