"""What a query string says about which cases are meant."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

import msgspec

from casebridge.api.routing import Call
from casebridge.domain.date_expression import read_date
from casebridge.domain.query import SORT_FIELDS, CaseFilter, CaseQuery, check_filter_values, check_page
from casebridge.domain.search import SEARCH_FIELDS, Search, read_search
from casebridge.wire.cases import CaseFilters, FindQuery


class _Dates(Protocol):
    from_: str | None
    to: str | None


def case_filter(call: Call, query: CaseFilters) -> CaseFilter:
    """The filters of find.md 1.1, still without owners."""
    for name in ("tags", "reporters", "assignees", "category"):
        check_filter_values(name, getattr(query, name))
    return msgspec.structs.replace(
        created_between(call, query),
        statuses=_values(query.status),
        severities=_values(query.severity),
        tags=_values(query.tags),
        reporters=_values(query.reporters),
        assignees=_values(query.assignees),
        categories=_values(query.category),
    )


def _values(sent: Sequence[str] | None) -> tuple[str, ...] | None:
    return None if sent is None else tuple(dict.fromkeys(sent))


def created_between(call: Call, query: _Dates) -> CaseFilter:
    """Only the bounds on the time of creation, still without owners."""
    now = call.ground.now()
    return CaseFilter(
        space=call.asking.space.id,
        owners=(),
        created_from=None if query.from_ is None else read_date("from", query.from_, now, upper=False),
        created_to=None if query.to is None else read_date("to", query.to, now, upper=True),
    )


def case_search(query: CaseFilters) -> Search | None:
    """What to search for; None when nothing is."""
    fields = None if query.searchFields is None else tuple(SEARCH_FIELDS[name] for name in query.searchFields)
    return None if query.search is None else read_search(query.search, query.defaultSearchOperator, fields)


def case_query(call: Call, query: FindQuery, search: Search | None) -> CaseQuery:
    """The page of cases that is asked for, still without owners."""
    return CaseQuery(
        filter=case_filter(call, query),
        search=search,
        sort=SORT_FIELDS[query.sortField],
        descending=query.sortOrder == "desc",
        page=check_page(query.page, query.perPage),
    )
