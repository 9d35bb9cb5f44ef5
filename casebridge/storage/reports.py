"""Counts over cases and deliveries of a span of time."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any

from casebridge.domain.case import SEVERITIES
from casebridge.domain.report import Span
from casebridge.storage.session import Database, Query, to_ms
from casebridge.storage.where import Where

DAY_MS = 86_400_000
MOST_NAMES = 10
SAMPLE = 10_000
"""Times, and outcomes of pushes, are told of the newest so many: a look at each is needed."""
TIMES = ("time_to_acknowledge_s", "time_to_investigate_s", "time_to_resolve_s")


def _within(space: str, owners: Sequence[str], column: str, span: Span) -> Where:
    where = Where().also("c.space = :space", space=space).among("c.owner", owners)
    return where.also(f"c.{column} >= :start AND c.{column} < :end", start=to_ms(span.start), end=to_ms(span.end))


def _steps_query(space: str, owners: Sequence[str], column: str, span: Span) -> Query:
    where = _within(space, owners, column, span)
    step = span.step_days * DAY_MS
    return Query(
        f"SELECT (c.{column} - {to_ms(span.start)}) / {step} AS place, count(*) FROM cases c WHERE {where.text} "
        "GROUP BY place",
        where.params,
    )


def _groups_query(space: str, owners: Sequence[str], column: str, span: Span) -> Query:
    where = _within(space, owners, "created_at", span)
    return Query(
        f"SELECT c.{column}, count(*) FROM cases c WHERE {where.text} GROUP BY c.{column} "
        f"ORDER BY count(*) DESC, c.{column} LIMIT {MOST_NAMES + 1}",
        where.params,
    )


def _assignees_query(space: str, owners: Sequence[str], span: Span, dialect: str) -> Query:
    where = _within(space, owners, "created_at", span)
    source = "case_assignee c" if dialect == "sqlite" else "cases c CROSS JOIN unnest(c.assignees) AS uid"
    return Query(
        f"SELECT uid, count(*) FROM {source} WHERE {where.text} GROUP BY uid ORDER BY count(*) DESC, uid "
        f"LIMIT {MOST_NAMES}",
        where.params,
    )


async def count_steps(database: Database, space: str, owners: Sequence[str], span: Span) -> tuple[list[int], list[int]]:
    """Cases opened and closed in each step."""
    answers = await database.read_together(
        [_steps_query(space, owners, column, span) for column in ("created_at", "closed_at")]
    )
    opened, closed = ([0] * len(span.steps) for _ in answers)
    for counts, rows in zip((opened, closed), answers, strict=True):
        for place, count in rows:
            # Where clocks go back, a span is an hour longer than its days.
            counts[min(int(place), len(counts) - 1)] += count
    return opened, closed


async def count_groups(
    database: Database, space: str, owners: Sequence[str], span: Span
) -> dict[str, list[tuple[str | None, int]]]:
    """Cases opened in the span by `severity`, `category`, `owner` and `assignee`, the most frequent first."""
    columns = ("severity", "category", "owner")
    queries = [_groups_query(space, owners, column, span) for column in columns]
    answers = await database.read_together([*queries, _assignees_query(space, owners, span, database.dialect)])
    groups: dict[str, list[tuple[str | None, int]]] = {
        name: [(row[0], row[1]) for row in rows] for name, rows in zip((*columns, "assignee"), answers, strict=True)
    }
    counted: dict[Any, int] = dict(groups["severity"])
    groups["severity"] = [(name, counted.get(place, 0)) for place, name in reversed(list(enumerate(SEVERITIES)))]
    return groups


async def list_times(database: Database, space: str, owners: Sequence[str], span: Span) -> dict[str, list[int]]:
    """How many seconds it took to acknowledge, investigate and resolve the newest SAMPLE cases closed in the span."""
    where = _within(space, owners, "closed_at", span)
    picked = ", ".join(f"CAST(doc ->> '{each}' AS bigint)" for each in TIMES)
    rows = await database.read(
        f"SELECT {picked} FROM (SELECT c.doc FROM cases c WHERE {where.text} ORDER BY c.closed_at DESC, c.pk DESC "
        f"LIMIT {SAMPLE}) newest",
        where.params,
    )
    return {name: [row[place] for row in rows if row[place] is not None] for place, name in enumerate(TIMES)}


async def count_outcomes(
    database: Database, space: str, owners: Sequence[str], span: Span
) -> list[tuple[str, str, int]]:
    """Connector id, state and number, of deliveries asked for in the span, among the newest SAMPLE of the space."""
    where = Where().also("space = :space", space=space).among("owner", owners)
    where.also("at >= :start AND at < :end", start=_text(span.start), end=_text(span.end))
    rows = await database.read(
        "SELECT connector_id, state, count(*) FROM "
        "(SELECT space, owner, connector_id, state, doc ->> 'created_at' AS at "
        f"FROM delivery WHERE space = :space ORDER BY seq DESC LIMIT {SAMPLE}) newest WHERE {where.text} "
        "GROUP BY connector_id, state",
        where.params,
    )
    return [(row[0], row[1], row[2]) for row in rows]


def _text(at: datetime) -> str:
    """A time as documents have it, up to its second: what comes after only makes it greater."""
    return f"{at.astimezone(UTC):%Y-%m-%dT%H:%M:%S}"
