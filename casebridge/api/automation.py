"""Routes of what the cases of an owner do by themselves."""

from __future__ import annotations

from casebridge.api.routing import Call, Route
from casebridge.services import automation
from casebridge.wire.automation import AutomationQuery, AutomationShape, SentAutomation, automation_shape


async def _get(call: Call) -> AutomationShape:
    return automation_shape(await automation.get(call.ground, call.asking, call.query.owner))


async def _put(call: Call) -> AutomationShape:
    body: SentAutomation = call.body
    version = body.version if isinstance(body.version, str) else None
    saved = await automation.save(call.ground, call.asking, body.owner, body.auto_push.to_domain(), version)
    return automation_shape(saved)


_PATH, _TAG = "/api/casebridge/automation", "push"

ROUTES = (
    Route(
        "GET", _PATH, _get,
        name="getAutomation", summary="What the cases of an owner do by themselves", tag=_TAG,
        query=AutomationQuery, answer=AutomationShape, errors=(403,),
    ),
    Route(
        "PUT", _PATH, _put,
        name="updateAutomation", summary="Replace what the cases of an owner do by themselves", tag=_TAG,
        body=SentAutomation, answer=AutomationShape, errors=(403, 409),
    ),
)  # fmt: skip
