"""Routes that tell how the server is, without credentials too (extensions.md 4)."""

from __future__ import annotations

from casebridge.api.routing import Answer, Call, Route
from casebridge.services.status import Health, examine
from casebridge.wire.status import (
    BriefParticularsShape,
    BriefStatusShape,
    CoreShape,
    LevelShape,
    OverallShape,
    ParticularsShape,
    StatusShape,
    VersionShape,
)


async def _status(call: Call) -> Answer:
    health = await _examine(call)
    status = 503 if health.overall == "unavailable" else 200
    if call.caller is None:
        return Answer(BriefStatusShape(status=BriefParticularsShape(overall=LevelShape(level=health.overall))), status)
    settings = call.kernel.settings
    particulars = ParticularsShape(
        overall=OverallShape(level=health.overall, summary=health.summary),
        core=CoreShape(storage=LevelShape(level=health.storage), worker=LevelShape(level=health.worker)),
    )
    version = VersionShape(number=settings.version, build_hash=settings.build_hash)
    return Answer(StatusShape(name=settings.server_name, uuid=health.uuid, version=version, status=particulars), status)


async def _live(call: Call) -> LevelShape:
    return LevelShape(level="available")


async def _ready(call: Call) -> Answer:
    health = await _examine(call)
    return Answer(LevelShape(level=health.overall), 503 if health.overall == "unavailable" else 200)


async def _examine(call: Call) -> Health:
    return await examine(call.ground, call.kernel.settings.worker_level())


ROUTES = (
    Route(
        "GET",
        "/api/status",
        _status,
        name="getStatus",
        summary="How the server is; in detail for those who sign in",
        tag="server",
        answer=StatusShape | BriefStatusShape,
        also={503: StatusShape | BriefStatusShape},
        credentials="optional",
    ),
    Route(
        "GET",
        "/healthz/live",
        _live,
        name="isLive",
        summary="Whether the process answers",
        tag="server",
        answer=LevelShape,
        public=False,
        credentials="none",
    ),
    Route(
        "GET",
        "/healthz/ready",
        _ready,
        name="isReady",
        summary="Whether the server can do its work",
        tag="server",
        answer=LevelShape,
        also={503: LevelShape},
        public=False,
        credentials="none",
    ),
)
