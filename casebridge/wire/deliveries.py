"""Deliveries on the wire: the ledger of pushes (extensions.md 1)."""

from __future__ import annotations

from typing import Literal

from msgspec import UNSET, UnsetType

from casebridge.domain.delivery import Attempt, Delivery
from casebridge.domain.version import version_text
from casebridge.wire.base import Body, Shape, User, time_or_null, time_text

State = Literal["queued", "sending", "waiting", "uncertain", "delivered", "failed", "cancelled"]


class Nothing(Body):
    """An empty body: none, `null` or `{}`."""


class DeliveriesQuery(Body):
    caseId: str | None = None
    connectorId: str | None = None
    state: list[State] | None = None
    owner: list[str] | None = None
    page: int = 1
    perPage: int = 20


class QueuedDelivery(Shape):
    """Answer of `_push` with `Prefer: respond-async`."""

    delivery_id: str
    state: State


class DeliveryErrorShape(Shape):
    code: str
    message: str
    permanent: bool


class CommentStateShape(Shape):
    comment_id: str
    external_id: str | None
    state: Literal["pending", "accepted", "uncertain"]


class CallShape(Shape):
    """One outgoing request; never headers, bodies or secrets."""

    method: str
    url: str
    status: int | None
    duration_ms: int


class AttemptShape(Shape):
    started_at: str
    duration_ms: int
    calls: list[CallShape]
    outcome: Literal["delivered", "passing_fault", "permanent_fault", "unknown"]

    @classmethod
    def of(cls, attempt: Attempt) -> AttemptShape:
        return cls(
            started_at=time_text(attempt.started_at),
            duration_ms=attempt.duration_ms,
            calls=[
                CallShape(method=each.method, url=each.url, status=each.status, duration_ms=each.duration_ms)
                for each in attempt.calls
            ],
            outcome=attempt.outcome,  # type: ignore[arg-type]
        )


class DeliveryShape(Shape):
    """A delivery; `attempts` only when one is asked for by its id."""

    id: str
    version: str
    case_id: str
    connector_id: str
    connector_type: str
    owner: str
    origin: Literal["manual", "automatic"]
    state: State
    action: Literal["create", "update"]
    external_id: str | None
    external_url: str | None
    created_at: str
    created_by: User
    updated_at: str | None
    next_attempt_at: str | None
    attempt_count: int
    error: DeliveryErrorShape | None
    comments: list[CommentStateShape]
    attempts: list[AttemptShape] | UnsetType = UNSET

    @classmethod
    def of(cls, delivery: Delivery, attempts: list[Attempt] | None = None) -> DeliveryShape:
        error = delivery.error
        return cls(
            id=delivery.id,
            version=version_text(delivery.version),
            case_id=delivery.case_id,
            connector_id=delivery.connector_id,
            connector_type=delivery.connector_type,
            owner=delivery.owner,
            origin=delivery.origin,  # type: ignore[arg-type]
            state=delivery.state,  # type: ignore[arg-type]
            action=delivery.action,  # type: ignore[arg-type]
            external_id=delivery.external_id,
            external_url=delivery.external_url,
            created_at=time_text(delivery.created_at),
            created_by=User.of(delivery.created_by),
            updated_at=time_or_null(delivery.updated_at),
            next_attempt_at=time_or_null(delivery.next_attempt_at),
            attempt_count=delivery.attempt_count,
            error=None
            if error is None
            else DeliveryErrorShape(code=error.code, message=error.message, permanent=error.permanent),
            comments=[
                CommentStateShape(comment_id=each.comment_id, external_id=each.external_id, state=each.state)  # type: ignore[arg-type]
                for each in delivery.comments
            ],
            attempts=UNSET if attempts is None else [AttemptShape.of(each) for each in attempts],
        )


class DeliveriesPage(Shape):
    deliveries: list[DeliveryShape]
    page: int
    per_page: int
    total: int
