"""Plans of the databases: what a page costs does not hang on how many cases there are."""

from __future__ import annotations

import re
import sqlite3
import uuid
from collections.abc import Awaitable, Callable, Iterator
from contextlib import closing
from datetime import UTC, datetime, timedelta
from itertools import product
from pathlib import Path
from typing import Any

import pytest

from casebridge.domain.case import Case, CaseChanges, NewCase, change_case, open_case
from casebridge.domain.connector import NO_CONNECTOR
from casebridge.domain.query import SORT_FIELDS, CaseFilter, CaseQuery, Page
from casebridge.domain.search import read_search
from casebridge.domain.user import Actor, User
from casebridge.storage import cases, counts, seeding, user_actions
from casebridge.storage.opening import open_database
from casebridge.storage.session import Database

NOON = datetime(2026, 5, 17, 12, tzinfo=UTC)
DANA = User("dana", None, None)
OWNERS = ("cases", "observability", "securitySolution")
SORTS = tuple(SORT_FIELDS.values())
MANY = 3_000
LISTED = CaseFilter(space="default", owners=("securitySolution",), statuses=("closed",), tags=("vpn",))


def told(number: int, *, category: Callable[[int], str | None], status: Callable[[int], str]) -> Iterator[Case]:
    """Cases one minute after the other; every third of security, every second with the tag."""
    for place in range(number):
        at = NOON + timedelta(minutes=place)
        new = NewCase(
            owner=OWNERS[place % 3],
            title=f"Case {place * 7919 % number}",
            description="Somebody signed in from abroad. " * 20,
            tags=("vpn",) if place % 2 else ("email", "cloud"),
            connector=NO_CONNECTOR,
            severity=("low", "medium", "high", "critical")[place % 4],
            category=category(place),
        )
        case = open_case(new, (), id_=str(uuid.UUID(int=place + 1)), space="default", by=DANA, at=at).case
        changes = CaseChanges(status=status(place))
        yield case if changes.status == "open" else change_case(case, changes, (), by=DANA, at=at).case


async def fill(database: Database, made: Iterator[Case]) -> None:
    histories = [seeding.History(each, (), ()) for each in made]
    await seeding.prepare(database)
    await database.load(seeding.writes(histories, "default", Actor(DANA, ()), NOON, database.dialect))
    await seeding.settle(database)


async def plan(database: Database, ask: Callable[[], Awaitable[Any]]) -> str:
    """How the database goes about every read of a question."""
    read, said = database.read, []
    explain = "EXPLAIN QUERY PLAN" if database.dialect == "sqlite" else "EXPLAIN"

    async def explained(sql: str, params: Any = None) -> list[Any]:
        said.extend(str(row[-1]) for row in await read(f"{explain} {sql}", params))
        return await read(sql, params)

    database.read = explained  # type: ignore[method-assign]
    try:
        await ask()
    finally:
        database.read = read  # type: ignore[method-assign]
    return "\n".join(said)


@pytest.fixture
async def full(postgresql_target: str) -> Any:
    """Many cases on PostgreSQL, as `casebridge seed` leaves them, planned for as if they were far more."""
    database = await open_database(postgresql_target)
    categories = ("Malware", "Phishing", None)
    states = ("open", "closed", "closed", "closed", "in-progress")
    made = told(MANY, category=lambda place: categories[place % 7 % 3], status=lambda place: states[place % 5])
    await fill(database, made)
    await _loathe_reading_tables(database)
    await database.close()
    database = await open_database(postgresql_target)
    yield database
    await database.close()


async def _loathe_reading_tables(database: Database) -> None:
    """Let new connections read a whole table, or sort much of it, only where no index serves."""
    (name,) = (await database.read("SELECT current_database()"))[0]
    for way in ("seqscan", "bitmapscan", "sort"):
        await database.read(f'ALTER DATABASE "{name}" SET enable_{way} = off')


async def test_postgresql_finds_a_page_by_walking_an_index_in_every_order(full: Database):
    for sort, descending in product(SORTS, (False, True)):
        query = CaseQuery(filter=LISTED, sort=sort, descending=descending)
        steps = await plan(full, lambda query=query: cases.find(full, query))  # type: ignore[misc]

        assert "using cases_" in steps, (sort, descending, steps)
        assert "Seq Scan on cases" not in steps, (sort, descending, steps)


@pytest.mark.parametrize("page", [1, 45])
async def test_postgresql_passes_over_the_rows_before_a_page_in_the_index_alone(full: Database, page: int):
    query = CaseQuery(filter=CaseFilter(space="default", owners=("cases",)), descending=True, page=Page(page, 20))
    steps = await plan(full, lambda: cases.find(full, query))

    assert "Index Only Scan Backward using cases_owner_created" in steps, steps
    assert "Seq Scan" not in steps, steps


async def test_postgresql_steps_on_in_a_walk_from_where_the_last_one_ended(full: Database):
    wanted = CaseFilter(space="default", owners=OWNERS)
    steps = await plan(full, lambda: cases.walk(full, wanted, None, MANY // 2, 20))

    assert re.search(r"Index Cond: \(.*pk > ", steps), steps
    assert "Seq Scan on cases" not in steps, steps


async def test_totals_and_tags_are_read_from_counters_alone(database: Database):
    await fill(database, told(30, category=lambda place: None, status=lambda place: "open"))
    steps = await plan(database, lambda: cases.count(database, LISTED))
    steps += await plan(database, lambda: cases.list_tags(database, "default", OWNERS))

    assert "case_count" in steps
    assert not any(each in steps for each in ("on cases", "SEARCH c ", "SCAN c\n")), steps


async def test_seeded_counters_lie_in_one_row_each(full: Database):
    rows = await full.read("SELECT count(*), count(DISTINCT (space, owner, tag)) FROM case_count")
    read = await counts.read(full, "default", OWNERS)

    assert rows[0][0] == rows[0][1]
    assert sum((read.open, read.in_progress, read.closed)) == MANY


async def test_the_newest_page_of_all_activity_is_one_read_of_the_end_of_an_index(database_target: str):
    (query,) = user_actions.page_queries("some-case", (), Page(1, 20), descending=True)
    database = await open_database(database_target)
    if database.dialect == "postgresql":
        await _loathe_reading_tables(database)
        await database.close()
        database = await open_database(database_target)
    steps = await plan(database, lambda: database.read(query.sql, query.params))
    await database.close()

    assert ("(case_id=?)" if database.dialect == "sqlite" else "Index Scan Backward") in steps, steps
    assert not any(each in steps for each in ("TEMP B-TREE", "Sort")), steps


async def _work(path: Path, made: Iterator[Case], query: CaseQuery) -> int:
    """Steps of SQLite's machine for a page of 20 of these cases."""
    database = await open_database(str(path))
    await fill(database, made)
    asked: list[tuple[str, Any]] = []
    read = database.read

    async def noted(sql: str, params: Any = None) -> list[Any]:
        asked.append((sql, params))
        return await read(sql, params)

    database.read = noted  # type: ignore[method-assign]
    assert len(await cases.find(database, query)) == 20
    await database.close()
    steps = 0

    def count() -> int:
        nonlocal steps
        steps += 1
        return 0

    with closing(sqlite3.connect(path)) as connection:
        connection.set_progress_handler(count, 1)
        connection.execute(*asked[-1]).fetchall()
    return steps


@pytest.fixture
def files(sqlite_template: Path, tmp_path: Path) -> tuple[Path, Path]:
    """Two migrated files."""
    paths = (tmp_path / "few.db", tmp_path / "many.db")
    for each in paths:
        each.write_bytes(sqlite_template.read_bytes())
    return paths


@pytest.mark.parametrize("descending", [False, True])
async def test_sqlite_looks_at_no_case_without_a_category_while_those_with_one_fill_the_page(
    files: tuple[Path, Path], descending: bool
):
    wanted = CaseFilter(space="default", owners=("securitySolution",), statuses=("closed",), reporters=("dana",))
    query = CaseQuery(filter=wanted, sort="category", descending=descending)
    work = []
    for path, without in zip(files, (1, 300), strict=True):
        made = told(
            180 + 3 * without,
            category=lambda place: "Malware" if place < 180 else None,
            status=lambda place: "closed",
        )
        work.append(await _work(path, made, query))

    assert work[1] < 1.1 * work[0], work


@pytest.mark.parametrize("descending", [False, True])
async def test_sqlite_finds_a_rare_word_without_passing_over_the_cases_that_lack_it(
    files: tuple[Path, Path], descending: bool
):
    query = CaseQuery(
        filter=CaseFilter(space="default", owners=OWNERS), search=read_search("heron"), descending=descending
    )
    work = []
    for path, lacking in zip(files, (10, 900), strict=True):
        rare = [None] * lacking
        rare[lacking // 2 : lacking // 2] = ["heron"] * 25
        made = told(len(rare), category=rare.__getitem__, status=lambda place: "open")
        work.append(await _work(path, made, query))

    assert work[1] < 1.3 * work[0], work
