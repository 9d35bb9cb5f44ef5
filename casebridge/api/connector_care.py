"""Routes that look after connectors: our own settings, health, a trial, and the preview of a push."""

from __future__ import annotations

from casebridge.api.routing import Call, Route
from casebridge.services import connector_care
from casebridge.wire.connector_care import (
    ConnectorSettings,
    ConnectorSettingsShape,
    HealthShape,
    PreviewChange,
    PreviewComment,
    PreviewShape,
    TrialShape,
    health_shape,
    settings_shape,
)
from casebridge.wire.deliveries import Nothing


async def _get_settings(call: Call) -> ConnectorSettingsShape:
    found = await connector_care.get_settings(call.ground, call.asking, call.path["id"])
    return settings_shape(found.version, found.values)


async def _put_settings(call: Call) -> ConnectorSettingsShape:
    body: ConnectorSettings = call.body
    version = body.version if isinstance(body.version, str) else None
    saved = await connector_care.save_settings(call.ground, call.asking, call.path["id"], body.values(), version)
    return settings_shape(saved.version, saved.values)


async def _health(call: Call) -> HealthShape:
    found = await connector_care.examine(call.ground, call.asking, call.path["id"])
    return health_shape(found.state, found.health, found.counts)


async def _test(call: Call) -> TrialShape:
    tried = await connector_care.try_out(call.ground, call.asking, call.path["id"])
    return TrialShape(ok=tried.ok, detail=tried.detail, latency_ms=tried.latency_ms)


async def _preview(call: Call) -> PreviewShape:
    found = await connector_care.preview(call.ground, call.asking, call.path["case_id"], call.path["connector_id"])
    return PreviewShape(
        action=found.action,  # type: ignore[arg-type]
        incident=found.incident,
        comments=[PreviewComment(comment_id=each.comment_id, comment=each.text) for each in found.comments],
        changes=[PreviewChange(field=each.field, external=each.external, ours=each.ours) for each in found.changes],
    )


_TAG = "push"
_ONE = "/api/casebridge/connectors/{id}"

ROUTES = (
    Route(
        "GET", f"{_ONE}/settings", _get_settings,
        name="getConnectorSettings", summary="Our own settings of a connector", tag=_TAG,
        answer=ConnectorSettingsShape, errors=(403, 404),
    ),
    Route(
        "PUT", f"{_ONE}/settings", _put_settings,
        name="updateConnectorSettings", summary="Replace our own settings of a connector", tag=_TAG,
        body=ConnectorSettings, answer=ConnectorSettingsShape, errors=(403, 404, 409),
    ),
    Route(
        "GET", f"{_ONE}/health", _health,
        name="getConnectorHealth", summary="How a connector is, and what it still has to do", tag=_TAG,
        answer=HealthShape, errors=(403, 404),
    ),
    Route(
        "POST", f"{_ONE}/_test", _test,
        name="testConnector", summary="Try a connector out without writing anything", tag=_TAG,
        body=Nothing, body_optional=True, answer=TrialShape, errors=(403, 404),
    ),
    Route(
        "POST", "/api/casebridge/cases/{case_id}/connector/{connector_id}/_preview", _preview,
        name="previewPush", summary="What a push would send now", tag=_TAG,
        body=Nothing, body_optional=True, answer=PreviewShape, errors=(403, 404, 409, 424),
    ),
)  # fmt: skip
