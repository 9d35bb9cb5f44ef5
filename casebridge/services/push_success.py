"""A try that succeeded: its outcome on the case as it is by now, and what it overtook."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

import msgspec

from casebridge.connectors.http import CallLog
from casebridge.domain.attachment import Attachment
from casebridge.domain.case import Case, ExternalService
from casebridge.domain.connector import Connector
from casebridge.domain.delivery import (
    CANCELLED,
    DELIVERED,
    MANUAL,
    SENDING,
    UNCERTAIN,
    CommentState,
    Delivery,
    DeliveryError,
)
from casebridge.domain.errors import Conflict, ConnectorError, NotFound, VersionConflict
from casebridge.domain.incident import PUSHED_TYPES
from casebridge.domain.user import Actor
from casebridge.services.cases import load_with_attachments
from casebridge.services.ground import Ground
from casebridge.services.push_fault import settle_fault, tried
from casebridge.services.push_load import Loaded
from casebridge.services.push_outcome import closes_by_pushing, outcome
from casebridge.services.push_send import LeaseLost, Sender
from casebridge.storage import connector_care, outbox
from casebridge.storage.outbox import ExternalRecord
from casebridge.storage.session import Write
from casebridge.storage.unit import Unit


class Pushed(msgspec.Struct, frozen=True):
    """A case right after a push, with all its attachments, oldest first."""

    case: Case
    attachments: Sequence[Attachment]


async def as_stored(ground: Ground, space_id: str, case_id: str) -> Pushed:
    """The case as it is now."""
    return Pushed(*await load_with_attachments(ground, space_id, case_id))


async def settle_success(
    ground: Ground,
    actor: Actor,
    connector: Connector,
    loaded: Loaded,
    sender: Sender,
    record: ExternalRecord,
    log: CallLog,
    started: datetime,
) -> None:
    """Write the outcome on the case as it is by now; a change made meanwhile stays (push.md 1, step 8)."""
    ledger = sender.take_unsaved()
    while True:
        try:
            present = await as_stored(ground, loaded.case.space, loaded.case.id)
        except NotFound:
            await _settle_gone(ground, sender.delivery, log, started)
            raise
        work = await _outcome(ground, actor, connector, sender, record, present)
        now = ground.now()
        attempt = tried(log, started, now, "delivered")
        work.also(
            *ledger,
            outbox.record_write(loaded.case.space, loaded.case.id, connector.id, record),
            outbox.attempt_write(sender.delivery.id, sender.delivery.attempt_count, attempt),
            connector_care.success_write(loaded.case.space, connector.id, now),
            outbox.move_write(sender.delivery, _delivered(sender, record, now), LeaseLost()),
            *_overtake(loaded, sender, record, now),
        )
        try:
            await work.save()
        except VersionConflict:
            continue
        except _Moved:
            # An earlier delivery was cancelled or retried by a person meanwhile: leave those alone.
            loaded = await _reloaded(ground, loaded, connector.id)
            continue
        return


async def _reloaded(ground: Ground, loaded: Loaded, connector_id: str) -> Loaded:
    query = outbox.unsettled_query(loaded.case.id, connector_id)
    known = {each.id for each in loaded.open}
    rows = await ground.database.read(query.sql, query.params)
    still = [each for each in map(outbox.from_row, rows) if each.id in known]
    return msgspec.structs.replace(loaded, open=still)


class _Moved(Conflict):
    """An earlier delivery of the pair moved meanwhile."""


def _delivered(sender: Sender, record: ExternalRecord, now: datetime) -> Delivery:
    return msgspec.structs.replace(_arrived(sender.delivery, record, now), error=sender.remark)


def _arrived(delivery: Delivery, record: ExternalRecord, now: datetime) -> Delivery:
    return msgspec.structs.replace(
        delivery,
        state=DELIVERED,
        step=None,
        lease_id=None,
        lease_until=None,
        next_attempt_at=None,
        updated_at=now,
        error=None,
        external_id=record.external_id,
        external_title=record.title,
        external_url=record.url,
    )


def _overtake(loaded: Loaded, sender: Sender, record: ExternalRecord, now: datetime) -> list[Write]:
    """End the pair's earlier deliveries: this one has sent all that they would have."""
    writes = []
    for each in loaded.open:
        if each.id == sender.delivery.id or each.state == SENDING or each.asked_at > loaded.read_point:
            # The last one: a change made while this push was under way became part of it.
            continue
        shown = each.state == UNCERTAIN and each.id in sender.confirmed
        ended = _shown(each, sender, record, now) if shown else _overtaken(each, sender, now)
        writes.append(outbox.move_write(each, ended, _Moved("An earlier delivery moved.")))
    return writes


def _shown(delivery: Delivery, sender: Sender, record: ExternalRecord, now: datetime) -> Delivery:
    """An uncertain delivery of which the look-up has shown that all of it is over there."""
    accepted = sender.accepted
    comments = tuple(
        CommentState(each.comment_id, "accepted", accepted[each.comment_id].external_id)
        if each.comment_id in accepted
        else each
        for each in delivery.comments
    )
    return msgspec.structs.replace(_arrived(delivery, record, now), comments=comments)


def _overtaken(delivery: Delivery, sender: Sender, now: datetime) -> Delivery:
    overtaken = DeliveryError("configuration", "Overtaken by a newer push of the case.", True)
    return msgspec.structs.replace(
        delivery,
        state=CANCELLED,
        step=None,
        next_attempt_at=None,
        updated_at=now,
        error=delivery.error if delivery.state == CANCELLED else overtaken,
        overtaken_by=delivery.overtaken_by if delivery.state == CANCELLED else sender.delivery.id,
    )


async def _settle_gone(ground: Ground, delivery: Delivery, log: CallLog, started: datetime) -> None:
    """The case was deleted while it was being pushed: the delivery keeps what is known of the incident."""
    gone = ConnectorError("The case was deleted while it was being pushed.", code="configuration", permanent=True)
    await settle_fault(ground, msgspec.structs.replace(delivery, step=None), gone, log, started)


async def _outcome(
    ground: Ground,
    actor: Actor,
    connector: Connector,
    sender: Sender,
    record: ExternalRecord,
    present: Pushed,
) -> Unit:
    case, delivery, now, by = present.case, sender.delivery, ground.now(), sender.delivery.created_by
    service = ExternalService(
        connector_id=connector.id,
        connector_name=connector.name,
        external_id=record.external_id,
        external_title=record.title,
        external_url=record.url,
        pushed_at=now,
        pushed_by=by,
    )
    closes = delivery.origin == MANUAL and await closes_by_pushing(ground, case)
    sent = [each for each in present.attachments if _is_pushed_now(each, sender)]
    return await outcome(ground, actor, case, service, sent, closes=closes)


def _is_pushed_now(attachment: Attachment, sender: Sender) -> bool:
    there = attachment.seq <= sender.delivery.read_point and attachment.pushed_at is None
    return there and (attachment.type not in PUSHED_TYPES or attachment.id in sender.accepted)
