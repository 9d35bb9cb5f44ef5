"""Connectors of a case and whether they have to be pushed to, on the wire (activity.md 2.6)."""

from __future__ import annotations

from typing import Any

from msgspec import UNSET, UnsetType

from casebridge.domain.needs_push import ConnectorUse
from casebridge.wire.base import Shape, time_text


class PushDetails(Shape):
    """`externalService` is that of the newest push."""

    latestUserActionPushDate: str
    oldestUserActionPushDate: str
    externalService: dict[str, Any]


class PushState(Shape):
    """`details` only when pushed."""

    needsToBePushed: bool
    hasBeenPushed: bool
    details: PushDetails | UnsetType = UNSET


class ConnectorUseShape(Shape):
    """A connector ever set on a case."""

    id: str
    name: str
    type: str
    fields: dict[str, Any] | None
    push: PushState

    @classmethod
    def of(cls, use: ConnectorUse) -> ConnectorUseShape:
        connector = use.connector
        push = PushState(needsToBePushed=use.needs_push, hasBeenPushed=bool(use.pushes), details=_details(use))
        return cls(id=connector.id, name=connector.name, type=connector.type, fields=connector.fields, push=push)


def _details(use: ConnectorUse) -> PushDetails | UnsetType:
    if not use.pushes:
        return UNSET
    oldest, latest = use.pushes[0], use.pushes[-1]
    return PushDetails(
        latestUserActionPushDate=time_text(latest.created_at),
        oldestUserActionPushDate=time_text(oldest.created_at),
        externalService=latest.payload["externalService"],
    )
