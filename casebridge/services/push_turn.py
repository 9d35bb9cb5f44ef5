"""Turns of a pair of case and connector: who may send, who waits, and what becomes of a turn whose holder died."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress

import msgspec

from casebridge.domain.case import Case
from casebridge.domain.connector import Connector
from casebridge.domain.delivery import MANUAL, SENDING, UNCERTAIN, Attempt, Delivery, DeliveryError
from casebridge.domain.errors import CasebridgeError, Conflict, NotFound
from casebridge.services.ground import Asking, Ground
from casebridge.services.push_fault import uncertain_comments
from casebridge.services.push_keys import key_writes
from casebridge.services.push_send import lease_until
from casebridge.storage import cases, outbox

_TURN_POLL_S = 0.05


class Busy(Conflict):
    """The turn of the pair is taken."""


async def get_case(ground: Ground, space_id: str, case_id: str) -> Case:
    """The case, or NotFound."""
    case = await cases.get(ground.database, space_id, case_id)
    if case is None:
        raise NotFound("cases", case_id)
    return case


def new_delivery(
    ground: Ground, asking: Asking, case: Case, connector: Connector, state: str, key: str | None
) -> Delivery:
    """A push by hand, in its first state."""
    return Delivery(
        id=ground.new_id(),
        space=case.space,
        case_id=case.id,
        connector_id=connector.id,
        connector_type=connector.type,
        owner=case.owner,
        origin=MANUAL,
        state=state,
        created_at=ground.now(),
        created_by=asking.actor.user,
        idempotency_key=key,
    )


async def take_turn(ground: Ground, asking: Asking, case_id: str, connector: Connector, key: str | None) -> Delivery:
    """A delivery that is being sent, written down together with the caller's key; Busy when another one is."""
    case = await get_case(ground, asking.space.id, case_id)
    now = ground.now()
    delivery = msgspec.structs.replace(
        new_delivery(ground, asking, case, connector, SENDING, key),
        lease_id=ground.new_id(),
        lease_until=lease_until(now, ground.push),
        attempt_count=1,
    )
    busy = Busy(f"Another push of case {case_id} through this connector is under way.")
    rows = await ground.database.commit([outbox.insert_write(delivery, busy), *key_writes(asking, delivery, now)])
    return msgspec.structs.replace(delivery, version=rows[0][0]["version"])


async def wait_for_turn(ground: Ground, case_id: str, connector_id: str, until: float) -> None:
    """Return when the turn may be free; Conflict when it is too late."""
    if time.monotonic() >= until:
        raise Conflict(
            f"Another push of case {case_id} through connector {connector_id} is still under way after "
            f"{ground.push.wait_s:g} s; try again later."
        )
    query = outbox.open_query(case_id, connector_id)
    for row in await ground.database.read(query.sql, query.params):
        delivery = outbox.from_row(row)
        if _has_run_out(ground, delivery):
            await abandon(ground, delivery)
            return
    await asyncio.sleep(_TURN_POLL_S * (1 + ground.draw()))


def _has_run_out(ground: Ground, delivery: Delivery) -> bool:
    over = delivery.lease_until is not None and delivery.lease_until < ground.now()
    return delivery.state == SENDING and over


async def abandon(ground: Ground, delivery: Delivery) -> None:
    """A lease ran out: its holder died before it told anybody, so a worker finishes what it left uncertain.

    One on which holders die again and again is left to a person once its attempts are used up.
    """
    now = ground.now()
    crashed = DeliveryError("crashed", "The server stopped in the middle of this push.", permanent=False)
    left = msgspec.structs.replace(
        delivery,
        state=UNCERTAIN,
        lease_id=None,
        lease_until=None,
        next_attempt_at=now if delivery.attempt_count < ground.push.retry.attempts else None,
        updated_at=now,
        retries=True,
        error=crashed,
        comments=uncertain_comments(delivery),
    )
    attempt = Attempt(
        started_at=delivery.updated_at or delivery.created_at,
        duration_ms=0,
        outcome="unknown",
    )
    try:
        await ground.database.commit(
            [
                outbox.move_write(delivery, left, Busy("taken")),
                outbox.attempt_write(delivery.id, delivery.attempt_count, attempt),
            ]
        )
    except Busy:
        return


@asynccontextmanager
async def held(ground: Ground, delivery: Delivery) -> AsyncIterator[None]:
    """Work on a delivery under its lease; when this process wants to stop before it is done, give it back at once.

    Another process goes on with it then, without waiting for the lease to run out.
    """
    try:
        yield
    except asyncio.CancelledError:
        with suppress(CasebridgeError):  # who cannot tell the store any more leaves it to the lease
            present = await outbox.get(ground.database, delivery.space, delivery.id)
            if present is not None and present.state == SENDING and present.lease_id == delivery.lease_id:
                await abandon(ground, present)
                await ground.database.hint()
        raise
