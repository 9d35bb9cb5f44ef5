"""Pushing a case: taking the turn of its pair, one try, and settling what came of it (push.md, extensions.md 1).

Both the `_push` route and the worker end in `_attempt`: the route with a delivery it has just made, the worker with one
it has claimed.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Sequence
from datetime import datetime, timedelta

import msgspec

from casebridge.connectors.http import CallLog
from casebridge.domain.attachment import Attachment
from casebridge.domain.case import CLOSED, Case, ExternalService
from casebridge.domain.connector import Connector
from casebridge.domain.delivery import (
    CANCELLED,
    DELIVERED,
    FAILED,
    MANUAL,
    QUEUED,
    SENDING,
    UNCERTAIN,
    WAITING,
    Attempt,
    CommentState,
    Delivery,
    DeliveryError,
    Step,
    next_attempt,
)
from casebridge.domain.errors import Conflict, ConnectorError, NotFound, PushFailed, VersionConflict
from casebridge.domain.incident import PUSHED_TYPES
from casebridge.domain.user import Actor
from casebridge.security.privileges import require
from casebridge.services import circuit
from casebridge.services import connectors as connector_verbs
from casebridge.services.cases import load_with_attachments
from casebridge.services.ground import Asking, Ground
from casebridge.services.push_load import Loaded, load
from casebridge.services.push_outcome import closed_text, closes_by_pushing, outcome, require_open
from casebridge.services.push_send import LeaseLost, Sender, lease_until
from casebridge.storage import cases, connector_care, outbox
from casebridge.storage.outbox import ExternalRecord
from casebridge.storage.session import ConstraintBroken, Write
from casebridge.storage.unit import Unit

_TURN_POLL_S = 0.05
_KEY_LIFE = timedelta(hours=24)


class Pushed(msgspec.Struct, frozen=True):
    """A case right after a push, with all its attachments, oldest first."""

    case: Case
    attachments: Sequence[Attachment]


class _Busy(Conflict):
    """The turn of the pair is taken."""


class _KeyTaken(Conflict):
    """The idempotency key belongs to another delivery already."""


async def push(ground: Ground, asking: Asking, case_id: str, connector_id: str, *, key: str | None = None) -> Pushed:
    """Push a case now; the case as stored then. PushFailed when the external system did not do it.

    `key` is the caller's idempotency key: a repeat within 24 hours answers what became of the first push.
    """
    until = time.monotonic() + ground.push.wait_s
    while True:
        case, connector = await _permitted(ground, asking, case_id, connector_id)
        if key is not None and (earlier := await _by_key(ground, asking, key, case_id, connector_id)):
            return await _repeated(ground, asking, earlier, until)
        require_open(case)
        try:
            delivery = await _take_turn(ground, asking, case_id, connector, key)
        except (_Busy, _KeyTaken):
            await _wait_for_turn(ground, case_id, connector_id, until)
            continue
        try:
            connector = await _check(ground, asking, case_id, connector_id)
        except Exception:
            # While we waited the case was closed, deleted or taken from the caller: nothing is sent.
            await ground.database.commit(outbox.remove_writes(delivery))
            raise
        return await _attempt(ground, asking.actor, delivery, connector, by_hand=True)


async def queue(
    ground: Ground, asking: Asking, case_id: str, connector_id: str, *, key: str | None = None
) -> Delivery | Pushed:
    """Have a worker push the case, with retries; the delivery, `queued`.

    A repeat with the same key gives the first delivery while it is under way, and then what became of it.
    """
    case, connector = await _permitted(ground, asking, case_id, connector_id)
    if key is not None and (earlier := await _by_key(ground, asking, key, case_id, connector_id)):
        if earlier.state in (QUEUED, SENDING, WAITING):
            return earlier
        return await _repeated(ground, asking, earlier, time.monotonic())
    require_open(case)
    now = ground.now()
    delivery = _new_delivery(ground, asking, case, connector, QUEUED, key)
    delivery = msgspec.structs.replace(delivery, retries=True, next_attempt_at=now)
    writes = [outbox.insert_write(delivery), *_key_writes(asking, delivery, now)]
    try:
        await ground.database.commit(writes)
    except _KeyTaken:
        return await queue(ground, asking, case_id, connector_id, key=key)
    await ground.database.hint()
    return delivery


async def take_up(ground: Ground, delivery: Delivery) -> None:
    """Work on a delivery whose time has come, or whose lease ran out: for the worker, nobody waits for an answer."""
    if delivery.state == SENDING:
        await _abandon(ground, delivery)
        return
    if await circuit.holds_back(ground, delivery):
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
        rows = await ground.database.commit([outbox.claim_write(delivery, claimed, _Busy("taken"))])
    except (_Busy, ConstraintBroken):
        # Somebody else was quicker; the index that allows one sender of a pair may be what told us.
        return
    claimed = msgspec.structs.replace(claimed, version=rows[0][0]["version"])
    actor = Actor(claimed.created_by, roles=())
    log, started = CallLog(), ground.now()
    try:
        case = await _case(ground, claimed.space, claimed.case_id)
        if first and case.status == CLOSED and claimed.origin == MANUAL:
            raise ConnectorError(closed_text(case), code="configuration", permanent=True)
        connector = await connector_verbs.find_usable(ground, claimed.space, claimed.connector_id)
        await _attempt(ground, actor, claimed, connector, by_hand=by_hand)
    except NotFound as gone:
        fault = ConnectorError(str(gone), code="configuration", permanent=True)
        await _settle_fault(ground, claimed, fault, log, started, before=claimed.step)
    except ConnectorError as fault:
        await _settle_fault(ground, claimed, fault, log, started, before=claimed.step)
    except (PushFailed, LeaseLost):
        # Both are in the ledger already: the first with its reason, the second with its new holder.
        return


async def _case(ground: Ground, space_id: str, case_id: str) -> Case:
    case = await cases.get(ground.database, space_id, case_id)
    if case is None:
        raise NotFound("cases", case_id)
    return case


async def _check(ground: Ground, asking: Asking, case_id: str, connector_id: str) -> Connector:
    """The connector, once all refusals of push.md 1, steps 1 to 3, are passed."""
    case, connector = await _permitted(ground, asking, case_id, connector_id)
    require_open(case)
    return connector


async def _permitted(ground: Ground, asking: Asking, case_id: str, connector_id: str) -> tuple[Case, Connector]:
    """Case and connector, once it is known that the caller may push the one through the other."""
    case = await _case(ground, asking.space.id, case_id)
    connector = await connector_verbs.find_usable(ground, asking.space.id, connector_id)
    require(asking.actor, "useConnectors", None, asking.space)
    require(asking.actor, "getCase", case.owner, asking.space)
    require(asking.actor, "getUserActions", case.owner, asking.space)
    require(asking.actor, "pushCase", case.owner, asking.space)
    return case, connector


# Turns


def _new_delivery(
    ground: Ground, asking: Asking, case: Case, connector: Connector, state: str, key: str | None
) -> Delivery:
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


def _key_writes(asking: Asking, delivery: Delivery, now: datetime) -> list[Write]:
    if delivery.idempotency_key is None:
        return []
    username = asking.actor.user.username or ""
    taken = _KeyTaken("The idempotency key is in use.")
    return [
        outbox.idempotency_write(
            delivery.space, username, delivery.idempotency_key, delivery.id, now, now - _KEY_LIFE, taken
        )
    ]


async def _take_turn(ground: Ground, asking: Asking, case_id: str, connector: Connector, key: str | None) -> Delivery:
    case = await _case(ground, asking.space.id, case_id)
    now = ground.now()
    delivery = msgspec.structs.replace(
        _new_delivery(ground, asking, case, connector, SENDING, key),
        lease_id=ground.new_id(),
        lease_until=lease_until(now, ground.push),
        attempt_count=1,
    )
    busy = _Busy(f"Another push of case {case_id} through this connector is under way.")
    rows = await ground.database.commit([outbox.insert_write(delivery, busy), *_key_writes(asking, delivery, now)])
    return msgspec.structs.replace(delivery, version=rows[0][0]["version"])


async def _wait_for_turn(ground: Ground, case_id: str, connector_id: str, until: float) -> None:
    if time.monotonic() >= until:
        raise Conflict(
            f"Another push of case {case_id} through connector {connector_id} is still under way after "
            f"{ground.push.wait_s:g} s; try again later."
        )
    query = outbox.open_query(case_id, connector_id)
    for row in await ground.database.read(query.sql, query.params):
        delivery = outbox.from_row(row)
        if _has_run_out(ground, delivery):
            await _abandon(ground, delivery)
            return
    await asyncio.sleep(_TURN_POLL_S * (1 + ground.draw()))


def _has_run_out(ground: Ground, delivery: Delivery) -> bool:
    over = delivery.lease_until is not None and delivery.lease_until < ground.now()
    return delivery.state == SENDING and over


async def _abandon(ground: Ground, delivery: Delivery) -> None:
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
        comments=_uncertain(delivery),
    )
    attempt = Attempt(
        started_at=delivery.updated_at or delivery.created_at,
        duration_ms=0,
        outcome="unknown",
    )
    try:
        await ground.database.commit(
            [
                outbox.move_write(delivery, left, _Busy("taken")),
                outbox.attempt_write(delivery.id, delivery.attempt_count, attempt),
            ]
        )
    except _Busy:
        return


def _uncertain(delivery: Delivery) -> tuple[CommentState, ...]:
    if delivery.step is None or delivery.step.comment_id is None:
        return delivery.comments
    return tuple(
        CommentState(each.comment_id, "uncertain", each.external_id)
        if each.comment_id == delivery.step.comment_id
        else each
        for each in delivery.comments
    )


# Idempotency keys


async def _by_key(ground: Ground, asking: Asking, key: str, case_id: str, connector_id: str) -> Delivery | None:
    username = asking.actor.user.username or ""
    since = ground.now() - _KEY_LIFE
    delivery = await outbox.by_idempotency_key(ground.database, asking.space.id, username, key, since)
    if delivery is not None and (delivery.case_id, delivery.connector_id) != (case_id, connector_id):
        raise Conflict("This idempotency key was used for the push of another case or connector; choose a new one.")
    return delivery


async def _repeated(ground: Ground, asking: Asking, first: Delivery, until: float) -> Pushed:
    """What became of the push that the key was used for first."""
    delivery: Delivery | None = first
    while delivery is not None:
        if delivery.state == DELIVERED:
            return await _present(ground, delivery.space, delivery.case_id)
        if delivery.state in (FAILED, UNCERTAIN, CANCELLED):
            text = delivery.error.message if delivery.error else "The push did not succeed."
            raise PushFailed(_failure_text(text), delivery.id)
        if time.monotonic() >= until:
            break
        await asyncio.sleep(_TURN_POLL_S)
        delivery = await outbox.get(ground.database, asking.space.id, first.id)
    raise Conflict("The first push with this idempotency key is still under way; ask again later.")


async def _present(ground: Ground, space_id: str, case_id: str) -> Pushed:
    return Pushed(*await load_with_attachments(ground, space_id, case_id))


# One try


async def _attempt(ground: Ground, actor: Actor, delivery: Delivery, connector: Connector, *, by_hand: bool) -> Pushed:
    log, started = CallLog(), ground.now()
    loaded = await load(ground, delivery.space, delivery.case_id, delivery.connector_id)
    if loaded is None:
        await ground.database.commit(outbox.remove_writes(delivery))
        raise NotFound("cases", delivery.case_id)
    delivery = msgspec.structs.replace(delivery, read_point=loaded.read_point)
    sender = Sender(ground, connector, delivery, loaded, by_hand=by_hand)
    try:
        worker = await connector_verbs.working(ground, delivery.space, connector, log=log, before_call=sender.renew)
        record = await sender.send(worker)
    except ConnectorError as fault:
        ledger, needs_person, before = sender.take_unsaved(), sender.needs_person, delivery.step
        await _settle_fault(
            ground, sender.delivery, fault, log, started, ledger, before=before, needs_person=needs_person
        )
        is_open = fault.unknown or _was_open(sender.delivery, before, started)
        text = _told(sender.delivery, fault, is_open=is_open, needs_person=needs_person)
        raise PushFailed(_failure_text(text), delivery.id) from fault
    return await _settle_success(ground, actor, connector, loaded, sender, record, log, started)


def _failure_text(message: str) -> str:
    return message if message.startswith("Failed to push case") else f"Failed to push case: Error: {message}"


def _was_open(delivery: Delivery, before: Step | None, started: datetime) -> bool:
    """Whether a write that an earlier try left open still is: this try has not settled it, or repeats it."""
    step = delivery.step
    return step is not None and (step is before or step.sent_at < started)


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


async def _settle_fault(
    ground: Ground,
    delivery: Delivery,
    fault: ConnectorError,
    log: CallLog,
    started: datetime,
    ledger: Sequence[Write] = (),
    *,
    before: Step | None = None,
    needs_person: bool = False,
) -> None:
    """Record a try that failed: what is certain of it, and when it is tried again, if ever.

    `before` is the step this try found in the delivery: as long as it could not be looked up, it stays uncertain.
    """
    now = ground.now()
    still_open = _was_open(delivery, before, started)
    unknown = fault.unknown and delivery.step is not None and not still_open
    is_open = still_open or unknown
    again = None
    if delivery.retries and not (is_open and needs_person):
        healing = ConnectorError(
            fault.message, code=fault.code, permanent=fault.permanent and not is_open, retry_after_s=fault.retry_after_s
        )
        again = next_attempt(delivery.attempt_count, healing, now, ground.draw(), ground.push.retry)
    kept = delivery.step if still_open else None
    if unknown and delivery.step is not None:
        kept = msgspec.structs.replace(delivery.step, gave_up_at=now)
    state = UNCERTAIN if kept is not None else WAITING if again is not None else FAILED
    settled = msgspec.structs.replace(
        delivery,
        state=state,
        step=kept,
        lease_id=None,
        lease_until=None,
        next_attempt_at=again,
        updated_at=now,
        error=DeliveryError(fault.code, fault.message, fault.permanent and not is_open),
        comments=delivery.comments if kept is None else _uncertain(delivery),
    )
    outcome = "unknown" if unknown else "permanent_fault" if fault.permanent else "passing_fault"
    writes = [
        outbox.move_write(delivery, settled, LeaseLost()),
        *ledger,
        outbox.attempt_write(delivery.id, delivery.attempt_count, _tried(log, started, now, outcome)),
    ]
    if not fault.permanent:
        writes.append(circuit.fault_write(ground, delivery, fault, now))
    await ground.database.commit(writes)


def _tried(log: CallLog, started: datetime, ended: datetime, outcome: str) -> Attempt:
    duration_ms = round((ended - started).total_seconds() * 1000)
    return Attempt(started_at=started, duration_ms=duration_ms, outcome=outcome, calls=tuple(log.calls))


async def _settle_success(
    ground: Ground,
    actor: Actor,
    connector: Connector,
    loaded: Loaded,
    sender: Sender,
    record: ExternalRecord,
    log: CallLog,
    started: datetime,
) -> Pushed:
    """Write the outcome on the case as it is by now; a change made meanwhile stays (push.md 1, step 8)."""
    ledger = sender.take_unsaved()
    while True:
        try:
            present = await _present(ground, loaded.case.space, loaded.case.id)
        except NotFound:
            await _settle_gone(ground, sender.delivery, log, started)
            raise
        work = await _outcome(ground, actor, connector, sender, record, present)
        now = ground.now()
        attempt = _tried(log, started, now, "delivered")
        work.also(
            *ledger,
            outbox.record_write(loaded.case.space, loaded.case.id, connector.id, record),
            outbox.attempt_write(sender.delivery.id, sender.delivery.attempt_count, attempt),
            connector_care.success_write(loaded.case.space, connector.id, now),
            outbox.move_write(sender.delivery, _delivered(sender.delivery, record, now), LeaseLost()),
            *_overtake(loaded, sender, now),
        )
        try:
            await work.save()
        except VersionConflict:
            continue
        except _Moved:
            # An earlier delivery was cancelled or retried by a person meanwhile: leave those alone.
            loaded = await _reloaded(ground, loaded, connector.id)
            continue
        return await _present(ground, loaded.case.space, loaded.case.id)


async def _reloaded(ground: Ground, loaded: Loaded, connector_id: str) -> Loaded:
    query = outbox.unsettled_query(loaded.case.id, connector_id)
    known = {each.id for each in loaded.open}
    rows = await ground.database.read(query.sql, query.params)
    still = [each for each in map(outbox.from_row, rows) if each.id in known]
    return msgspec.structs.replace(loaded, open=still)


class _Moved(Conflict):
    """An earlier delivery of the pair moved meanwhile."""


def _delivered(delivery: Delivery, record: ExternalRecord, now: datetime) -> Delivery:
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


def _overtake(loaded: Loaded, sender: Sender, now: datetime) -> list[Write]:
    """End the pair's earlier deliveries: this one has sent all that they would have."""
    writes = []
    for each in loaded.open:
        if each.id == sender.delivery.id or each.state == SENDING:
            continue
        shown = each.state == UNCERTAIN and each.id in sender.confirmed
        error = None if shown else DeliveryError("configuration", "Overtaken by a newer push of the case.", True)
        ended = msgspec.structs.replace(
            each,
            state=DELIVERED if shown else CANCELLED,
            step=None,
            next_attempt_at=None,
            updated_at=now,
            error=each.error if each.state == CANCELLED else error,
        )
        writes.append(outbox.move_write(each, ended, _Moved("An earlier delivery moved.")))
    return writes


async def _settle_gone(ground: Ground, delivery: Delivery, log: CallLog, started: datetime) -> None:
    """The case was deleted while it was being pushed: the delivery keeps what is known of the incident."""
    gone = ConnectorError("The case was deleted while it was being pushed.", code="configuration", permanent=True)
    await _settle_fault(ground, msgspec.structs.replace(delivery, step=None), gone, log, started)


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
    return outcome(ground, actor, case, service, sent, closes=closes)


def _is_pushed_now(attachment: Attachment, sender: Sender) -> bool:
    there = attachment.seq <= sender.delivery.read_point and attachment.pushed_at is None
    return there and (attachment.type not in PUSHED_TYPES or attachment.id in sender.accepted)
