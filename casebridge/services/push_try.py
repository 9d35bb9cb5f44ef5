"""One try of a delivery that is `sending` under our lease, whoever asked for it."""

from __future__ import annotations

import msgspec

from casebridge.connectors.http import CallLog
from casebridge.domain.case import CLOSED
from casebridge.domain.connector import Connector
from casebridge.domain.delivery import Delivery
from casebridge.domain.errors import ConnectorError, NotFound, PushFailed
from casebridge.domain.user import Actor
from casebridge.services import connectors as connector_verbs
from casebridge.services.ground import Ground
from casebridge.services.push_fault import failure_text, settle_fault, settle_vanished, was_open
from casebridge.services.push_load import load
from casebridge.services.push_outcome import closed_text
from casebridge.services.push_send import Sender
from casebridge.services.push_success import settle_success
from casebridge.services.push_turn import held


async def attempt(
    ground: Ground, actor: Actor, delivery: Delivery, connector: Connector, *, by_hand: bool, only_open: bool = False
) -> None:
    """Send a delivery, and settle what came of it: PushFailed when the external system did not do it.

    `by_hand`: a person asked for this very try. `only_open`: a closed case is a fault.
    """
    async with held(ground, delivery):
        await _attempt(ground, actor, delivery, connector, by_hand=by_hand, only_open=only_open)


async def _attempt(
    ground: Ground, actor: Actor, delivery: Delivery, connector: Connector, *, by_hand: bool, only_open: bool
) -> None:
    log, started = CallLog(), ground.now()
    loaded = await load(ground, delivery.space, delivery.case_id, delivery.connector_id)
    if loaded is None:
        await settle_vanished(ground, delivery)
        raise NotFound("cases", delivery.case_id)
    delivery = msgspec.structs.replace(delivery, read_point=loaded.read_point)
    sender = Sender(ground, connector, delivery, loaded, by_hand=by_hand)
    try:
        if only_open and loaded.case.status == CLOSED:
            raise ConnectorError(closed_text(loaded.case), code="configuration", permanent=True)
        worker = await connector_verbs.working(ground, delivery.space, connector, log=log, before_call=sender.renew)
        record = await sender.send(worker)
    except ConnectorError as fault:
        ledger, needs_person, before = sender.take_unsaved(), sender.needs_person, delivery.step
        await settle_fault(
            ground, sender.delivery, fault, log, started, ledger, before=before, needs_person=needs_person
        )
        is_open = fault.unknown or was_open(sender.delivery, before, started)
        text = _told(sender.delivery, fault, is_open=is_open, needs_person=needs_person)
        raise PushFailed(failure_text(text), delivery.id) from fault
    await settle_success(ground, actor, connector, loaded, sender, record, log, started)


def _told(delivery: Delivery, fault: ConnectorError, *, is_open: bool, needs_person: bool) -> str:
    step = delivery.step
    if step is None or not is_open:
        return fault.message
    what = "incident" if step.kind == "create" else "comment"
    if needs_person:
        return f"{fault.message} The {what} may exist and cannot be looked up; a further push sends it again unchanged."
    if step.kind == "create":
        return f"{fault.message} The incident may exist; the next push looks for it before it creates one."
    return fault.message
