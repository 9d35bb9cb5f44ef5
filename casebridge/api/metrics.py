"""Routes of metrics, at the address of today and at that of older releases."""

from __future__ import annotations

from msgspec import UNSET

from casebridge.api.filters import created_between
from casebridge.api.routing import Call, Route
from casebridge.domain import metrics as features
from casebridge.services import metrics
from casebridge.wire.metrics import (
    ActionsMetric,
    AlertsMetric,
    AllCasesMetricsQuery,
    AllCasesMetricsShape,
    CaseMetricsQuery,
    CaseMetricsShape,
    HostsMetric,
    IsolateHostMetric,
    LifespanMetric,
    StatusMetric,
    Total,
    UsersMetric,
)


async def _all_cases(call: Call) -> AllCasesMetricsShape:
    query: AllCasesMetricsQuery = call.query
    wanted = created_between(call, query)
    found = await metrics.of_all(call.ground, call.asking, query.features, wanted, query.owner)
    return AllCasesMetricsShape(
        mttr=found.mttr_s if features.MTTR in found.features else UNSET,
        status=StatusMetric.of(found.counts) if features.STATUS in found.features else UNSET,
    )


async def _one_case(call: Call) -> CaseMetricsShape:
    query: CaseMetricsQuery = call.query
    found = await metrics.of_case(call.ground, call.asking, call.path["case_id"], query.features)
    asked = found.features
    return CaseMetricsShape(
        alerts=_alerts(found) if any(name.startswith("alerts.") for name in asked) else UNSET,
        actions=_actions(found) if features.ISOLATE_HOST in asked else UNSET,
        connectors=Total(total=found.connectors) if features.CONNECTORS in asked else UNSET,
        lifespan=UNSET if found.lifespan is None else LifespanMetric.of(found.case, found.lifespan),
    )


def _actions(found: metrics.CaseMetrics) -> ActionsMetric:
    isolate, unisolate = Total(total=found.isolations), Total(total=found.releases)
    return ActionsMetric(isolateHost=IsolateHostMetric(isolate=isolate, unisolate=unisolate))


def _alerts(found: metrics.CaseMetrics) -> AlertsMetric:
    """No alert documents are known to this server, so no hosts and users are."""
    asked = found.features
    return AlertsMetric(
        count=found.case.counts.alerts if features.ALERTS_COUNT in asked else UNSET,
        hosts=HostsMetric(total=0, values=[]) if features.ALERTS_HOSTS in asked else UNSET,
        users=UsersMetric(total=0, values=[]) if features.ALERTS_USERS in asked else UNSET,
    )


_TAG = "metrics"

ROUTES = (
    Route(
        "GET", "/internal/cases/metrics", _all_cases,
        name="getCasesMetrics", summary="Metrics of all cases", tag=_TAG,
        query=AllCasesMetricsQuery, answer=AllCasesMetricsShape, errors=(403,),
    ),
    Route(
        "GET", "/api/cases/metrics", _all_cases,
        name="getCasesMetricsAsBefore", summary="Metrics of all cases (older address)", tag=_TAG,
        query=AllCasesMetricsQuery, answer=AllCasesMetricsShape, errors=(403,),
    ),
    Route(
        "GET", "/internal/cases/metrics/{case_id}", _one_case,
        name="getCaseMetrics", summary="Metrics of one case", tag=_TAG,
        query=CaseMetricsQuery, answer=CaseMetricsShape, errors=(403, 404),
    ),
    Route(
        "GET", "/api/cases/metrics/{case_id}", _one_case,
        name="getCaseMetricsAsBefore", summary="Metrics of one case (older address)", tag=_TAG,
        query=CaseMetricsQuery, answer=CaseMetricsShape, errors=(403, 404),
    ),
)  # fmt: skip
