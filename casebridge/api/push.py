"""The push route, and the ledger of pushes."""

from __future__ import annotations

from casebridge.api.routing import Answer, Call, Route
from casebridge.domain import limits
from casebridge.domain.delivery import Delivery
from casebridge.domain.errors import InvalidInput
from casebridge.domain.query import check_page
from casebridge.services import deliveries, push
from casebridge.wire.cases import CaseShape, case_shape
from casebridge.wire.deliveries import DeliveriesPage, DeliveriesQuery, DeliveryShape, Nothing, QueuedDelivery


async def _push(call: Call) -> CaseShape | Answer:
    case_id, connector_id = call.path["case_id"], call.path["connector_id"]
    key = _idempotency_key(call.headers.get("idempotency-key"))
    act = push.queue if _wants_async(call.headers.get("prefer", "")) else push.push
    done = await act(call.ground, call.asking, case_id, connector_id, key=key)
    if isinstance(done, Delivery):
        body = QueuedDelivery(delivery_id=done.id, state=done.state)  # type: ignore[arg-type]
        return Answer(body, status=202, headers={"preference-applied": "respond-async"})
    # This answer counts every attachment as a comment and no alerts (push.md).
    return case_shape(done.case, done.attachments, totalComment=len(done.attachments), totalAlerts=0)


def _idempotency_key(sent: str | None) -> str | None:
    if sent is None:
        return None
    if not 1 <= len(sent) <= limits.IDEMPOTENCY_KEY or not all("!" <= each <= "~" for each in sent):
        raise InvalidInput("Idempotency-Key", f"expected 1 to {limits.IDEMPOTENCY_KEY} visible ASCII characters.")
    return sent


def _wants_async(prefer: str) -> bool:
    wishes = [each.partition(";")[0].strip().lower() for each in prefer.split(",")]
    return "respond-async" in wishes


async def _find(call: Call) -> DeliveriesPage:
    query: DeliveriesQuery = call.query
    page = check_page(query.page, query.perPage)
    found, total = await deliveries.find(
        call.ground,
        call.asking,
        page,
        case_id=query.caseId,
        connector_id=query.connectorId,
        states=query.state,
        owners=query.owner,
    )
    return DeliveriesPage(
        deliveries=[DeliveryShape.of(each) for each in found], page=page.number, per_page=page.size, total=total
    )


async def _get(call: Call) -> DeliveryShape:
    delivery, attempts = await deliveries.get(call.ground, call.asking, call.path["delivery_id"])
    return DeliveryShape.of(delivery, attempts)


async def _retry(call: Call) -> DeliveryShape:
    return DeliveryShape.of(await deliveries.retry(call.ground, call.asking, call.path["delivery_id"]))


async def _cancel(call: Call) -> DeliveryShape:
    return DeliveryShape.of(await deliveries.cancel(call.ground, call.asking, call.path["delivery_id"]))


_ONE = "/api/casebridge/deliveries/{delivery_id}"

ROUTES = (
    Route(
        "POST", "/api/cases/{case_id}/connector/{connector_id}/_push", _push,
        name="pushCase", summary="Push a case to an external system", tag="push",
        body=Nothing, body_optional=True, answer=CaseShape, errors=(403, 404, 409, 424), also={202: QueuedDelivery},
    ),
    Route(
        "GET", "/api/casebridge/deliveries", _find,
        name="findDeliveries", summary="A page of deliveries, newest first", tag="push",
        query=DeliveriesQuery, answer=DeliveriesPage, errors=(403,),
    ),
    Route(
        "GET", _ONE, _get,
        name="getDelivery", summary="One delivery with its attempts", tag="push",
        answer=DeliveryShape, errors=(403, 404),
    ),
    Route(
        "POST", f"{_ONE}/_retry", _retry,
        name="retryDelivery", summary="Have a delivery tried again", tag="push",
        body=Nothing, body_optional=True, answer=DeliveryShape, errors=(403, 404, 409),
    ),
    Route(
        "POST", f"{_ONE}/_cancel", _cancel,
        name="cancelDelivery", summary="Withdraw a delivery", tag="push",
        body=Nothing, body_optional=True, answer=DeliveryShape, errors=(403, 404, 409),
    ),
)  # fmt: skip
