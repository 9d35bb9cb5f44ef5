"""Routes of comments as 7.10 and 7.11 knew them (contract dialect-7.10.md 5)."""

from __future__ import annotations

from casebridge.api.routing import Call, Route
from casebridge.domain.query import check_page
from casebridge.domain.search import read_search
from casebridge.services import legacy
from casebridge.wire.legacy_cases import OldCaseShape, old_case_shape
from casebridge.wire.legacy_comments import (
    OldAlert,
    OldChangedComment,
    OldComment,
    OldCommentsPage,
    OldCommentsQuery,
    OldNewComment,
    OldUserComment,
    old_comment_shape,
    old_comments,
)


async def _create(call: Call) -> OldCaseShape:
    body: OldNewComment = call.body
    return old_case_shape(*await legacy.add_comment(call.ground, call.asking, call.path["case_id"], body.payload))


async def _update(call: Call) -> OldCaseShape:
    body: OldChangedComment = call.body
    return old_case_shape(
        *await legacy.edit_comment(call.ground, call.asking, call.path["case_id"], body.id, body.version, body.payload)
    )


async def _get(call: Call) -> OldComment:
    case_id, comment_id = call.path["case_id"], call.path["comment_id"]
    return old_comment_shape(await legacy.get_comment(call.ground, call.asking, case_id, comment_id))


async def _list(call: Call) -> list[OldComment]:
    return old_comments(await legacy.list_comments(call.ground, call.asking, call.path["case_id"]))


async def _find(call: Call) -> OldCommentsPage:
    query: OldCommentsQuery = call.query
    page = check_page(query.page, query.perPage)
    found, total = await legacy.find_comments(
        call.ground,
        call.asking,
        call.path["case_id"],
        page,
        search=None if query.search is None else read_search(query.search),
        descending=query.sortOrder == "desc",
    )
    return OldCommentsPage(comments=old_comments(found), page=page.number, per_page=page.size, total=total)


async def _delete(call: Call) -> None:
    await legacy.delete_comment(call.ground, call.asking, call.path["case_id"], call.path["comment_id"])


async def _delete_all(call: Call) -> None:
    await legacy.delete_comments(call.ground, call.asking, call.path["case_id"])


_TAG = "cases of 7.10"
_COMMENTS = "/api/cases/{case_id}/comments"

ROUTES = (
    Route(
        "POST", _COMMENTS, _create,
        name="addCommentOf710", summary="Add a comment to a case", tag=_TAG, dialect="7.10",
        body=OldNewComment, answer=OldCaseShape, errors=(403, 404),
    ),
    Route(
        "PATCH", _COMMENTS, _update,
        name="updateCommentOf710", summary="Replace a comment", tag=_TAG, dialect="7.10",
        body=OldChangedComment, answer=OldCaseShape, errors=(403, 404, 409),
    ),
    Route(
        "GET", _COMMENTS, _list,
        name="listCommentsOf710", summary="All comments of a case, oldest first", tag=_TAG, dialect="7.10",
        answer=list[OldComment], errors=(403, 404),
    ),
    Route(
        "DELETE", _COMMENTS, _delete_all,
        name="deleteCommentsOf710", summary="Delete all comments of a case", tag=_TAG, dialect="7.10",
        status=204, errors=(403, 404),
    ),
    Route(
        "GET", f"{_COMMENTS}/_find", _find,
        name="findCommentsOf710", summary="A page of the comments of a case", tag=_TAG, dialect="7.10",
        query=OldCommentsQuery, answer=OldCommentsPage, errors=(403,),
    ),
    Route(
        "GET", f"{_COMMENTS}/{{comment_id}}", _get,
        name="getCommentOf710", summary="One comment", tag=_TAG, dialect="7.10",
        answer=OldUserComment | OldAlert, errors=(403, 404),
    ),
    Route(
        "DELETE", f"{_COMMENTS}/{{comment_id}}", _delete,
        name="deleteCommentOf710", summary="Delete one comment", tag=_TAG, dialect="7.10",
        status=204, errors=(403, 404),
    ),
)  # fmt: skip
