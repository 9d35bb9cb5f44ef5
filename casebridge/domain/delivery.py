"""A delivery: one intended change of one external incident, its states, arrows and retry rule (extensions.md 1)."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any, Literal

import msgspec

from casebridge.domain.errors import Conflict, ConnectorError
from casebridge.domain.user import User

State = Literal["queued", "sending", "waiting", "uncertain", "delivered", "failed", "cancelled"]

QUEUED, SENDING, WAITING, UNCERTAIN = "queued", "sending", "waiting", "uncertain"
DELIVERED, FAILED, CANCELLED = "delivered", "failed", "cancelled"
STATES = (QUEUED, SENDING, WAITING, UNCERTAIN, DELIVERED, FAILED, CANCELLED)

MANUAL, AUTOMATIC = "manual", "automatic"


class DeliveryError(msgspec.Struct, frozen=True):
    """Why the last attempt did not deliver; `code` as in ConnectorError."""

    code: str
    message: str
    permanent: bool


class Step(msgspec.Struct, frozen=True, kw_only=True):
    """A write that is about to leave or has left, written down before it is sent.

    `kind` is `create`, `update`, `comment` or `edit`. `fields` are those of the incident, as sent; `text`,
    `comment_id` and `revision` those of a comment; `external_id` the record, `external_comment_id` the comment edited.
    `gave_up_at` is when we stopped waiting for the answer, if we lived to see that. `key` goes along with a create or
    comment, so that a receiver that knows such keys can tell a repeat; a repeat has the same one.
    """

    kind: str
    sent_at: datetime
    fields: dict[str, Any] | None = None
    external_id: str | None = None
    comment_id: str | None = None
    revision: int = 0
    text: str | None = None
    external_comment_id: str | None = None
    gave_up_at: datetime | None = None
    key: str | None = None

    def age_s(self, now: datetime) -> float:
        """Seconds since the last moment at which this write is known to have been on its way."""
        return (now - (self.gave_up_at or self.sent_at)).total_seconds()


class CommentState(msgspec.Struct, frozen=True):
    """How far one comment of a delivery has come: `pending`, `accepted` or `uncertain`."""

    comment_id: str
    state: str
    external_id: str | None = None


class Call(msgspec.Struct, frozen=True):
    """One outgoing request of an attempt; `url` without user info and query, `status` None when none came."""

    method: str
    url: str
    status: int | None
    duration_ms: int


class Attempt(msgspec.Struct, frozen=True, kw_only=True):
    """One try. `outcome` is `delivered`, `passing_fault`, `permanent_fault` or `unknown`."""

    started_at: datetime
    duration_ms: int
    outcome: str
    calls: tuple[Call, ...] = ()


class Delivery(msgspec.Struct, frozen=True, kw_only=True):
    """A delivery as stored.

    `read_point` is the number of the newest user action that was read; `step` the write whose outcome is not known
    yet; `marks` what the connector added to a create, to be the same in its repeats; `lease_id` names the claim that
    may act on it, until `lease_until`. `gathers`: further changes become part of it, as long as it waits for its first
    try; `asked_at` is the number of the newest record that asked for it, 0 when a person did.
    `overtaken_by` is the id of the delivery that has sent all of it.
    """

    id: str
    space: str
    case_id: str
    connector_id: str
    connector_type: str
    owner: str
    origin: str
    state: str
    created_at: datetime
    created_by: User
    version: int = 0
    action: str = "create"
    external_id: str | None = None
    external_title: str | None = None
    external_url: str | None = None
    updated_at: datetime | None = None
    next_attempt_at: datetime | None = None
    attempt_count: int = 0
    retries: bool = False
    error: DeliveryError | None = None
    comments: tuple[CommentState, ...] = ()
    step: Step | None = None
    marks: dict[str, Any] | None = None
    read_point: int = 0
    lease_id: str | None = None
    lease_until: datetime | None = None
    idempotency_key: str | None = None
    gathers: bool = False
    asked_at: int = 0
    overtaken_by: str | None = None

    @property
    def is_gathering(self) -> bool:
        """Whether a further change becomes part of it."""
        return self.gathers and self.attempt_count == 0 and self.state in (QUEUED, WAITING)


class RetryRule(msgspec.Struct, frozen=True):
    """When a worker tries again: waits double from `first_s` to `most_s`, at most `attempts` tries."""

    first_s: float = 30.0
    most_s: float = 3600.0
    attempts: int = 12


_MOST_DOUBLINGS = 64
_END_OF_TIME = datetime(9999, 12, 31, 23, 59, 59, 999_000, UTC)
"""When a system that names a wait beyond any calendar is tried again: a person may do so earlier."""


def next_attempt(attempts: int, error: ConnectorError, now: datetime, draw: float, rule: RetryRule) -> datetime | None:
    """When to try a delivery again, after `attempts` tries (1 or more); None if it failed for good.

    The wait doubles with every try, unless the remote system named its own (`retry_after_s`). `draw` in [0, 1)
    places it between half of that and the whole (extensions.md 1.2).
    """
    if error.permanent or attempts >= rule.attempts:
        return None
    doublings = min(attempts - 1, _MOST_DOUBLINGS)
    wait_s = min(rule.first_s * 2.0**doublings, rule.most_s)
    jittered_s = wait_s * (0.5 + draw / 2)
    try:
        return now + timedelta(seconds=max(jittered_s, error.retry_after_s or 0.0))
    except OverflowError:
        return _END_OF_TIME


_ARROWS: dict[str, frozenset[str]] = {
    QUEUED: frozenset({SENDING, CANCELLED}),
    SENDING: frozenset({DELIVERED, WAITING, UNCERTAIN, FAILED}),
    WAITING: frozenset({SENDING, QUEUED, CANCELLED}),
    UNCERTAIN: frozenset({SENDING, DELIVERED, FAILED, QUEUED, CANCELLED}),
    DELIVERED: frozenset(),
    FAILED: frozenset({QUEUED}),
    CANCELLED: frozenset({QUEUED}),
}


def may_become(old: str, new: str) -> bool:
    """Whether the table of extensions.md 1 has an arrow from `old` to `new`."""
    return new in _ARROWS[old]


def check_arrow(delivery: Delivery, new: str) -> None:
    """Conflict unless the delivery may become `new`."""
    if not may_become(delivery.state, new):
        raise Conflict(f"[deliveries/{delivery.id}] is {delivery.state} and cannot become {new}.")


_MARK = "casebridge-"


def marker(case_id: str) -> str:
    """The correlation mark by which an external system finds the incident of a case again (external/README.md)."""
    return f"{_MARK}{case_id}"


def marked_case(marker: str) -> str:
    """The id of the case a mark names, for systems that have a field for it.

    >>> marked_case(marker("6f1c"))
    '6f1c'
    """
    return marker.removeprefix(_MARK)
