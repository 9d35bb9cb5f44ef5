"""The audit trail in the store: one event per write, inside the change that it tells of, and per denied attempt."""

from __future__ import annotations

from datetime import datetime
from typing import Any, Literal

import msgspec

from casebridge.domain.user import Actor
from casebridge.storage.session import Write, to_ms

Outcome = Literal["success", "failure"]


def event_write(
    action: str,
    actor: Actor,
    space: str | None,
    kind: str,
    ids: list[str],
    at: datetime,
    *,
    outcome: Outcome = "success",
    category: str = "database",
    **more: Any,
) -> Write:
    """Stores one ECS-style event: who did, or tried, what to which objects, in which space, from where.

    `more` goes beside space and object: what was changed, and never anything secret.
    """
    if actor.key_id is not None:
        more["api_key"] = {"id": actor.key_id}
    doc = {
        "@timestamp": at,
        "event": {"action": action, "outcome": outcome, "category": [category]},
        "user": {"name": actor.user.username, "roles": list(actor.roles)},
        "source": {"address": actor.address},
        "http": {"request": {"id": actor.request_id}},
        "casebridge": {"space": space, "object": {"type": kind, "ids": ids}, **more},
    }
    return Write(
        "INSERT INTO audit_event (seq, at, space, doc, sealed) VALUES (next_audit(), :at, :space, :doc, :sealed)",
        {"at": to_ms(at), "space": space, "doc": msgspec.json.encode(doc).decode(), "sealed": False},
    )
