"""The server's status on the wire (extensions.md 4)."""

from __future__ import annotations

from typing import Literal

from casebridge.wire.base import Shape

Level = Literal["available", "degraded", "unavailable"]


class VersionShape(Shape):
    number: str
    build_hash: str


class LevelShape(Shape):
    level: Level


class OverallShape(Shape):
    level: Level
    summary: str


class CoreShape(Shape):
    storage: LevelShape
    worker: LevelShape


class ParticularsShape(Shape):
    overall: OverallShape
    core: CoreShape


class StatusShape(Shape):
    """What an authenticated caller is told. `uuid` is null while the store is away."""

    name: str
    uuid: str | None
    version: VersionShape
    status: ParticularsShape


class BriefParticularsShape(Shape):
    overall: LevelShape


class BriefStatusShape(Shape):
    """What anybody is told."""

    status: BriefParticularsShape
