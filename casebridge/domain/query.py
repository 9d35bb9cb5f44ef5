"""What may be asked of the store: filters, sort order, page (contract find.md)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime

import msgspec

from casebridge.domain import limits
from casebridge.domain.errors import InvalidInput
from casebridge.domain.search import Search

SORT_FIELDS = {
    "createdAt": "created_at",
    "updatedAt": "updated_at",
    "closedAt": "closed_at",
    "title": "title",
    "category": "category",
    "status": "status",
    "severity": "severity",
}
"""Wire name -> what it sorts by."""

NO_ASSIGNEE = "none"


class Page(msgspec.Struct, frozen=True):
    """A page by number, from 1. `size` 0 asks for totals only."""

    number: int = 1
    size: int = 20

    @property
    def offset(self) -> int:
        return (self.number - 1) * self.size


def check_page(number: int, size: int, most: int = limits.PAGE_SIZE) -> Page:
    """The page, or InvalidInput when it is outside the window of contract README 10."""
    if number < 1:
        raise InvalidInput("page", f"begins at 1, given {number}.")
    if not 0 <= size <= most:
        raise InvalidInput("perPage", f"expected 0 to {most}, given {size}.")
    if number > limits.PAGE_WINDOW or number * size > limits.PAGE_WINDOW:
        raise InvalidInput("page", f"page x perPage may reach {limits.PAGE_WINDOW} at most, given {number} x {size}.")
    return Page(number, size)


class ToggleFilter(msgspec.Struct, frozen=True):
    """Which values of a custom field will do: None is no value; no values at all: the case has an entry for the key."""

    key: str
    values: tuple[bool | None, ...]


class CaseFilter(msgspec.Struct, frozen=True, kw_only=True):
    """Which cases: all parts must hold, one value of each list must match. None: no such filter.

    `owners` are those the caller may read, narrowed by what was asked for.
    `assignees` may hold `none` for cases without assignees.
    """

    space: str
    owners: tuple[str, ...]
    statuses: tuple[str, ...] | None = None
    severities: tuple[str, ...] | None = None
    tags: tuple[str, ...] | None = None
    reporters: tuple[str, ...] | None = None
    assignees: tuple[str, ...] | None = None
    categories: tuple[str, ...] | None = None
    created_from: datetime | None = None
    created_to: datetime | None = None
    toggles: tuple[ToggleFilter, ...] = ()


class CaseQuery(msgspec.Struct, frozen=True, kw_only=True):
    """A page of cases. `sort` is one of the values of SORT_FIELDS; a search selects and does not order."""

    filter: CaseFilter
    search: Search | None = None
    sort: str = "created_at"
    descending: bool = False
    page: Page = Page()


class StatusCounts(msgspec.Struct, frozen=True):
    """How many cases are in each status."""

    open: int = 0
    in_progress: int = 0
    closed: int = 0


def toggle_filters(wanted: Mapping[str, Sequence[bool | None]]) -> tuple[ToggleFilter, ...]:
    """The filters by custom fields; InvalidInput for more keys than an owner can have."""
    if len(wanted) > limits.CUSTOM_FIELDS:
        raise InvalidInput("customFields", f"at most {limits.CUSTOM_FIELDS} keys are allowed, given {len(wanted)}.")
    for key, values in wanted.items():
        check_filter_values(f"customFields.{key[: limits.CUSTOM_FIELD_KEY]}", values)
    return tuple(ToggleFilter(key, tuple(dict.fromkeys(values))) for key, values in wanted.items())


def check_filter_values(field: str, values: Sequence[object] | None) -> None:
    """InvalidInput for more than 100 values in one filter."""
    if values is not None and len(values) > limits.FILTER_VALUES:
        raise InvalidInput(field, f"at most {limits.FILTER_VALUES} values are allowed, given {len(values)}.")
