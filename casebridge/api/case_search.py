"""Route of the internal search over cases: all that `_find` answers, asked by a body and looked for in more places."""

from __future__ import annotations

import msgspec
from msgspec import UnsetType

from casebridge.api.cases import cases_page
from casebridge.api.filters import case_query
from casebridge.api.routing import Call, Route
from casebridge.domain.query import toggle_filters
from casebridge.domain.search import ALL_SEARCH_FIELDS, MAIN_FIELDS, Search, read_search
from casebridge.services import case_search
from casebridge.wire.case_search import SearchCases
from casebridge.wire.cases import CasesPage


async def _search(call: Call) -> CasesPage:
    body: SearchCases = call.body
    query = body.to_query()
    wanted = case_query(call, query, _what(body))
    if not isinstance(body.customFields, UnsetType):
        toggles = toggle_filters(body.customFields)
        wanted = msgspec.structs.replace(wanted, filter=msgspec.structs.replace(wanted.filter, toggles=toggles))
    return cases_page(await case_search.search(call.ground, call.asking, wanted, query.owner), wanted.page)


def _what(body: SearchCases) -> Search | None:
    names = body.fields
    fields = MAIN_FIELDS if names is None else tuple(dict.fromkeys(ALL_SEARCH_FIELDS[name] for name in names))
    if isinstance(body.search, UnsetType):
        return None
    return read_search(body.search, body.defaultSearchOperator, fields)


ROUTES = (
    Route(
        "POST", "/internal/cases/_search", _search,
        name="searchCases", summary="A page of cases, searched in comments, observables and custom fields too",
        tag="cases", body=SearchCases, answer=CasesPage, errors=(403,),
    ),
)  # fmt: skip
