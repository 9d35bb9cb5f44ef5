"""Routes of comments."""

from __future__ import annotations

from casebridge.api.routing import Call, Route
from casebridge.domain.query import check_page
from casebridge.services import attachments
from casebridge.wire.attachments import (
    ChangedUserComment,
    CommentsPage,
    CommentsQuery,
    NewUserComment,
    UserCommentShape,
    attachment_shape,
)
from casebridge.wire.cases import CaseShape, case_shape


async def _create(call: Call) -> CaseShape:
    body: NewUserComment = call.body
    case, comments = await attachments.add_comment(
        call.ground, call.asking, call.path["case_id"], owner=body.owner, text=body.comment
    )
    # Answers of the routes that write comments count every attachment, whatever its type.
    return case_shape(case, comments, totalComment=len(comments))


async def _update(call: Call) -> CaseShape:
    body: ChangedUserComment = call.body
    case, comments = await attachments.edit_comment(
        call.ground,
        call.asking,
        call.path["case_id"],
        id_=body.id,
        version=body.version,
        owner=body.owner,
        text=body.comment,
    )
    return case_shape(case, comments, totalComment=len(comments))


async def _get(call: Call) -> UserCommentShape:
    found = await attachments.get_comment(call.ground, call.asking, call.path["case_id"], call.path["comment_id"])
    return attachment_shape(found)


async def _list(call: Call) -> list[UserCommentShape]:
    found = await attachments.list_comments(call.ground, call.asking, call.path["case_id"])
    return [attachment_shape(each) for each in found]


async def _find(call: Call) -> CommentsPage:
    query: CommentsQuery = call.query
    page = check_page(query.page, query.perPage)
    found, total = await attachments.find_comments(
        call.ground, call.asking, call.path["case_id"], page, descending=query.sortOrder == "desc"
    )
    return CommentsPage(
        comments=[attachment_shape(each) for each in found], page=page.number, per_page=page.size, total=total
    )


async def _delete(call: Call) -> None:
    await attachments.delete_comment(call.ground, call.asking, call.path["case_id"], call.path["comment_id"])


async def _delete_all(call: Call) -> None:
    await attachments.delete_comments(call.ground, call.asking, call.path["case_id"])


_TAG = "comments"
_COMMENTS = "/api/cases/{case_id}/comments"

ROUTES = (
    Route(
        "POST", _COMMENTS, _create,
        name="addComment", summary="Add a comment to a case", tag=_TAG,
        body=NewUserComment, answer=CaseShape, errors=(403, 404),
    ),
    Route(
        "PATCH", _COMMENTS, _update,
        name="updateComment", summary="Replace a comment", tag=_TAG,
        body=ChangedUserComment, answer=CaseShape, errors=(403, 404, 409),
    ),
    Route(
        "GET", _COMMENTS, _list,
        name="listComments", summary="All comments of a case, oldest first (deprecated)", tag=_TAG,
        answer=list[UserCommentShape], errors=(403, 404),
    ),
    Route(
        "DELETE", _COMMENTS, _delete_all,
        name="deleteComments", summary="Delete all comments of a case", tag=_TAG, status=204, errors=(403, 404),
    ),
    Route(
        "GET", f"{_COMMENTS}/_find", _find,
        name="findComments", summary="A page of the user comments of a case", tag=_TAG,
        query=CommentsQuery, answer=CommentsPage, errors=(403,),
    ),
    Route(
        "GET", f"{_COMMENTS}/{{comment_id}}", _get,
        name="getComment", summary="One comment", tag=_TAG, answer=UserCommentShape, errors=(403, 404),
    ),
    Route(
        "DELETE", f"{_COMMENTS}/{{comment_id}}", _delete,
        name="deleteComment", summary="Delete one comment", tag=_TAG, status=204, errors=(403, 404),
    ),
)  # fmt: skip
