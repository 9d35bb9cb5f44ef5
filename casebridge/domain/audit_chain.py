"""The chain of the audit trail: what is hashed, and what a chain that was tampered with looks like.

Each sealed event has a place, 1 upwards without gaps, and a digest made of the digest before it and of all that the
event says. So an event cannot be changed, taken out, put in or moved without breaking the chain there.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from hashlib import sha256
from typing import Any

import msgspec

START = "0" * 64
"""The digest before the first event."""


class Event(msgspec.Struct, frozen=True):
    """A stored event: its running number, its time in milliseconds since 1970, its space, and its document."""

    seq: int
    at: int
    space: str | None
    doc: dict[str, Any]


class Sealed(msgspec.Struct, frozen=True):
    """An event in its place of the chain."""

    event: Event
    place: int
    digest: str


class Head(msgspec.Struct, frozen=True):
    """The end of the chain: the last place and its digest; place 0 when nothing is sealed."""

    place: int
    digest: str


class Fault(msgspec.Struct, frozen=True):
    """Where the chain is broken first, and what that means."""

    place: int
    seq: int | None
    reason: str


_encoder = msgspec.json.Encoder(order="deterministic")


def digest_of(before: str, place: int, event: Event) -> str:
    """SHA-256, in hexadecimal, of `before` and the event, as JSON with sorted keys and without blanks.

    >>> digest_of(START, 1, Event(1, 0, None, {"b": 1, "a": "x"}))[:16]
    '3c9487d93dfb74e3'
    """
    text = _encoder.encode([before, place, event.seq, event.at, event.space, event.doc])
    return sha256(text).hexdigest()


def seal(head: Head, events: Sequence[Event]) -> list[Sealed]:
    """The events in the places after `head`, in the order given."""
    sealed = []
    before = head.digest
    for place, event in enumerate(events, head.place + 1):
        before = digest_of(before, place, event)
        sealed.append(Sealed(event, place, before))
    return sealed


def first_fault(head: Head, links: Iterable[Sealed]) -> tuple[Head, Fault | None]:
    """Follow the chain from `head` over these links: how far it holds, and where it does not.

    What broke is told from the link's own point of view: a changed event and a moved one look alike.
    """
    for link in links:
        expected = head.place + 1
        if link.place > expected:
            return head, Fault(
                expected, None, f"places {expected} to {link.place - 1} are missing: events were deleted"
            )
        if digest_of(head.digest, link.place, link.event) != link.digest:
            reason = "does not say what was sealed: it, its digest or the one before was changed, moved or put in"
            return head, Fault(link.place, link.event.seq, reason)
        head = Head(link.place, link.digest)
    return head, None
