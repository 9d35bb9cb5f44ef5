"""Route of a walk over all cases: pages by cursor, without a window (extensions.md 5)."""

from __future__ import annotations

from casebridge.api.filters import case_filter, case_search
from casebridge.api.routing import Call, Route
from casebridge.services import walk
from casebridge.wire.cases import CasesStep, WalkQuery, case_shape


async def _step(call: Call) -> CasesStep:
    query: WalkQuery = call.query
    found = await walk.step(
        call.ground,
        call.asking,
        case_filter(call, query),
        query.owner,
        limit=query.limit,
        cursor=query.cursor,
        search=case_search(query),
    )
    return CasesStep(cases=[case_shape(case, ()) for case in found.cases], next_cursor=found.next_cursor)


ROUTES = (
    Route(
        "GET", "/api/casebridge/cases", _step,
        name="walkCases", summary="The next cases of a walk over all of them, oldest first", tag="cases",
        query=WalkQuery, answer=CasesStep, errors=(403,),
    ),
)  # fmt: skip
