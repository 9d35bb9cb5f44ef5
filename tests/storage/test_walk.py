"""Walks and means over many cases read indexes, not documents."""

from __future__ import annotations

from collections.abc import Callable, Coroutine
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from casebridge.domain.query import CaseFilter
from casebridge.storage import cases
from casebridge.storage.opening import open_database

NOON = datetime(2031, 4, 1, 12, tzinfo=UTC)
EVERYONE = ("cases", "observability", "securitySolution")


async def plan(path: Path, ask: Callable[[Any], Coroutine[Any, Any, Any]]) -> list[str]:
    """How SQLite goes about the one read of a question."""
    database = await open_database(str(path))
    read, said = database.read, []

    async def explained(sql: str, params: Any = None) -> list[Any]:
        said.extend(row[3] for row in await read(f"EXPLAIN QUERY PLAN {sql}", params))
        return await read(sql, params)

    database.read = explained  # type: ignore[method-assign]
    await ask(database)
    await database.close()
    return said


@pytest.mark.parametrize(
    "given",
    [
        {},
        {"statuses": ("open",)},
        {"created_from": NOON},
        {"categories": ("x",)},
        {"tags": ("a", "b")},
        {"assignees": ("u-1", "none")},
        {"severities": ("low",)},
    ],
)
async def test_a_step_of_a_walk_begins_where_the_last_one_ended(sqlite_target: Path, given: dict[str, Any]):
    wanted = CaseFilter(space="default", owners=EVERYONE, **given)
    steps = await plan(sqlite_target, lambda database: cases.walk(database, wanted, None, 5, 10))
    assert any("INDEX cases_walk (space=? AND pk" in step for step in steps), steps
    assert sum("TEMP B-TREE" in step for step in steps) <= 1, steps


@pytest.mark.parametrize("given", [{}, {"created_from": NOON}, {"created_from": NOON, "created_to": NOON}])
async def test_a_mean_is_read_from_one_index(sqlite_target: Path, given: dict[str, Any]):
    wanted = CaseFilter(space="default", owners=EVERYONE, **given)
    steps = await plan(sqlite_target, lambda database: cases.mean_duration(database, wanted))
    assert all("COVERING INDEX cases_duration" in step for step in steps), steps
