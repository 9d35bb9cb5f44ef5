"""Routes of attachments, which paths call comments, and of alerts."""

from __future__ import annotations

from casebridge.api.routing import Call, Route
from casebridge.domain.attachment import alert_ids
from casebridge.domain.query import check_page
from casebridge.services import attachments
from casebridge.services.attachments import WithAttachments
from casebridge.wire.attachments import (
    AlertCase,
    AttachedAlert,
    AttachmentIds,
    AttachmentsByIds,
    AttachmentShape,
    ChangedAttachment,
    CommentsPage,
    CommentsQuery,
    NewAttachment,
    attachment_shape,
    attachments_by_ids,
    payload_of,
    user_comment_shape,
)
from casebridge.wire.cases import CaseShape, OwnersQuery, case_shape


async def _create(call: Call) -> CaseShape:
    payload = payload_of(call.body)
    return written(await attachments.add(call.ground, call.asking, call.path["case_id"], payload))


async def _create_many(call: Call) -> CaseShape:
    payloads = [payload_of(each) for each in call.body]
    return written(await attachments.add_many(call.ground, call.asking, call.path["case_id"], payloads))


async def _update(call: Call) -> CaseShape:
    body: ChangedAttachment = call.body
    changed = await attachments.edit(
        call.ground, call.asking, call.path["case_id"], id_=body.id, version=body.version, payload=payload_of(body)
    )
    return written(changed)


def written(found: WithAttachments) -> CaseShape:
    """The case as routes that write attachments answer it: their totals count every attachment and every alert id."""
    ids = alert_ids(each.payload for each in found.attachments)
    return case_shape(found.case, found.attachments, totalComment=len(found.attachments), totalAlerts=len(ids))


async def _get(call: Call) -> AttachmentShape:
    found = await attachments.get(call.ground, call.asking, call.path["case_id"], call.path["comment_id"])
    return attachment_shape(found)


async def _get_many(call: Call) -> AttachmentsByIds:
    body: AttachmentIds = call.body
    found = await attachments.get_many(call.ground, call.asking, call.path["case_id"], body.ids)
    return attachments_by_ids(
        body.ids, found.found, unknown=found.unknown, foreign=found.foreign, forbidden=found.forbidden
    )


async def _list(call: Call) -> list[AttachmentShape]:
    found = await attachments.list_all(call.ground, call.asking, call.path["case_id"])
    return [attachment_shape(each) for each in found]


async def _find(call: Call) -> CommentsPage:
    query: CommentsQuery = call.query
    page = check_page(query.page, query.perPage)
    found, total = await attachments.find_comments(
        call.ground, call.asking, call.path["case_id"], page, descending=query.sortOrder == "desc"
    )
    return CommentsPage(
        comments=[user_comment_shape(each) for each in found], page=page.number, per_page=page.size, total=total
    )


async def _delete(call: Call) -> None:
    await attachments.delete(call.ground, call.asking, call.path["case_id"], call.path["comment_id"])


async def _delete_all(call: Call) -> None:
    await attachments.delete_all(call.ground, call.asking, call.path["case_id"])


async def _alerts(call: Call) -> list[AttachedAlert]:
    found = await attachments.list_alerts(call.ground, call.asking, call.path["case_id"])
    return [AttachedAlert.of(each) for each in found]


async def _cases_of_alert(call: Call) -> list[AlertCase]:
    query: OwnersQuery = call.query
    found = await attachments.list_cases_of_alert(call.ground, call.asking, call.path["alert_id"], query.owner)
    return [AlertCase.of(each) for each in found]


_TAG = "comments"
_COMMENTS = "/api/cases/{case_id}/comments"
_ATTACHMENTS = "/internal/cases/{case_id}/attachments"

ROUTES = (
    Route(
        "POST", _COMMENTS, _create,
        name="addComment", summary="Add a comment or another attachment to a case", tag=_TAG,
        body=NewAttachment, answer=CaseShape, errors=(403, 404),
    ),
    Route(
        "PATCH", _COMMENTS, _update,
        name="updateComment", summary="Replace a comment or another attachment", tag=_TAG,
        body=ChangedAttachment, answer=CaseShape, errors=(403, 404, 409),
    ),
    Route(
        "GET", _COMMENTS, _list,
        name="listComments", summary="All attachments of a case, oldest first (deprecated)", tag=_TAG,
        answer=list[AttachmentShape], errors=(403, 404),
    ),
    Route(
        "DELETE", _COMMENTS, _delete_all,
        name="deleteComments", summary="Delete all attachments of a case", tag=_TAG, status=204, errors=(403, 404),
    ),
    Route(
        "GET", f"{_COMMENTS}/_find", _find,
        name="findComments", summary="A page of the user comments of a case", tag=_TAG,
        query=CommentsQuery, answer=CommentsPage, errors=(403,),
    ),
    Route(
        "GET", f"{_COMMENTS}/{{comment_id}}", _get,
        name="getComment", summary="One attachment", tag=_TAG, answer=AttachmentShape, errors=(403, 404),
    ),
    Route(
        "DELETE", f"{_COMMENTS}/{{comment_id}}", _delete,
        name="deleteComment", summary="Delete one attachment", tag=_TAG, status=204, errors=(403, 404),
    ),
    Route(
        "GET", "/api/cases/{case_id}/alerts", _alerts,
        name="listAlerts", summary="The alerts attached to a case", tag=_TAG,
        answer=list[AttachedAlert], errors=(403, 404),
    ),
    Route(
        "GET", "/api/cases/alerts/{alert_id}", _cases_of_alert,
        name="listCasesOfAlert", summary="The cases an alert is attached to", tag=_TAG,
        query=OwnersQuery, answer=list[AlertCase], errors=(403,),
    ),
    Route(
        "POST", f"{_ATTACHMENTS}/_bulk_create", _create_many,
        name="bulkCreateAttachments", summary="Add several attachments to a case", tag=_TAG,
        body=list[NewAttachment], answer=CaseShape, errors=(403, 404),
    ),
    Route(
        "POST", f"{_ATTACHMENTS}/_bulk_get", _get_many,
        name="bulkGetAttachments", summary="Several attachments of a case by their ids", tag=_TAG,
        body=AttachmentIds, answer=AttachmentsByIds, errors=(403, 404),
    ),
)  # fmt: skip
