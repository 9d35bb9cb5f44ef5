"""What happened to cases in a span of time, over the cases that the caller may read."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import msgspec

from casebridge.domain.case import IN_PROGRESS, OPEN, Case
from casebridge.domain.query import CaseFilter, CaseQuery, Page, StatusCounts
from casebridge.domain.report import Span, Spread, spread
from casebridge.security.privileges import allowed, permitted_owners
from casebridge.services.ground import Asking, Ground
from casebridge.storage import cases, reports

OLDEST = 8


class Report(msgspec.Struct, frozen=True, kw_only=True):
    """Figures of now, and of a span of time.

    `groups` are cases opened in the span by severity, category, owner and assignee; `times` say how long closed ones
    took; `outcomes` maps connector ids to deliveries per state.
    """

    span: Span
    now: StatusCounts
    opened: Sequence[int]
    closed: Sequence[int]
    groups: Mapping[str, Sequence[tuple[str | None, int]]]
    times: Mapping[str, Spread]
    oldest: Sequence[Case]
    outcomes: Mapping[str, Mapping[str, int]]


async def dashboard(ground: Ground, asking: Asking, span: Span, owners: Sequence[str] | None = None) -> Report:
    """The figures of a span; `owners` are those asked for, None: all."""
    readable = permitted_owners(asking.actor, "getCase", asking.space, owners)
    store, space = ground.database, asking.space.id
    everything = CaseFilter(space=space, owners=readable)
    unsettled = msgspec.structs.replace(everything, statuses=(OPEN, IN_PROGRESS))
    opened, closed = await reports.count_steps(store, space, readable, span)
    times = await reports.list_times(store, space, readable, span)
    told = [each for each in readable if allowed(asking.actor, "getUserActions", each, asking.space)]
    outcomes: dict[str, dict[str, int]] = {}
    for connector_id, state, count in await reports.count_outcomes(store, space, told, span):
        outcomes.setdefault(connector_id, {})[state] = count
    return Report(
        span=span,
        now=await cases.count(store, everything),
        opened=opened,
        closed=closed,
        groups=await reports.count_groups(store, space, readable, span),
        times={name: spread(values) for name, values in times.items()},
        oldest=await cases.find(store, CaseQuery(filter=unsettled, page=Page(1, OLDEST))),
        outcomes=outcomes,
    )
