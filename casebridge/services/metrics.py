"""Metrics of all cases and of one (contract metrics.md)."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

import msgspec

from casebridge.domain import metrics
from casebridge.domain.attachment import ACTIONS
from casebridge.domain.case import Case
from casebridge.domain.errors import NotFound
from casebridge.domain.needs_push import CONNECTOR_TYPES, connectors_named
from casebridge.domain.query import CaseFilter, StatusCounts
from casebridge.security.privileges import permitted_owners, require
from casebridge.services.ground import Asking, Ground
from casebridge.storage import attachments, cases, user_actions
from casebridge.storage.session import Query, Row


class AllCasesMetrics(msgspec.Struct, frozen=True):
    """What was asked of all cases: `features` says which parts hold. `mttr_s` None: nothing matches."""

    features: frozenset[str]
    mttr_s: float | None = None
    counts: StatusCounts = StatusCounts()


class CaseMetrics(msgspec.Struct, frozen=True):
    """What was asked of one case: `features` says which parts hold; `lifespan` is None unless asked for.

    `isolations` and `releases` count attachments that told of such an action on a host.
    """

    features: frozenset[str]
    case: Case
    connectors: int = 0
    isolations: int = 0
    releases: int = 0
    lifespan: metrics.Lifespan | None = None


async def of_all(
    ground: Ground, asking: Asking, features: Sequence[str], wanted: CaseFilter, owners: Sequence[str] | None
) -> AllCasesMetrics:
    """Metrics over the cases the caller may read; `owners` are those asked for, None: all."""
    asked = metrics.check_features(features, metrics.ALL_CASES_FEATURES)
    readable = permitted_owners(asking.actor, "getCase", asking.space, owners)
    wanted = msgspec.structs.replace(wanted, owners=readable)
    mttr_s = await cases.mean_duration(ground.database, wanted) if metrics.MTTR in asked else None
    counts = await cases.count(ground.database, wanted) if metrics.STATUS in asked else StatusCounts()
    return AllCasesMetrics(asked, mttr_s, counts)


_NEEDED = {
    metrics.LIFESPAN: "getUserActions",
    metrics.CONNECTORS: "getUserActions",
    metrics.ALERTS_COUNT: "getComment",
    metrics.ALERTS_HOSTS: "getComment",
    metrics.ALERTS_USERS: "getComment",
}
"""Feature -> what it needs besides reading the case."""


async def of_case(ground: Ground, asking: Asking, case_id: str, features: Sequence[str]) -> CaseMetrics:
    """Metrics of one case."""
    asked = metrics.check_features(features, metrics.CASE_FEATURES)
    queries = {
        metrics.LIFESPAN: user_actions.list_query(case_id, ("status",)),
        metrics.CONNECTORS: user_actions.list_query(case_id, CONNECTOR_TYPES),
        metrics.ISOLATE_HOST: attachments.list_of_type_query(asking.space.id, case_id, ACTIONS),
    }
    case, rows = await _read(ground, asking, case_id, {name: queries[name] for name in queries if name in asked})
    for operation in ("getCase", *(_NEEDED[name] for name in sorted(asked) if name in _NEEDED)):
        require(asking.actor, operation, case.owner, asking.space)
    moves = [user_actions.from_doc(row[0]) for row in rows.get(metrics.LIFESPAN, ())]
    named = connectors_named(user_actions.from_doc(row[0]) for row in rows.get(metrics.CONNECTORS, ()))
    actions = map(attachments.from_row, rows.get(metrics.ISOLATE_HOST, ()))
    done = Counter(each.payload["actions"]["type"] for each in actions)
    return CaseMetrics(
        asked,
        case,
        connectors=len(named),
        isolations=done["isolate"],
        releases=done["unisolate"],
        lifespan=metrics.lifespan(case.created_at, moves, ground.now()) if metrics.LIFESPAN in asked else None,
    )


async def _read(
    ground: Ground, asking: Asking, case_id: str, queries: dict[str, Query]
) -> tuple[Case, dict[str, list[Row]]]:
    case_rows, *others = await ground.database.read_together(
        [cases.get_query(asking.space.id, case_id), *queries.values()]
    )
    if not case_rows:
        raise NotFound("cases", case_id)
    return cases.from_row(case_rows[0]), dict(zip(queries, others, strict=True))
