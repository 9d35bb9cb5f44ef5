"""Automation of an owner's cases, on the wire (extensions.md 2)."""

from __future__ import annotations

from typing import Literal

from msgspec import UNSET, UnsetType

from casebridge.domain.automation import Automation, AutoPush
from casebridge.domain.version import version_text
from casebridge.wire.base import Body, Shape

Trigger = Literal["title", "description", "comments", "status", "severity", "tags", "connector"]


class AutomationQuery(Body):
    owner: str


class SentAutoPush(Body):
    """What is not sent gets its default."""

    enabled: bool | UnsetType = UNSET
    on: list[Trigger] | UnsetType = UNSET
    create: bool | UnsetType = UNSET

    def to_domain(self) -> AutoPush:
        """With the defaults filled in."""
        default = AutoPush()
        return AutoPush(
            enabled=default.enabled if isinstance(self.enabled, UnsetType) else self.enabled,
            on=default.on if isinstance(self.on, UnsetType) else tuple(self.on),
            create=default.create if isinstance(self.create, UnsetType) else self.create,
        )


class SentAutomation(Body):
    """Body of `PUT /api/casebridge/automation`; the first one has no version, or null."""

    owner: str
    auto_push: SentAutoPush
    version: str | UnsetType | None = UNSET


class AutoPushShape(Shape):
    enabled: bool
    on: list[Trigger]
    create: bool


class AutomationShape(Shape):
    """The version is null before the first PUT."""

    owner: str
    version: str | None
    auto_push: AutoPushShape


def automation_shape(stored: Automation) -> AutomationShape:
    """Automation as answered."""
    auto = stored.auto_push
    return AutomationShape(
        owner=stored.owner,
        version=None if stored.version is None else version_text(stored.version),
        auto_push=AutoPushShape(enabled=auto.enabled, on=list(auto.on), create=auto.create),  # type: ignore[arg-type]
    )
