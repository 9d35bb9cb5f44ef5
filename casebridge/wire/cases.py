"""Cases on the wire (contract cases.md, find.md): what may be sent, and how a case reads."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Literal

import msgspec
from msgspec import UNSET, UnsetType

from casebridge.domain import limits
from casebridge.domain.attachment import Attachment
from casebridge.domain.case import Case, CaseChanges, ExternalService, NewCase
from casebridge.domain.custom_field import CustomFieldValue
from casebridge.domain.observable import Observable
from casebridge.domain.query import StatusCounts
from casebridge.domain.text import check_count
from casebridge.domain.version import version_text
from casebridge.wire.attachments import AttachmentShape, attachment_shape
from casebridge.wire.base import Body, Shape, User, time_or_null, time_text
from casebridge.wire.connectors import CaseConnectorShape, SentConnector

Status = Literal["open", "in-progress", "closed"]
Severity = Literal["low", "medium", "high", "critical"]


class Assignee(Body):
    uid: str


class Settings(Body):
    syncAlerts: bool


class TextField(msgspec.Struct, forbid_unknown_fields=True, kw_only=True, tag_field="type", tag="text"):
    key: str
    value: str | None


class ToggleField(msgspec.Struct, forbid_unknown_fields=True, kw_only=True, tag_field="type", tag="toggle"):
    key: str
    value: bool | None


class NumberField(msgspec.Struct, forbid_unknown_fields=True, kw_only=True, tag_field="type", tag="number"):
    key: str
    value: int | None


CustomField = TextField | ToggleField | NumberField


def custom_field_values(sent: Sequence[CustomField]) -> tuple[CustomFieldValue, ...]:
    """The values as the domain knows them."""
    return tuple(CustomFieldValue(each.key, _type_of(each), each.value) for each in sent)


def _type_of(field: CustomField) -> Literal["text", "toggle", "number"]:
    if isinstance(field, TextField):
        return "text"
    return "toggle" if isinstance(field, ToggleField) else "number"


class CreateCase(Body):
    """Body of `POST /api/cases`."""

    title: str
    description: str
    tags: list[str]
    connector: SentConnector
    settings: Settings
    owner: str
    severity: Severity = "low"
    category: str | None = None
    assignees: list[Assignee] | UnsetType = UNSET
    customFields: list[CustomField] | UnsetType = UNSET

    def to_domain(self) -> NewCase:
        """What the caller wants; InvalidInput for more assignees than a case may have."""
        return NewCase(
            owner=self.owner,
            title=self.title,
            description=self.description,
            tags=tuple(self.tags),
            connector=self.connector.to_domain(),
            sync_alerts=self.settings.syncAlerts,
            severity=self.severity,
            category=self.category,
            assignees=() if isinstance(self.assignees, UnsetType) else _uids(self.assignees, ""),
            custom_fields=None if isinstance(self.customFields, UnsetType) else custom_field_values(self.customFields),
        )


def _uids(assignees: Sequence[Assignee], at: str) -> tuple[str, ...]:
    check_count(f"{at}assignees", assignees, limits.ASSIGNEES)
    return tuple(each.uid for each in assignees if each.uid)


class CasePatch(Body):
    """One entry of `PATCH /api/cases`."""

    id: str
    version: str
    title: str | UnsetType = UNSET
    description: str | UnsetType = UNSET
    tags: list[str] | UnsetType = UNSET
    status: Status | UnsetType = UNSET
    severity: Severity | UnsetType = UNSET
    category: str | UnsetType | None = UNSET
    assignees: list[Assignee] | UnsetType = UNSET
    connector: SentConnector | UnsetType = UNSET
    customFields: list[CustomField] | UnsetType = UNSET
    settings: Settings | UnsetType = UNSET
    owner: str | UnsetType = UNSET

    def to_domain(self, at: str, order: Sequence[str] = ()) -> CaseChanges:
        """The wanted changes; `at` is the path of the entry, `order` its keys as sent."""
        changed: dict[str, Any] = {
            name: getattr(self, name)
            for name in ("title", "description", "status", "severity", "category", "owner")
            if getattr(self, name) is not UNSET
        }
        if not isinstance(self.tags, UnsetType):
            changed["tags"] = tuple(self.tags)
        if not isinstance(self.assignees, UnsetType):
            changed["assignees"] = _uids(self.assignees, at)
        if not isinstance(self.connector, UnsetType):
            changed["connector"] = self.connector.to_domain()
        if not isinstance(self.customFields, UnsetType):
            changed["custom_fields"] = custom_field_values(self.customFields)
        if not isinstance(self.settings, UnsetType):
            changed["sync_alerts"] = self.settings.syncAlerts
        return CaseChanges(
            order=tuple(_NAMES.get(key, key) for key in order if _NAMES.get(key, key) in changed), **changed
        )


_NAMES = {"customFields": "custom_fields", "settings": "sync_alerts"}


class UpdateCases(Body):
    """Body of `PATCH /api/cases`."""

    cases: list[CasePatch]


class _KeyOrder(msgspec.Struct):
    cases: list[dict[str, msgspec.Raw]]


_key_orders = msgspec.json.Decoder(_KeyOrder)


def key_orders(raw: bytes) -> list[list[str]]:
    """The keys of each entry of a cases PATCH in the order they were sent: activity follows it."""
    try:
        entries = _key_orders.decode(raw).cases
    except msgspec.ValidationError:
        # Of a repeated key the last counts; an earlier one may have held anything.
        entries = msgspec.json.decode(raw)["cases"]
    return [list(entry) for entry in entries]


class CaseFilters(Body):
    """Which cases: the filters of every query over cases (find.md 1.1)."""

    status: list[Status] | None = None
    severity: list[Severity] | None = None
    tags: list[str] | None = None
    reporters: list[str] | None = None
    assignees: list[str] | None = None
    category: list[str] | None = None
    owner: list[str] | None = None
    from_: str | None = msgspec.field(default=None, name="from")
    to: str | None = None
    search: str | None = None
    searchFields: list[Literal["title", "description", "incremental_id.text"]] | None = None
    defaultSearchOperator: Literal["OR", "AND"] = "OR"


class FindQuery(CaseFilters):
    """Query of `GET /api/cases/_find`."""

    page: int = 1
    perPage: int = 20
    sortField: Literal["createdAt", "updatedAt", "closedAt", "title", "category", "status", "severity"] = "createdAt"
    sortOrder: Literal["asc", "desc"] = "asc"


class WalkQuery(CaseFilters):
    """Query of `GET /api/casebridge/cases`."""

    limit: int = 100
    cursor: str | None = None


class OwnersQuery(Body):
    """Query of the tag and reporter lists."""

    owner: list[str] | None = None


class StatusQuery(Body):
    """Query of `GET /api/cases/status`."""

    owner: list[str] | None = None
    from_: str | None = msgspec.field(default=None, name="from")
    to: str | None = None


class ResolveQuery(Body):
    includeComments: bool = True


class ExternalServiceShape(Shape):
    """What the case remembers of its last push (push.md 4)."""

    connector_id: str
    connector_name: str
    external_id: str
    external_title: str
    external_url: str
    pushed_at: str
    pushed_by: User

    @classmethod
    def of(cls, service: ExternalService) -> ExternalServiceShape:
        return cls(
            connector_id=service.connector_id,
            connector_name=service.connector_name,
            external_id=service.external_id,
            external_title=service.external_title,
            external_url=service.external_url,
            pushed_at=time_text(service.pushed_at),
            pushed_by=User.of(service.pushed_by),
        )


class CustomFieldShape(Shape):
    key: str
    type: Literal["text", "toggle", "number"]
    value: str | bool | int | None


class ObservableShape(Shape):
    id: str
    typeKey: str
    value: str
    description: str | None
    createdAt: str
    updatedAt: str | None

    @classmethod
    def of(cls, observable: Observable) -> ObservableShape:
        return cls(
            id=observable.id,
            typeKey=observable.type_key,
            value=observable.value,
            description=observable.description,
            createdAt=time_text(observable.created_at),
            updatedAt=time_or_null(observable.updated_at),
        )


class CaseShape(Shape):
    """A case (cases.md 1). `comments` is absent where a rule says so."""

    id: str
    version: str
    owner: str
    title: str
    description: str
    tags: list[str]
    severity: Severity
    status: Status
    category: str | None
    assignees: list[Assignee]
    customFields: list[CustomFieldShape]
    settings: Settings
    connector: CaseConnectorShape
    external_service: ExternalServiceShape | None
    observables: list[ObservableShape]
    total_observables: int
    totalComment: int
    totalAlerts: int
    totalEvents: int
    duration: int | None
    created_at: str
    created_by: User
    updated_at: str | None
    updated_by: User | None
    closed_at: str | None
    closed_by: User | None
    incremental_id: int | None
    in_progress_at: str | None
    time_to_acknowledge: int | None
    time_to_investigate: int | None
    time_to_resolve: int | None
    comments: list[AttachmentShape] | UnsetType = UNSET


def case_shape(case: Case, comments: Sequence[Attachment] | UnsetType = (), **totals: int) -> CaseShape:
    """The case as answered, with these comments (UNSET: without the key); `totals` override `totalComment` and
    `totalAlerts` where an answer has quirks of its own."""
    return CaseShape(
        id=case.id,
        version=version_text(case.version),
        owner=case.owner,
        title=case.title,
        description=case.description,
        tags=list(case.tags),
        severity=case.severity,  # type: ignore[arg-type]
        status=case.status,  # type: ignore[arg-type]
        category=case.category,
        assignees=[Assignee(uid=uid) for uid in case.assignees],
        customFields=[CustomFieldShape(key=f.key, type=f.type, value=f.value) for f in case.custom_fields],
        settings=Settings(syncAlerts=case.sync_alerts),
        connector=CaseConnectorShape.of(case.connector),
        external_service=None if case.external_service is None else ExternalServiceShape.of(case.external_service),
        observables=[ObservableShape.of(each) for each in case.observables],
        total_observables=len(case.observables),
        totalComment=totals.get("totalComment", case.counts.user_comments),
        totalAlerts=totals.get("totalAlerts", case.counts.alerts),
        totalEvents=0,
        duration=case.duration_s,
        created_at=time_text(case.created_at),
        created_by=User.of(case.created_by),
        updated_at=time_or_null(case.updated_at),
        updated_by=User.of_maybe(case.updated_by),
        closed_at=time_or_null(case.closed_at),
        closed_by=User.of_maybe(case.closed_by),
        incremental_id=case.incremental_id,
        in_progress_at=time_or_null(case.in_progress_at),
        time_to_acknowledge=case.time_to_acknowledge_s,
        time_to_investigate=case.time_to_investigate_s,
        time_to_resolve=case.time_to_resolve_s,
        comments=UNSET if isinstance(comments, UnsetType) else [attachment_shape(each) for each in comments],
    )


class ResolvedCase(Shape):
    """Answer of `resolve`: our cases are never renumbered."""

    case: CaseShape
    outcome: Literal["exactMatch"] = "exactMatch"


class StatusCountsShape(Shape):
    """How many cases are in each status."""

    count_open_cases: int
    count_in_progress_cases: int
    count_closed_cases: int

    @classmethod
    def of(cls, counts: StatusCounts) -> StatusCountsShape:
        return cls(
            count_open_cases=counts.open,
            count_in_progress_cases=counts.in_progress,
            count_closed_cases=counts.closed,
        )


class CasesPage(Shape):
    """A page of cases with counts per status (find.md 1.5)."""

    cases: list[CaseShape]
    page: int
    per_page: int
    total: int
    count_open_cases: int
    count_in_progress_cases: int
    count_closed_cases: int


class CasesStep(Shape):
    """A step of a walk over cases; `next_cursor` null: there are no more."""

    cases: list[CaseShape]
    next_cursor: str | None
