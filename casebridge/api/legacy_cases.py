"""Routes of cases as 7.10 and 7.11 knew them (contract dialect-7.10.md 4)."""

from __future__ import annotations

from casebridge.api.cases import DeleteQuery
from casebridge.api.routing import Call, Route
from casebridge.domain import limits
from casebridge.domain.query import CaseFilter, CaseQuery, check_page
from casebridge.domain.space import SECURITY
from casebridge.services import cases, legacy
from casebridge.wire.configurations import OldUser, old_user
from casebridge.wire.legacy_cases import (
    OldCaseShape,
    OldCasesPage,
    OldCreateCase,
    OldFindQuery,
    OldGetQuery,
    OldStatusCounts,
    OldUpdateCases,
    old_case_shape,
)


async def _create(call: Call) -> OldCaseShape:
    body: OldCreateCase = call.body
    return old_case_shape(await legacy.open_new(call.ground, call.asking, body.to_domain()))


async def _update(call: Call) -> list[OldCaseShape]:
    body: OldUpdateCases = call.body
    wanted = [cases.WantedChange(each.id, each.version, each.to_domain()) for each in body.cases]
    # Neither comments nor their number are in this answer, whatever the case has.
    return [old_case_shape(case) for case in await legacy.change(call.ground, call.asking, wanted)]


async def _delete(call: Call) -> None:
    query: DeleteQuery = call.query
    await legacy.delete(call.ground, call.asking, query.ids)


async def _get(call: Call) -> OldCaseShape:
    query: OldGetQuery = call.query
    if query.includeComments:
        return old_case_shape(*await legacy.get_with_comments(call.ground, call.asking, call.path["case_id"]))
    return old_case_shape(await legacy.get(call.ground, call.asking, call.path["case_id"]))


async def _find(call: Call) -> OldCasesPage:
    query: OldFindQuery = call.query
    page = check_page(query.page, query.perPage, limits.PAGE_WINDOW)
    wanted = CaseQuery(
        filter=CaseFilter(
            space=call.asking.space.id,
            owners=(),
            statuses=None if query.status is None else (query.status,),
            tags=None if query.tags is None else tuple(dict.fromkeys(query.tags)),
            reporters=None if query.reporters is None else tuple(dict.fromkeys(query.reporters)),
        ),
        search=query.to_search(),
        sort=query.sort,
        descending=query.sortOrder == "desc",
        page=page,
    )
    found, comments = await legacy.find(call.ground, call.asking, wanted)
    return OldCasesPage(
        cases=[old_case_shape(case, total=comments.get(case.id, 0)) for case in found.cases],
        page=page.number,
        per_page=page.size,
        total=found.total,
        count_open_cases=found.counts.open,
        count_closed_cases=found.counts.closed,
        count_in_progress_cases=found.counts.in_progress,
    )


async def _status(call: Call) -> OldStatusCounts:
    everything = CaseFilter(space=call.asking.space.id, owners=())
    return OldStatusCounts.of(await cases.count(call.ground, call.asking, everything, (SECURITY,)))


async def _tags(call: Call) -> list[str]:
    return await cases.list_tags(call.ground, call.asking, (SECURITY,))


async def _reporters(call: Call) -> list[OldUser]:
    return [old_user(user) for user in await cases.list_reporters(call.ground, call.asking, (SECURITY,))]


_TAG = "cases of 7.10"

ROUTES = (
    Route(
        "POST", "/api/cases", _create,
        name="createCaseOf710", summary="Open a case of the security app", tag=_TAG, dialect="7.10",
        body=OldCreateCase, answer=OldCaseShape, errors=(403,),
    ),
    Route(
        "PATCH", "/api/cases", _update,
        name="updateCasesOf710", summary="Change one or more cases, all or none", tag=_TAG, dialect="7.10",
        body=OldUpdateCases, answer=list[OldCaseShape], errors=(403, 404, 406, 409),
    ),
    Route(
        "DELETE", "/api/cases", _delete,
        name="deleteCasesOf710", summary="Delete cases and all that hangs on them", tag=_TAG, dialect="7.10",
        query=DeleteQuery, status=204, errors=(403, 404),
    ),
    Route(
        "GET", "/api/cases/_find", _find,
        name="findCasesOf710", summary="A page of cases with counts per status", tag=_TAG, dialect="7.10",
        query=OldFindQuery, answer=OldCasesPage, errors=(403,),
    ),
    Route(
        "GET", "/api/cases/status", _status,
        name="getCasesStatusOf710", summary="How many cases are in each status", tag=_TAG, dialect="7.10",
        answer=OldStatusCounts, errors=(403,),
    ),
    Route(
        "GET", "/api/cases/tags", _tags,
        name="getTagsOf710", summary="Tags in use", tag=_TAG, dialect="7.10", answer=list[str], errors=(403,),
    ),
    Route(
        "GET", "/api/cases/reporters", _reporters,
        name="getReportersOf710", summary="Who opened cases", tag=_TAG, dialect="7.10",
        answer=list[OldUser], errors=(403,),
    ),
    Route(
        "GET", "/api/cases/{case_id}", _get,
        name="getCaseOf710", summary="One case with its comments", tag=_TAG, dialect="7.10",
        query=OldGetQuery, answer=OldCaseShape, errors=(403, 404),
    ),
)  # fmt: skip
