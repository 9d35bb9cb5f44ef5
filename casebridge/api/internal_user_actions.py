"""Internal routes on a case's activity: with attachments, counted, by user, by connector."""

from __future__ import annotations

from casebridge.api.routing import Call, Route
from casebridge.domain.query import check_page
from casebridge.services import case_connectors, user_actions
from casebridge.wire.attachments import attachment_shape
from casebridge.wire.case_connectors import ConnectorUseShape
from casebridge.wire.participation import CaseUsersShape
from casebridge.wire.user_actions import LatestUserActionsPage, UserActionShape, UserActionsQuery, UserActionStats


async def _find(call: Call) -> LatestUserActionsPage:
    query: UserActionsQuery = call.query
    page = check_page(query.page, query.perPage)
    found, total, latest = await user_actions.find_with_latest(
        call.ground,
        call.asking,
        call.path["case_id"],
        query.types or (),
        page,
        descending=query.sortOrder == "desc",
    )
    return LatestUserActionsPage(
        userActions=[UserActionShape.of(each) for each in found],
        page=page.number,
        perPage=page.size,
        total=total,
        latestAttachments=[attachment_shape(each) for each in latest],
    )


async def _stats(call: Call) -> UserActionStats:
    return UserActionStats.of(await user_actions.count(call.ground, call.asking, call.path["case_id"]))


async def _users(call: Call) -> CaseUsersShape:
    return CaseUsersShape.of(await user_actions.list_users(call.ground, call.asking, call.path["case_id"]))


async def _connectors(call: Call) -> dict[str, ConnectorUseShape]:
    found = await case_connectors.list_uses(call.ground, call.asking, call.path["case_id"])
    return {use.connector.id: ConnectorUseShape.of(use) for use in found}


_TAG = "activity"
_CASE = "/internal/cases/{case_id}"

ROUTES = (
    Route(
        "GET", f"{_CASE}/user_actions/_find", _find,
        name="findUserActionsWithLatest", summary="A page of a case's activity and the attachments it names", tag=_TAG,
        query=UserActionsQuery, answer=LatestUserActionsPage, errors=(403, 404),
    ),
    Route(
        "GET", f"{_CASE}/user_actions/_stats", _stats,
        name="getUserActionStats", summary="How much activity a case has", tag=_TAG,
        answer=UserActionStats, errors=(403, 404),
    ),
    Route(
        "GET", f"{_CASE}/_users", _users,
        name="getCaseUsers", summary="Participants, assignees and reporter of a case", tag=_TAG,
        answer=CaseUsersShape, errors=(403, 404),
    ),
    Route(
        "GET", f"{_CASE}/_connectors", _connectors,
        name="getCaseConnectors", summary="Connectors of a case and whether they need a push", tag=_TAG,
        answer=dict[str, ConnectorUseShape], errors=(403, 404),
    ),
)  # fmt: skip
