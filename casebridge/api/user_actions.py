"""Routes of a case's activity."""

from __future__ import annotations

from casebridge.api.routing import Call, Route
from casebridge.domain.query import check_page
from casebridge.services import user_actions
from casebridge.wire.user_actions import ListedUserAction, UserActionShape, UserActionsPage, UserActionsQuery


async def _find(call: Call) -> UserActionsPage:
    query: UserActionsQuery = call.query
    page = check_page(query.page, query.perPage)
    found, total = await user_actions.find(
        call.ground,
        call.asking,
        call.path["case_id"],
        query.types or (),
        page,
        descending=query.sortOrder == "desc",
    )
    return UserActionsPage(
        userActions=[UserActionShape.of(each) for each in found], page=page.number, perPage=page.size, total=total
    )


async def _list(call: Call) -> list[ListedUserAction]:
    found = await user_actions.list_all(call.ground, call.asking, call.path["case_id"])
    return [ListedUserAction.of(each) for each in found]


ROUTES = (
    Route(
        "GET", "/api/cases/{case_id}/user_actions/_find", _find,
        name="findUserActions", summary="A page of a case's activity", tag="activity",
        query=UserActionsQuery, answer=UserActionsPage, errors=(403, 404),
    ),
    Route(
        "GET", "/api/cases/{case_id}/user_actions", _list,
        name="listUserActions", summary="All activity of a case (deprecated)", tag="activity",
        answer=list[ListedUserAction], errors=(403, 404),
    ),
)  # fmt: skip
