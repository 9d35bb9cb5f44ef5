"""Cases as 7.10 and 7.11 knew them (contract dialect-7.10.md 4): what may be sent, and how a case reads."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Literal

import msgspec
from msgspec import UNSET, UnsetType

from casebridge.domain.attachment import Attachment
from casebridge.domain.case import Case, CaseChanges, ExternalService, NewCase
from casebridge.domain.query import StatusCounts
from casebridge.domain.search import Search, read_search
from casebridge.domain.space import SECURITY
from casebridge.domain.version import version_text
from casebridge.wire.base import Body, Shape, time_or_null, time_text
from casebridge.wire.cases import Settings, Status
from casebridge.wire.configurations import OldConnector, OldUser, old_connector, old_user
from casebridge.wire.connectors import CaseConnectorShape
from casebridge.wire.legacy_comments import OldComment, old_comments


class OldCreateCase(Body):
    """Body of `POST /7.10/api/cases`; 7.10 did not know `settings`."""

    title: str
    description: str
    tags: list[str]
    connector: OldConnector
    settings: Settings = msgspec.field(default_factory=lambda: Settings(syncAlerts=True))

    def to_domain(self) -> NewCase:
        return NewCase(
            owner=SECURITY,
            title=self.title,
            description=self.description,
            tags=tuple(self.tags),
            connector=self.connector.to_domain(),
            sync_alerts=self.settings.syncAlerts,
        )


class OldCasePatch(Body):
    """One entry of `PATCH /7.10/api/cases`."""

    id: str
    version: str
    title: str | UnsetType = UNSET
    description: str | UnsetType = UNSET
    tags: list[str] | UnsetType = UNSET
    status: Status | UnsetType = UNSET
    connector: OldConnector | UnsetType = UNSET
    settings: Settings | UnsetType = UNSET

    def to_domain(self) -> CaseChanges:
        """The wanted changes; their activity comes in the order of the keys of a case, whatever the order here."""
        return CaseChanges(
            title=self.title,
            description=self.description,
            tags=UNSET if isinstance(self.tags, UnsetType) else tuple(self.tags),
            status=self.status,
            connector=UNSET if isinstance(self.connector, UnsetType) else self.connector.to_domain(),
            sync_alerts=UNSET if isinstance(self.settings, UnsetType) else self.settings.syncAlerts,
        )


class OldUpdateCases(Body):
    """Body of `PATCH /7.10/api/cases`."""

    cases: list[OldCasePatch]


class OldGetQuery(msgspec.Struct):
    """Query of `GET /7.10/api/cases/{case_id}`; unknown keys are ignored."""

    includeComments: bool = True


_SORTS = {
    "updatedAt": "updated_at",
    "updated_at": "updated_at",
    "closedAt": "closed_at",
    "closed_at": "closed_at",
    "status": "status",
}
_TEXTS = {"title": "title", "description": "description"}
_KEYWORDS = frozenset(
    {
        "tags", "status", "connector.name",
        *(f"{who}.{name}" for who in ("created_by", "updated_by", "closed_by")
          for name in ("username", "full_name", "email")),
        "external_service.connector_name", "external_service.external_title",
    }
)  # fmt: skip


class OldFindQuery(msgspec.Struct, kw_only=True):
    """Query of `GET /7.10/api/cases/_find`; unknown keys are ignored, `fields` too."""

    page: int = 1
    perPage: int = 20
    sortField: str = "createdAt"
    sortOrder: Literal["asc", "desc"] = "asc"
    status: Status | None = None
    tags: list[str] | None = None
    reporters: list[str] | None = None
    search: str | None = None
    searchFields: list[str] | None = None
    defaultSearchOperator: Literal["OR", "AND"] = "OR"

    @property
    def sort(self) -> str:
        """What to sort by; a field nobody knows sorts by creation."""
        return _SORTS.get(self.sortField, "created_at")

    def to_search(self) -> Search | None:
        """What to look for; fields that no case has find nothing."""
        if self.search is None:
            return None
        fields = None if self.searchFields is None else _store_fields(self.searchFields)
        search = read_search(self.search, self.defaultSearchOperator, fields)
        if search is not None and fields == ():
            return Search(tree=None, fields=())
        return search


def _store_fields(names: Sequence[str]) -> tuple[str, ...]:
    """Whole values are looked for together, in whichever of their fields they stand."""
    known = [_TEXTS[name] for name in names if name in _TEXTS]
    return tuple(dict.fromkeys([*known, *("keyword" for name in names if name in _KEYWORDS)]))


class OldExternalService(Shape):
    connector_id: str
    connector_name: str
    external_id: str
    external_title: str
    external_url: str
    pushed_at: str
    pushed_by: OldUser

    @classmethod
    def of(cls, service: ExternalService) -> OldExternalService:
        return cls(
            connector_id=service.connector_id,
            connector_name=service.connector_name,
            external_id=service.external_id,
            external_title=service.external_title,
            external_url=service.external_url,
            pushed_at=time_text(service.pushed_at),
            pushed_by=old_user(service.pushed_by),
        )


class OldCaseShape(Shape):
    """A case (dialect-7.10.md 4.1)."""

    id: str
    version: str
    comments: list[OldComment]
    totalComment: int
    title: str
    description: str
    tags: list[str]
    status: Status
    connector: CaseConnectorShape
    settings: Settings
    external_service: OldExternalService | None
    created_at: str
    created_by: OldUser
    updated_at: str | None
    updated_by: OldUser | None
    closed_at: str | None
    closed_by: OldUser | None


def old_case_shape(case: Case, attachments: Sequence[Attachment] = (), total: int | None = None) -> OldCaseShape:
    """The case as answered, with those of its attachments that this dialect knows; `total` None: their number."""
    comments = old_comments(attachments)
    return OldCaseShape(
        id=case.id,
        version=version_text(case.version),
        comments=comments,
        totalComment=len(comments) if total is None else total,
        title=case.title,
        description=case.description,
        tags=list(case.tags),
        status=case.status,  # type: ignore[arg-type]
        connector=old_connector(case.connector),
        settings=Settings(syncAlerts=case.sync_alerts),
        external_service=None if case.external_service is None else OldExternalService.of(case.external_service),
        created_at=time_text(case.created_at),
        created_by=old_user(case.created_by),
        updated_at=time_or_null(case.updated_at),
        updated_by=_user_or_null(case.updated_by),
        closed_at=time_or_null(case.closed_at),
        closed_by=_user_or_null(case.closed_by),
    )


def _user_or_null(user: Any) -> OldUser | None:
    return None if user is None else old_user(user)


class OldStatusCounts(Shape):
    """How many cases are in each status."""

    count_open_cases: int
    count_closed_cases: int
    count_in_progress_cases: int

    @classmethod
    def of(cls, counts: StatusCounts) -> OldStatusCounts:
        return cls(
            count_open_cases=counts.open,
            count_closed_cases=counts.closed,
            count_in_progress_cases=counts.in_progress,
        )


class OldCasesPage(Shape):
    """A page of cases with counts per status (dialect-7.10.md 4.6)."""

    cases: list[OldCaseShape]
    page: int
    per_page: int
    total: int
    count_open_cases: int
    count_closed_cases: int
    count_in_progress_cases: int
