"""What `_search` takes (contract find.md 2): the query of `_find` as a body, more places to look in, custom fields."""

from __future__ import annotations

from typing import Any, Literal, TypeVar

import msgspec
from msgspec import UNSET, UnsetType

from casebridge.wire.base import Body
from casebridge.wire.cases import FindQuery, Severity, Status

T = TypeVar("T")

SearchField = Literal[
    "title",
    "description",
    "cases.title",
    "cases.description",
    "cases.incremental_id.text",
    "cases.observables.value",
    "cases.customFields.value",
    "cases-comments.comment",
    "cases-comments.alertId",
    "cases-comments.eventId",
]


class SearchCases(Body):
    """Body of `POST /internal/cases/_search`; what may be a list may be a single text too."""

    page: int | UnsetType = UNSET
    perPage: int | UnsetType = UNSET
    sortField: Literal["createdAt", "updatedAt", "closedAt", "title", "category", "status", "severity"] | UnsetType = (
        UNSET
    )
    sortOrder: Literal["asc", "desc"] | UnsetType = UNSET
    status: Status | list[Status] | UnsetType = UNSET
    severity: Severity | list[Severity] | UnsetType = UNSET
    tags: str | list[str] | UnsetType = UNSET
    reporters: str | list[str] | UnsetType = UNSET
    assignees: str | list[str] | UnsetType = UNSET
    category: str | list[str] | UnsetType = UNSET
    owner: str | list[str] | UnsetType = UNSET
    from_: str | UnsetType = msgspec.field(default=UNSET, name="from")
    to: str | UnsetType = UNSET
    search: str | UnsetType = UNSET
    searchFields: SearchField | list[SearchField] | UnsetType = UNSET
    defaultSearchOperator: Literal["OR", "AND"] = "OR"
    customFields: dict[str, list[bool | None]] | UnsetType = UNSET

    @property
    def fields(self) -> list[SearchField] | None:
        """Where to look, always a list; None: not sent."""
        return None if isinstance(self.searchFields, UnsetType) else _listed(self.searchFields)

    def to_query(self) -> FindQuery:
        """What `_find` could have been asked as well: all but `searchFields` and `customFields`."""
        given: dict[str, Any] = {}
        for name in self.__struct_fields__:
            value = getattr(self, name)
            if name not in ("searchFields", "customFields") and not isinstance(value, UnsetType):
                given[name] = _listed(value) if name in _LISTS else value
        return FindQuery(**given)


_LISTS = frozenset({"status", "severity", "tags", "reporters", "assignees", "category", "owner"})


def _listed(value: T | list[T]) -> list[T]:
    return value if isinstance(value, list) else [value]
