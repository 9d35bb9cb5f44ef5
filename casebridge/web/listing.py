"""The address of the list of cases, read: which cases, in which order, shown how."""

from __future__ import annotations

import msgspec

from casebridge.domain.case import SEVERITIES, STATUSES
from casebridge.domain.date_expression import read_date
from casebridge.domain.errors import InvalidInput
from casebridge.domain.query import SORT_FIELDS, CaseFilter, CaseQuery, check_filter_values, check_page
from casebridge.domain.search import Search, read_search
from casebridge.domain.space import OWNERS
from casebridge.web.routing import Visit

SIZES = (20, 50, 100)
FILTERS = ("severity", "assignees", "tags", "category", "reporters", "owner")
BOARD_SIZE = 100


class Listing(msgspec.Struct, frozen=True):
    """What the address asks for."""

    query: CaseQuery
    owners: tuple[str, ...] | None
    sort: str
    order: str
    size: int
    page: int
    is_board: bool

    @property
    def wanted(self) -> CaseFilter:
        return self.query.filter

    @property
    def search(self) -> Search | None:
        return self.query.search


def read_listing(visit: Visit) -> Listing:
    """The listing of an address; what it does not understand is refused, since it was not made by a page of ours."""
    given = visit.query
    now = visit.ground.now()
    start, end = given.one("from"), given.one("to")
    wanted = CaseFilter(
        space=visit.asking.space.id,
        owners=(),
        statuses=_among("status", given.every("status"), STATUSES),
        severities=_among("severity", given.every("severity"), SEVERITIES),
        tags=_free(visit, "tags"),
        reporters=_free(visit, "reporters"),
        assignees=_free(visit, "assignees"),
        categories=_free(visit, "category"),
        created_from=read_date("from", start, now, upper=False) if start else None,
        created_to=read_date("to", end, now, upper=True) if end else None,
    )
    sort, order = given.one("sort", "createdAt"), given.one("order", "desc")
    _among("sort", [sort], tuple(SORT_FIELDS))
    _among("order", [order], ("asc", "desc"))
    is_board = given.one("view") == "board"
    size = BOARD_SIZE if is_board else _number("per", given.one("per", "20"))
    page = 1 if is_board else _number("page", given.one("page", "1"))
    query = CaseQuery(
        filter=wanted,
        search=_search(given.one("search")),
        sort=SORT_FIELDS[sort],
        descending=order == "desc",
        page=check_page(page, size),
    )
    return Listing(query, _among("owner", given.every("owner"), OWNERS), sort, order, size, page, is_board)


def _search(text: str) -> Search | None:
    """All words must be there; the last one may still be being typed."""
    if text[-1:].isalnum():
        text += "*"
    return read_search(text, "AND")


def _free(visit: Visit, key: str) -> tuple[str, ...] | None:
    values = visit.query.every(key)
    check_filter_values(key, values)
    return tuple(values) or None


def _among(key: str, values: list[str], known: tuple[str, ...]) -> tuple[str, ...] | None:
    if unknown := [each for each in values if each not in known]:
        raise InvalidInput(key, f"{unknown[0]!r} is not known; expected one of {', '.join(known)}.")
    return tuple(values) or None


def _number(key: str, text: str) -> int:
    if not text.isdecimal() or len(text) > 6:
        raise InvalidInput(key, f"expected a whole number, given {text!r}.")
    return int(text)
