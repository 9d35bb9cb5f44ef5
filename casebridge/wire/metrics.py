"""Metrics on the wire (contract metrics.md); parts that were not asked for are absent."""

from __future__ import annotations

from typing import Annotated

import msgspec
from msgspec import UNSET, Meta, UnsetType

from casebridge.domain.case import Case
from casebridge.domain.metrics import ALL_CASES_FEATURES, CASE_FEATURES, Lifespan
from casebridge.domain.query import StatusCounts
from casebridge.wire.base import Body, Shape, time_or_null, time_text

# Only published, not enforced: the refusal names every unknown value, not just the first.
AllCasesFeature = Annotated[str, Meta(extra_json_schema={"enum": sorted(ALL_CASES_FEATURES)})]
CaseFeature = Annotated[str, Meta(extra_json_schema={"enum": sorted(CASE_FEATURES)})]


class AllCasesMetricsQuery(Body):
    """Query of `cases/metrics`."""

    features: list[AllCasesFeature]
    owner: list[str] | None = None
    from_: str | None = msgspec.field(default=None, name="from")
    to: str | None = None


class CaseMetricsQuery(Body):
    """Query of `cases/metrics/{case_id}`."""

    features: list[CaseFeature]


class StatusMetric(Shape):
    open: int
    inProgress: int
    closed: int

    @classmethod
    def of(cls, counts: StatusCounts) -> StatusMetric:
        return cls(open=counts.open, inProgress=counts.in_progress, closed=counts.closed)


class AllCasesMetricsShape(Shape):
    """`mttr` is in seconds, null when no case counts."""

    mttr: float | UnsetType | None = UNSET
    status: StatusMetric | UnsetType = UNSET


class HostCount(Shape):
    id: str
    count: int
    name: str | UnsetType = UNSET


class HostsMetric(Shape):
    total: int
    values: list[HostCount]


class UserCount(Shape):
    name: str
    count: int


class UsersMetric(Shape):
    total: int
    values: list[UserCount]


class AlertsMetric(Shape):
    count: int | UnsetType = UNSET
    hosts: HostsMetric | UnsetType = UNSET
    users: UsersMetric | UnsetType = UNSET


class Total(Shape):
    total: int


class IsolateHostMetric(Shape):
    isolate: Total
    unisolate: Total


class ActionsMetric(Shape):
    isolateHost: IsolateHostMetric


class StatusInfo(Shape):
    """Durations in milliseconds."""

    openDuration: int
    inProgressDuration: int
    reopenDates: list[str]

    @classmethod
    def of(cls, life: Lifespan) -> StatusInfo:
        return cls(
            openDuration=life.open_ms,
            inProgressDuration=life.in_progress_ms,
            reopenDates=[time_text(at) for at in life.reopened_at],
        )


class LifespanMetric(Shape):
    creationDate: str
    closeDate: str | None
    statusInfo: StatusInfo

    @classmethod
    def of(cls, case: Case, life: Lifespan) -> LifespanMetric:
        return cls(
            creationDate=time_text(case.created_at),
            closeDate=time_or_null(case.closed_at),
            statusInfo=StatusInfo.of(life),
        )


class CaseMetricsShape(Shape):
    """Metrics of one case."""

    alerts: AlertsMetric | UnsetType = UNSET
    actions: ActionsMetric | UnsetType = UNSET
    connectors: Total | UnsetType = UNSET
    lifespan: LifespanMetric | UnsetType = UNSET
