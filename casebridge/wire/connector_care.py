"""Looking after connectors, on the wire (extensions.md 1 and 1.1)."""

from __future__ import annotations

from typing import Any, Literal

import msgspec
from msgspec import UNSET, UnsetType

from casebridge.domain.circuit import ConnectorHealth
from casebridge.domain.version import version_text
from casebridge.wire.base import Body, Shape, time_or_null, time_text


class ConnectorSettings(Body):
    """Body of `PUT …/settings`: only keys that mean something to the connector's type."""

    version: str | UnsetType | None = UNSET
    auth: Literal["basic", "bearer"] | UnsetType = UNSET
    text: Literal["unchanged", "converted"] | UnsetType = UNSET
    edited_comments: Literal["edit", "append"] | UnsetType = UNSET

    def values(self) -> dict[str, Any]:
        """The settings without the version."""
        return {name: value for name, value in msgspec.to_builtins(self).items() if name != "version"}


class ConnectorSettingsShape(Shape):
    """Settings of a connector; keys that mean nothing to its type are absent, the version null before the first PUT."""

    version: str | None
    auth: Literal["basic", "bearer"] | UnsetType = UNSET
    text: Literal["unchanged", "converted"] | UnsetType = UNSET
    edited_comments: Literal["edit", "append"] | UnsetType = UNSET


def settings_shape(version: int | None, values: dict[str, Any]) -> ConnectorSettingsShape:
    """Settings as answered."""
    return ConnectorSettingsShape(version=None if version is None else version_text(version), **values)


class LastErrorShape(Shape):
    code: str
    message: str
    permanent: bool
    at: str


class HealthShape(Shape):
    """How a connector is."""

    state: Literal["closed", "open", "half-open"]
    consecutive_faults: int
    queued: int
    waiting: int
    failed: int
    last_success_at: str | None
    last_error: LastErrorShape | None


def health_shape(state: Any, health: ConnectorHealth, counts: dict[str, int]) -> HealthShape:
    """Health as answered."""
    error = health.last_error
    return HealthShape(
        state=state,
        consecutive_faults=health.faults,
        queued=counts.get("queued", 0),
        waiting=counts.get("waiting", 0),
        failed=counts.get("failed", 0),
        last_success_at=time_or_null(health.last_success_at),
        last_error=None
        if error is None
        else LastErrorShape(code=error.code, message=error.message, permanent=error.permanent, at=time_text(error.at)),
    )


class TrialShape(Shape):
    """What trying a connector out showed."""

    ok: bool
    detail: str
    latency_ms: int


class PreviewComment(Shape):
    comment_id: str
    comment: str


class PreviewChange(Shape):
    field: str
    external: Any
    ours: Any


class PreviewShape(Shape):
    """What a push would send now."""

    action: Literal["create", "update"]
    incident: dict[str, Any]
    comments: list[PreviewComment]
    changes: list[PreviewChange]
