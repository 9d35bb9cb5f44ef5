"""Routes of cases: opening, reading, finding, changing, deleting."""

from __future__ import annotations

import msgspec
from msgspec import UNSET

from casebridge.api.filters import case_query, case_search, created_between
from casebridge.api.queries import JsonList
from casebridge.api.routing import Call, Route
from casebridge.domain.case import Case
from casebridge.domain.errors import InvalidInput
from casebridge.domain.query import Page
from casebridge.services import cases
from casebridge.wire.base import Body, User
from casebridge.wire.cases import (
    CaseShape,
    CasesPage,
    CreateCase,
    FindQuery,
    OwnersQuery,
    ResolvedCase,
    ResolveQuery,
    StatusCountsShape,
    StatusQuery,
    UpdateCases,
    case_shape,
    key_orders,
)


class DeleteQuery(Body):
    """Query of `DELETE /api/cases`: a JSON list of ids, or a repeated key."""

    ids: JsonList


async def _create(call: Call) -> CaseShape:
    body: CreateCase = call.body
    return case_shape(await cases.open_new(call.ground, call.asking, body.to_domain()))


async def _update(call: Call) -> list[CaseShape]:
    body: UpdateCases = call.body
    wanted = [
        cases.WantedChange(each.id, each.version, each.to_domain(f"cases[{place}].", order))
        for place, (each, order) in enumerate(zip(body.cases, key_orders(call.raw), strict=True))
    ]
    return [case_shape(case) for case in await cases.change(call.ground, call.asking, wanted)]


async def _delete(call: Call) -> None:
    query: DeleteQuery = call.query
    await cases.delete(call.ground, call.asking, query.ids)


class GetQuery(msgspec.Struct):
    """Query of `GET /api/cases/{case_id}`: newest servers ignore all of it, those of 8.x knew `includeComments`."""

    includeComments: str | None = None  # noqa: N815


async def _get(call: Call) -> CaseShape:
    wanted = call.query.includeComments
    if wanted not in (None, "true", "false"):
        raise InvalidInput("includeComments", f"expected true or false, given {wanted!r}.")
    if wanted == "true":
        case, comments = await cases.get_with_attachments(call.ground, call.asking, call.path["case_id"])
        return case_shape(case, comments)
    case = await cases.get(call.ground, call.asking, call.path["case_id"])
    return case_shape(case, UNSET if wanted is None else ())


async def _resolve(call: Call) -> ResolvedCase:
    query: ResolveQuery = call.query
    if query.includeComments:
        case, comments = await cases.get_with_attachments(call.ground, call.asking, call.path["case_id"])
        return ResolvedCase(case=case_shape(case, comments))
    case = await cases.get(call.ground, call.asking, call.path["case_id"])
    # Upstream does not compute the totals then.
    return ResolvedCase(case=case_shape(case, (), totalComment=0, totalAlerts=0))


async def _find(call: Call) -> CasesPage:
    query: FindQuery = call.query
    wanted = case_query(call, query, case_search(query))
    return cases_page(await cases.find(call.ground, call.asking, wanted, query.owner), wanted.page)


def cases_page(found: cases.FoundCases, page: Page) -> CasesPage:
    """The page as answered, whoever found it."""
    return CasesPage(
        cases=[_listed(case) for case in found.cases],
        page=page.number,
        per_page=page.size,
        total=found.total,
        count_open_cases=found.counts.open,
        count_in_progress_cases=found.counts.in_progress,
        count_closed_cases=found.counts.closed,
    )


def _listed(case: Case) -> CaseShape:
    return case_shape(case, ())


async def _status(call: Call) -> StatusCountsShape:
    query: StatusQuery = call.query
    return StatusCountsShape.of(await cases.count(call.ground, call.asking, created_between(call, query), query.owner))


async def _tags(call: Call) -> list[str]:
    return await cases.list_tags(call.ground, call.asking, call.query.owner)


async def _reporters(call: Call) -> list[User]:
    return [User.of(user) for user in await cases.list_reporters(call.ground, call.asking, call.query.owner)]


_TAG = "cases"

ROUTES = (
    Route(
        "POST", "/api/cases", _create,
        name="createCase", summary="Open a case", tag=_TAG, body=CreateCase, answer=CaseShape, errors=(403,),
    ),
    Route(
        "PATCH", "/api/cases", _update,
        name="updateCases", summary="Change one or more cases, all or none", tag=_TAG,
        body=UpdateCases, answer=list[CaseShape], errors=(403, 404, 406, 409),
    ),
    Route(
        "DELETE", "/api/cases", _delete,
        name="deleteCases", summary="Delete cases and all that hangs on them", tag=_TAG,
        query=DeleteQuery, status=204, errors=(403, 404),
    ),
    Route(
        "GET", "/api/cases/_find", _find,
        name="findCases", summary="A page of cases with counts per status", tag=_TAG,
        query=FindQuery, answer=CasesPage, errors=(403,),
    ),
    Route(
        "GET", "/api/cases/status", _status,
        name="getCasesStatus", summary="How many cases are in each status", tag=_TAG,
        query=StatusQuery, answer=StatusCountsShape, errors=(403,),
    ),
    Route(
        "GET", "/api/cases/tags", _tags,
        name="getTags", summary="Tags in use", tag=_TAG, query=OwnersQuery, answer=list[str], errors=(403,),
    ),
    Route(
        "GET", "/api/cases/reporters", _reporters,
        name="getReporters", summary="Who opened cases", tag=_TAG,
        query=OwnersQuery, answer=list[User], errors=(403,),
    ),
    Route(
        "GET", "/api/cases/{case_id}", _get,
        name="getCase", summary="One case", tag=_TAG, query=GetQuery, answer=CaseShape, errors=(403, 404),
    ),
    Route(
        "GET", "/api/cases/{case_id}/resolve", _resolve,
        name="resolveCase", summary="One case, with how its id was found", tag=_TAG,
        query=ResolveQuery, answer=ResolvedCase, errors=(403, 404),
    ),
)  # fmt: skip
