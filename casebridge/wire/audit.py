"""Events of the audit trail on the wire: what was stored, in the words of the Elastic Common Schema, and the seal."""

from __future__ import annotations

from typing import Any, Literal

import msgspec

from casebridge.wire.base import Body, Shape

LONGEST = 1_024


class AuditQuery(Body):
    user: str | None = None
    action: str | None = None
    outcome: Literal["success", "failure"] | None = None
    objectType: str | None = None
    objectId: str | None = None
    space: str | None = None
    from_: str | None = msgspec.field(default=None, name="from")
    to: str | None = None
    limit: int = 100
    cursor: str | None = None


class SealShape(Shape):
    """Where the event stands in the chain, and the digest up to it."""

    place: int
    digest: str


class AuditEventShape(Shape):
    """One event; `seal` is null for a moment after it was written."""

    seq: int
    timestamp: str = msgspec.field(name="@timestamp")
    event: dict[str, Any]
    user: dict[str, Any]
    source: dict[str, Any]
    http: dict[str, Any]
    casebridge: dict[str, Any]
    seal: SealShape | None

    @classmethod
    def of(cls, seq: int, doc: dict[str, Any], place: int | None, digest: str | None) -> AuditEventShape:
        return cls(
            seq=seq,
            timestamp=str(doc.get("@timestamp", "")),
            event=_part(doc, "event"),
            user=_part(doc, "user"),
            source=_part(doc, "source"),
            http=_part(doc, "http"),
            casebridge=_part(doc, "casebridge"),
            seal=None if place is None or digest is None else SealShape(place=place, digest=digest),
        )


def _part(doc: dict[str, Any], name: str) -> dict[str, Any]:
    """A part of the document; empty when somebody has meddled with it, which is for `verify` to say."""
    part = doc.get(name)
    return part if isinstance(part, dict) else {}


class AuditStep(Shape):
    """The next events, newest first; `next_cursor` null: there are no more."""

    events: list[AuditEventShape]
    next_cursor: str | None
