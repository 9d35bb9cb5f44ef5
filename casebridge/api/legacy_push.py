"""Routes of the push in two steps of 7.11 (contract dialect-7.10.md 6)."""

from __future__ import annotations

import msgspec
from msgspec import UNSET

from casebridge.api.routing import Call, Route
from casebridge.services import legacy
from casebridge.wire.legacy_cases import OldCaseShape, old_case_shape
from casebridge.wire.legacy_push import Sending, SendingResult, ToldPush, sent_incident


async def _send(call: Call) -> SendingResult:
    body: Sending = call.body
    connector_id = call.path["connector_id"]
    run = await legacy.send(call.ground, call.asking, connector_id, body.type_id, body.asked)
    if run.ok:
        return SendingResult(status="ok", actionId=connector_id, data=sent_incident(run.data))
    return SendingResult(
        status="error",
        actionId=connector_id,
        message=UNSET if run.message is None else run.message,
        serviceMessage=run.service_message or run.message or UNSET,
    )


async def _tell(call: Call) -> OldCaseShape:
    body: ToldPush = call.body
    told = msgspec.convert(body, legacy.Told, from_attributes=True)
    return old_case_shape(*await legacy.tell_pushed(call.ground, call.asking, call.path["case_id"], told))


_TAG = "cases of 7.10"

ROUTES = (
    Route(
        "POST", "/api/cases/configure/connectors/{connector_id}/push", _send,
        name="sendThroughConnectorOf710", summary="Send an incident to an external system; no case is touched",
        tag=_TAG, dialect="7.10", body=Sending, answer=SendingResult, errors=(403, 404),
    ),
    Route(
        "POST", "/api/cases/{case_id}/_push", _tell,
        name="tellPushOf710", summary="Tell a case that it was pushed", tag=_TAG, dialect="7.10",
        body=ToldPush, answer=OldCaseShape, errors=(403, 404, 409),
    ),
)  # fmt: skip
