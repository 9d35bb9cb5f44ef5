"""What was asked of a simulated system, and what it made of it: the evidence that demos show and tests count.

Credentials never get in: of the request headers only a short list is kept, and of forms, which ask for tokens, nothing.
"""

from __future__ import annotations

from collections.abc import Iterable
from datetime import UTC, datetime
from typing import Any

import msgspec

KEPT_HEADERS = frozenset({"accept", "content-type", "user-agent", "idempotency-key", "x-request-id"})
BODY_LIMIT = 100_000
"""Characters of a request body that is not JSON; the rest is left out of the journal."""


class Entry(msgspec.Struct):
    """One request: as it came, what the system did (`done`), and what the caller got to see (`status`).

    `done` is the status the system itself gave, None when it was never reached. `status` is None when
    no answer was begun. `record` names what the request was about, as the system's pages name it.
    """

    number: int
    at: datetime
    method: str
    path: str
    query: str
    headers: dict[str, str]
    body: Any
    step: str | None = None
    record: str | None = None
    fault: str | None = None
    done: int | None = None
    status: int | None = None


class Creation(msgspec.Struct, frozen=True):
    """Something new in the system. Deleting it later does not take this line away."""

    kind: str
    id: str
    record: str
    at: datetime
    request: int


class Journal(msgspec.Struct):
    """All requests since the start or the last reset, and all creations."""

    entries: list[Entry] = []
    creations: list[Creation] = []
    next_number: int = 1

    def open(self, scope: Any, body: bytes, step: str | None, at: datetime) -> Entry:
        """A new entry for the request of this ASGI scope, already in the journal."""
        headers = {name.decode("latin-1").lower(): value.decode("latin-1") for name, value in scope["headers"]}
        is_form = headers.get("content-type", "").startswith("application/x-www-form-urlencoded")
        entry = Entry(
            number=self.next_number,
            at=at,
            method=scope["method"],
            path=scope["path"],
            query=scope["query_string"].decode("latin-1"),
            headers={name: value for name, value in headers.items() if name in KEPT_HEADERS},
            body=None if is_form else readable(body),
            step=step,
        )
        self.next_number += 1
        self.entries.append(entry)
        return entry

    def created(self, kind: str, new_id: str, entry: Entry, at: datetime) -> None:
        """Write down that the request of `entry` made a `kind` (such as issue or comment)."""
        self.creations.append(Creation(kind, new_id, entry.record or "", at, entry.number))

    def of(self, record: str) -> list[Entry]:
        """The requests about one record, oldest first."""
        return [entry for entry in self.entries if entry.record == record]

    def counts(self, kinds: Iterable[str]) -> dict[str, int]:
        """How many of each kind were ever created."""
        made = [creation.kind for creation in self.creations]
        return {kind: made.count(kind) for kind in kinds}

    def tail(self, length: int) -> Journal:
        """The same journal with no more than the newest `length` requests; creations stay complete."""
        return Journal(self.entries[-length:], self.creations, self.next_number)


def readable(body: bytes) -> Any:
    """A request body as JSON when it is JSON, else as text; None when there was none."""
    if not body:
        return None
    try:
        return msgspec.json.decode(body)
    except (msgspec.DecodeError, UnicodeDecodeError):
        return body.decode("utf-8", "replace")[:BODY_LIMIT]


def wall_clock() -> datetime:
    """The present moment, aware, in UTC."""
    return datetime.now(UTC)
