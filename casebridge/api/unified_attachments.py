"""Routes of attachments in their unified form."""

from __future__ import annotations

from casebridge.api.routing import Answer, Call, Route
from casebridge.domain.query import check_filter_values, check_page
from casebridge.services import attachments, unified_attachments
from casebridge.wire.unified_attachments import (
    ChangedUnified,
    NewUnified,
    UnifiedPage,
    UnifiedQuery,
    UnifiedShape,
    check_types,
    payload_of_unified,
    unified_shape,
    unified_type,
)


async def _create(call: Call) -> Answer:
    payload = payload_of_unified(call.body, call.ground.attachment_types)
    made, is_new = await unified_attachments.add_one(call.ground, call.asking, call.path["case_id"], payload)
    return Answer(unified_shape(made), 201 if is_new else 200)


async def _list(call: Call) -> UnifiedPage:
    query: UnifiedQuery = call.query
    page = check_page(query.page, query.perPage)
    types = query.type
    if types is not None:
        check_filter_values("type", types)
        check_types(types, call.ground.attachment_types)
    found, total = await unified_attachments.find(
        call.ground,
        call.asking,
        call.path["case_id"],
        page,
        wanted=None if types is None else lambda payload: unified_type(payload) in types,
        descending=query.sortOrder == "desc",
    )
    return UnifiedPage(data=[unified_shape(each) for each in found], page=page.number, per_page=page.size, total=total)


async def _get(call: Call) -> UnifiedShape:
    return unified_shape(await attachments.get(call.ground, call.asking, call.path["case_id"], call.path["id"]))


async def _replace(call: Call) -> UnifiedShape:
    body: ChangedUnified = call.body
    known = call.ground.attachment_types
    payload_of_unified(body, known)
    replaced = await unified_attachments.replace_one(
        call.ground,
        call.asking,
        call.path["case_id"],
        call.path["id"],
        version=body.version,
        payload=lambda stored: payload_of_unified(body, known, stored),
        kind=unified_type,
    )
    return unified_shape(replaced)


async def _delete(call: Call) -> None:
    await attachments.delete(call.ground, call.asking, call.path["case_id"], call.path["id"])


async def _delete_all(call: Call) -> None:
    await attachments.delete_all(call.ground, call.asking, call.path["case_id"])


_TAG = "attachments"
_ALL = "/api/cases/{case_id}/attachments"
_ONE = f"{_ALL}/{{id}}"

ROUTES = (
    Route(
        "POST", _ALL, _create,
        name="addAttachment", summary="Add an attachment to a case, in unified form", tag=_TAG,
        body=NewUnified, answer=UnifiedShape, status=201, errors=(403, 404), also={200: UnifiedShape},
    ),
    Route(
        "GET", _ALL, _list,
        name="findAttachments", summary="A page of the attachments of a case, in unified form", tag=_TAG,
        query=UnifiedQuery, answer=UnifiedPage, errors=(403,),
    ),
    Route(
        "DELETE", _ALL, _delete_all,
        name="deleteAttachments", summary="Delete all attachments of a case", tag=_TAG, status=204, errors=(403, 404),
    ),
    Route(
        "GET", _ONE, _get,
        name="getAttachment", summary="One attachment, in unified form", tag=_TAG,
        answer=UnifiedShape, errors=(403, 404),
    ),
    Route(
        "PUT", _ONE, _replace,
        name="replaceAttachment", summary="Replace an attachment, in unified form", tag=_TAG,
        body=ChangedUnified, answer=UnifiedShape, errors=(403, 404, 409),
    ),
    Route(
        "DELETE", _ONE, _delete,
        name="deleteAttachment", summary="Delete one attachment", tag=_TAG, status=204, errors=(403, 404),
    ),
)  # fmt: skip
