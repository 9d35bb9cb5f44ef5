"""Pushing a case from its page: the preview, the push, the ledger, and the choice of a connector."""

from __future__ import annotations

from starlette.responses import Response

from casebridge.domain.case import CaseChanges
from casebridge.domain.connector import NO_CONNECTOR
from casebridge.domain.delivery import Delivery
from casebridge.domain.errors import Conflict, ConnectorError, Forbidden, InvalidInput, NothingChanged, PushFailed
from casebridge.domain.version import version_text
from casebridge.services import cases, connector_care, connectors, deliveries, push
from casebridge.web import connector_form
from casebridge.web.case import HERE, back, base_of, load, may
from casebridge.web.routing import Page, Visit, text


async def _preview(visit: Visit) -> Response:
    case = await load(visit)
    preview, fault = None, ""
    try:
        preview = await connector_care.preview(visit.ground, visit.asking, case.id, case.connector.id)
    except (PushFailed, Conflict, ConnectorError, InvalidInput) as error:
        fault = str(error)
    return visit.render("push_preview.html", case=case, preview=preview, fault=fault)


async def _push(visit: Visit) -> Response:
    form = await visit.form()
    case = await load(visit)
    key = text(form, "key")[:64] or None
    try:
        done = await push.push(visit.ground, visit.asking, case.id, case.connector.id, key=key)
    except (PushFailed, Conflict) as error:
        return back(visit, case, f"!{error}")
    if isinstance(done, Delivery) or done.case.external_service is None:
        return back(visit, case, "The push is under way.")
    return back(visit, done.case, f"Pushed as {done.case.external_service.external_title}.")


async def _retry(visit: Visit) -> Response:
    await visit.form()
    case = await load(visit)
    await deliveries.retry(visit.ground, visit.asking, visit.path["delivery_id"])
    return back(visit, case, "The delivery was queued again.")


async def _cancel(visit: Visit) -> Response:
    await visit.form()
    case = await load(visit)
    await deliveries.cancel(visit.ground, visit.asking, visit.path["delivery_id"])
    return back(visit, case, "The delivery was withdrawn.")


async def _choose(visit: Visit) -> Response:
    """The form for another connector, or other fields of the present one."""
    case = await load(visit)
    if not may(visit, case.owner).update:
        raise Forbidden("updateCase", [case.owner], what="update case")
    wanted = visit.query.one("connector", case.connector.id)
    usable = await connectors.list_for_cases(visit.ground, visit.asking)
    chosen = next((each for each in usable if each.id == wanted), None)
    fields: list[connector_form.Control] = []
    trouble = ""
    if chosen is not None:
        held = case.connector.fields if case.connector.id == chosen.id else None
        fields, trouble = await connector_form.controls(visit, chosen, held or {})
    return visit.render(
        "connector_choice.html",
        case=case,
        usable=usable,
        chosen=chosen,
        fields=fields,
        trouble=trouble,
        base=base_of(case.connector),
    )


async def _set(visit: Visit) -> Response:
    form = await visit.form()
    case = await load(visit)
    wanted = text(form, "connector")
    connector = NO_CONNECTOR
    if wanted != NO_CONNECTOR.id:
        connector = connector_form.read(await connectors.get(visit.ground, visit.asking, wanted), form)
    if text(form, "base") != base_of(case.connector):
        return back(visit, case, "!Somebody chose another connector meanwhile; look at it and choose again.")
    change = cases.WantedChange(case.id, version_text(case.version), CaseChanges(connector=connector))
    try:
        case = (await cases.change(visit.ground, visit.asking, [change]))[0]
    except NothingChanged:
        return back(visit, case)
    return back(visit, case, "Connector saved.")


PAGES = (
    Page("GET", HERE + "/push", _preview),
    Page("POST", HERE + "/push", _push),
    Page("POST", HERE + "/deliveries/{delivery_id}/retry", _retry),
    Page("POST", HERE + "/deliveries/{delivery_id}/cancel", _cancel),
    Page("GET", HERE + "/connector", _choose),
    Page("POST", HERE + "/connector", _set),
)
