"""Comments of a case: written, edited, deleted."""

from __future__ import annotations

from starlette.responses import Response

from casebridge.domain.attachment import USER
from casebridge.domain.errors import InvalidInput, VersionConflict
from casebridge.domain.version import version_text
from casebridge.services import attachments
from casebridge.web.case import HERE, back, load
from casebridge.web.routing import Page, Visit, text
from casebridge.web.site import whole_page


async def _add(visit: Visit) -> Response:
    form = await visit.form()
    case = await load(visit)
    payload = {"type": USER, "owner": case.owner, "comment": text(form, "comment")}
    try:
        done = await attachments.add(visit.ground, visit.asking, case.id, payload)
    except InvalidInput as fault:
        return back(visit, case, f"!The comment was not saved: {fault.reason}")
    return back(visit, done.case, "Comment added.")


async def _edit(visit: Visit) -> Response:
    form = await visit.form()
    case = await load(visit)
    id_, written, version = visit.path["comment_id"], text(form, "comment"), text(form, "version")
    payload = {"type": USER, "owner": case.owner, "comment": written}
    try:
        await attachments.edit(visit.ground, visit.asking, case.id, id_=id_, version=version, payload=payload)
    except VersionConflict:
        present = await attachments.get(visit.ground, visit.asking, case.id, id_)
        return _both(visit, case, id_, written, present.payload["comment"], version_text(present.version))
    except InvalidInput as fault:
        return _both(visit, case, id_, written, "", version, fault=fault.reason)
    return back(visit, case, "Comment saved.")


def _both(visit: Visit, case: object, id_: str, mine: str, theirs: str, version: str, fault: str = "") -> Response:
    response = visit.render(
        "comment_conflict.html",
        status=400 if fault else 409,
        case=case,
        comment_id=id_,
        mine=mine,
        theirs=theirs,
        version=version,
        fault=fault,
    )
    if visit.is_htmx:
        whole_page(response)
    return response


async def _delete(visit: Visit) -> Response:
    await visit.form()
    case = await load(visit)
    await attachments.delete(visit.ground, visit.asking, case.id, visit.path["comment_id"])
    return back(visit, case, "Comment deleted.")


PAGES = (
    Page("POST", HERE + "/comments", _add),
    Page("POST", HERE + "/comments/{comment_id}", _edit),
    Page("POST", HERE + "/comments/{comment_id}/delete", _delete),
)
