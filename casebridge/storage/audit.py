"""The audit trail in the store: one event per write, inside the change that it tells of."""

from __future__ import annotations

from datetime import datetime
from typing import Any

import msgspec

from casebridge.domain.user import Actor
from casebridge.storage.session import Write, to_ms


def event_write(
    action: str, actor: Actor, space: str | None, kind: str, ids: list[str], at: datetime, **more: Any
) -> Write:
    """Stores one ECS-style event: who did what to which objects, in which space, from where."""
    doc = {
        "@timestamp": at,
        "event": {"action": action, "outcome": "success", "category": ["database"]},
        "user": {"name": actor.user.username, "roles": list(actor.roles)},
        "source": {"address": actor.address},
        "http": {"request": {"id": actor.request_id}},
        "casebridge": {"space": space, "object": {"type": kind, "ids": ids}, **more},
    }
    return Write(
        "INSERT INTO audit_event (seq, at, space, doc, sealed) VALUES (next_audit(), :at, :space, :doc, :sealed)",
        {"at": to_ms(at), "space": space, "doc": msgspec.json.encode(doc).decode(), "sealed": False},
    )
