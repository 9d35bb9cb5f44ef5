"""A try that failed: what is certain of it, and when it is tried again, if ever."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

import msgspec

from casebridge.connectors.http import CallLog
from casebridge.domain.delivery import (
    CANCELLED,
    FAILED,
    UNCERTAIN,
    WAITING,
    Attempt,
    CommentState,
    Delivery,
    DeliveryError,
    Step,
    next_attempt,
)
from casebridge.domain.errors import ConnectorError
from casebridge.services import circuit
from casebridge.services.ground import Ground
from casebridge.services.push_send import LeaseLost
from casebridge.storage import outbox
from casebridge.storage.session import Write


async def settle_fault(
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
    still_open = was_open(delivery, before, started)
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
        comments=delivery.comments if kept is None else uncertain_comments(delivery),
    )
    outcome = "unknown" if unknown else "permanent_fault" if fault.permanent else "passing_fault"
    writes = [
        outbox.move_write(delivery, settled, LeaseLost()),
        *ledger,
        outbox.attempt_write(delivery.id, delivery.attempt_count, tried(log, started, now, outcome)),
    ]
    if not fault.permanent:
        writes.append(circuit.fault_write(ground, delivery, fault, now))
    await ground.database.commit(writes)


async def settle_vanished(ground: Ground, delivery: Delivery) -> None:
    """The case was deleted before anything was sent: like its other open deliveries, this one is cancelled."""
    gone = msgspec.structs.replace(
        delivery,
        state=CANCELLED,
        lease_id=None,
        lease_until=None,
        next_attempt_at=None,
        updated_at=ground.now(),
        error=DeliveryError("configuration", "The case was deleted.", permanent=True),
    )
    await ground.database.commit([outbox.move_write(delivery, gone, LeaseLost())])


def was_open(delivery: Delivery, before: Step | None, started: datetime) -> bool:
    """Whether a write that an earlier try left open still is: this try has not settled it, or repeats it."""
    step = delivery.step
    return step is not None and (step is before or step.sent_at < started)


def failure_text(message: str) -> str:
    """The message of a 424 (push.md 3.1)."""
    return message if message.startswith("Failed to push case") else f"Failed to push case: Error: {message}"


def tried(log: CallLog, started: datetime, ended: datetime, outcome: str) -> Attempt:
    """The record of a try that has ended."""
    duration_ms = round((ended - started).total_seconds() * 1000)
    return Attempt(started_at=started, duration_ms=duration_ms, outcome=outcome, calls=tuple(log.calls))


def uncertain_comments(delivery: Delivery) -> tuple[CommentState, ...]:
    """The comments of a delivery, the one that was on its way `uncertain`."""
    if delivery.step is None or delivery.step.comment_id is None:
        return delivery.comments
    return tuple(
        CommentState(each.comment_id, "uncertain", each.external_id)
        if each.comment_id == delivery.step.comment_id
        else each
        for each in delivery.comments
    )
